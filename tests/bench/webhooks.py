"""Load (d): from sending a reading until the webhook that it causes has been received.

1,000 rules on the reading's datasource; half of them name one device each, half judge every device. One
reading at a time, each from a device of its own, so each fires once; receiver and sender share a clock.
"""

import asyncio
import time

import httpx
import numpy as np

from tests.bench import plant
from tests.bench.home import Home
from tests.bench.options import Options
from tests.bench.report import Table
from tests.support.receiver import receiver
from tests.support.server import Datasource

RULES = 1000
GOAL_MS = 100.0
HIGH = 1e6
PAUSE_S = 0.01
"""Between readings, so that none is helped by the one before being on its way."""


def measure(home: Home, options: Options) -> Table:
    """Create the rules, then send readings one by one."""
    made = home.plant_datasource("webhooks")
    answered, received = asyncio.run(_play(home, made, options.deliveries))
    table = Table(
        f"Reading to webhook, {RULES:,} rules", ["", "p50", "p99", "highest", "goal (p99)"]
    )
    table.add("POST to answer", *_cells(answered), "")
    table.add("POST to webhook received", *_cells(received), f"<= {GOAL_MS:.0f} ms")
    table.notes = [f"{options.deliveries} readings, one at a time, each fires a rule."]
    return table


async def _play(home: Home, made: Datasource, deliveries: int) -> tuple[list[float], list[float]]:
    """Return ms until the answer and until the webhook, of each reading."""
    answered, received = [], []
    async with receiver() as hook:
        _make_rules(home, made, hook.url)
        headers = {"Authorization": f"Bearer {made.key}"}
        async with httpx.AsyncClient(headers=headers) as client:
            for count, device in enumerate(plant.device_names()[:deliveries], 1):
                began = time.perf_counter()
                body = {"device": device, plant.KEYS[0]: HIGH * 2}
                answer = await client.post(made.url, json=body)
                answered.append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
                got = await hook.wait(count)
                received.append((time.perf_counter() - began) * 1000)
                assert got[-1].json["alerts"][0]["labels"]["device"] == device
                await asyncio.sleep(PAUSE_S)
    return answered, received


def _make_rules(home: Home, made: Datasource, url: str) -> None:
    hook = home.server.post("/v1/webhooks", {"name": "bench", "url": url})
    assert hook.status_code == 201, hook.text
    names = plant.device_names()
    for number in range(RULES):
        rule = {
            "name": f"rule {number}",
            "datasource_id": made.id,
            "key": plant.KEYS[number % len(plant.KEYS)],
            "condition": "greater_than",
            "threshold": HIGH * 10,
            "severity": "warning",
        }
        if number == 0:  # the one that fires
            rule |= {"threshold": HIGH, "webhooks": [hook.json()["id"]]}
        elif number % 2:
            rule["device"] = names[number]
        answer = home.server.post("/v1/alerts", rule)
        assert answer.status_code == 201, answer.text


def _cells(took_ms: list[float]) -> list[str]:
    return [
        f"{np.percentile(took_ms, 50):.1f} ms",
        f"{np.percentile(took_ms, 99):.1f} ms",
        f"{max(took_ms):.1f} ms",
    ]
