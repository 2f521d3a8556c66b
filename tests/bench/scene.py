"""A scene of 50 widgets polled as one, half of it changing, while readings come in."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import uvloop

from tests.bench import plant
from tests.bench.history import History
from tests.bench.home import PROCESS_GRACE_S, Home
from tests.bench.process import together
from tests.bench.report import Table

VALUES_PER_S = 500_000
BATCHES_PER_S = VALUES_PER_S // plant.BATCH_VALUES
POLL_EVERY_S = 0.25
KINDS = ("single",) * 10 + ("double",) * 5 + ("line",) * 7 + ("bar",) * 3
"""The widgets of a half: 25."""
GOALS_MS = (50.0, 150.0)


@dataclass
class Part:
    """What one process does for a while: send batches, or poll."""

    url: str
    headers: dict[str, str]
    seconds: float
    ids: list[str] | None = None


def measure(home: Home, moving: History, still: History, seconds: float) -> Table:
    """Poll a scene of widgets of two datasources, one of which takes 500 k values/s in."""
    ids = [_save(home, h, i, kind) for h in (moving, still) for i, kind in enumerate(KINDS)]
    made = moving.made
    sending = Part(made.url, {"Authorization": made.key, **_JSON}, seconds)
    polling = Part(
        f"{home.server.url}/v1/widgets/data", {**home.server.auth, **_JSON}, seconds, ids
    )
    sent, (took_ms, changed) = together(prepare, [sending, polling], seconds + PROCESS_GRACE_S)
    table = Table(
        "A scene of 50 widgets, polled as one, while half of its data changes",
        ["", "polls", "p50", "p99", "goal", "changed a poll", "values/s taken in"],
    )
    table.add(
        "POST /v1/widgets/data with etags",
        str(len(took_ms)),
        *(f"{np.percentile(took_ms, p):.0f} ms" for p in (50, 99)),
        f"<= {GOALS_MS[0]:.0f} / {GOALS_MS[1]:.0f} ms",
        f"{np.median(changed):.0f}",
        f"{sent[0] / seconds:,.0f}",
    )
    return table


_JSON = {"Content-Type": "application/json"}


def prepare(part: Part) -> Any:
    """Return what sends or polls."""
    if part.ids is not None:
        return lambda: _poll(part, part.ids or [])
    bodies = list(plant.json_bodies("flat", plant.now_ms(), round(part.seconds * BATCHES_PER_S)))
    return lambda: uvloop.run(_send(part, bodies))


async def _send(part: Part, bodies: list[bytes]) -> tuple[int, int]:
    """Send batches evenly; return how many values went in and how many batches were late."""
    began, late, taken = time.perf_counter(), 0, 0
    async with httpx.AsyncClient(headers=part.headers, timeout=30) as client:

        async def post(body: bytes) -> None:
            nonlocal taken
            answer = await client.post(part.url, content=body)
            if answer.status_code == 200:
                taken += plant.BATCH_VALUES

        async with asyncio.TaskGroup() as group:
            for number, body in enumerate(bodies):
                wait_s = began + number / BATCHES_PER_S - time.perf_counter()
                late += wait_s < -1
                await asyncio.sleep(max(wait_s, 0))
                group.create_task(post(body))
    return taken, late


def _poll(part: Part, ids: list[str]) -> tuple[list[float], list[int]]:
    """Poll in a fixed rhythm; return the milliseconds and how many widgets had changed."""
    took_ms: list[float] = []
    changed: list[int] = []
    etags: dict[str, str] = {}
    with httpx.Client(headers=part.headers, timeout=30) as client:
        began = time.perf_counter()
        while time.perf_counter() < began + part.seconds:
            asked = time.perf_counter()
            answer = client.post(part.url, json={"ids": ids, "etags": etags})
            took_ms.append((time.perf_counter() - asked) * 1000)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert not [w for w in found["widgets"].values() if "error" in w], "a widget failed"
            etags = found["etags"]
            changed.append(len(found["widgets"]))
            time.sleep(max(POLL_EVERY_S - (time.perf_counter() - asked), 0))
    return took_ms[1:], changed[1:]


def _save(home: Home, history: History, number: int, kind: str) -> str:
    keys: dict[str, str] = {"key": plant.KEYS[number % 10]}
    if kind == "double":
        keys = {"primary_key": plant.KEYS[number % 10], "secondary_key": plant.KEYS[0]}
    spec: dict[str, Any] = {
        "type": kind,
        "title": f"{kind} {number}",
        "datasource_id": history.made.id,
        "device": history.day[number % len(history.day)],
        **keys,
    }
    if kind in ("line", "bar"):
        spec |= {"range": "24h"}
    answer = home.server.post("/v1/widgets", spec)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
