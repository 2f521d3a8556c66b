"""Load (e): a thousand transitions a second, and how soon a receiver hears of each.

Every request changes the state of some devices; the receiver groups by the rule's name. A transition's
time runs from the 200 that says it is committed (a call that is faster counts as 0) and, beside it, from
the moment the reading was sent; receiver and sender share a clock.
"""

import asyncio
import time
from datetime import UTC, datetime

import httpx
import numpy as np

from tests.bench import plant
from tests.bench.home import Home
from tests.bench.options import Options
from tests.bench.report import Table
from tests.support.receiver import Receiver, receiver
from tests.support.server import Datasource

RATE = 1000
BATCH = 20
GOALS = ("<= 20 ms", "<= 60 ms")
LIMIT = 1e6
Key = tuple[str, str, str]
"""(device, status, the reading's time)"""


def measure(home: Home, options: Options) -> Table:
    """Play the storm and return the latencies of its transitions."""
    made = home.plant_datasource("storms")
    committed, sent, calls = asyncio.run(_play(home, made, options.seconds))
    table = Table(f"{RATE:,} transitions/s to a grouped webhook", ["", "p50", "p99", "highest"])
    table.add("commit to received", *_cells(committed))
    table.add("sent to received", *_cells(sent))
    table.add("goal (commit to received)", *GOALS, "")
    table.notes = [f"{len(sent):,} transitions in {calls:,} calls, none missing."]
    return table


async def _play(
    home: Home, made: Datasource, seconds: float
) -> tuple[list[float], list[float], int]:
    """Return ms from commit and from sending to receipt of each transition, and the calls."""
    answered: dict[Key, float] = {}
    began: dict[Key, float] = {}
    start_s = int(time.time()) + 1  # newer than what the plant holds, or the readings would be late
    async with receiver() as hook:
        _make_rule(home, made, hook.url)
        headers = {"Authorization": f"Bearer {made.key}"}
        async with httpx.AsyncClient(headers=headers) as client:
            await _send(client, made, start_s, seconds, began, answered)
        received = await _all_received(hook, len(began))
    assert received.keys() == began.keys()
    return (
        [max(0.0, received[key] - at) * 1000 for key, at in answered.items()],
        [(received[key] - at) * 1000 for key, at in began.items()],
        len(hook.received),
    )


async def _send(
    client: httpx.AsyncClient,
    made: Datasource,
    start_s: int,
    seconds: float,
    began: dict[Key, float],
    answered: dict[Key, float],
) -> None:
    """Send at the rate, whether or not answers come: so a slow server is not spared."""
    devices = plant.device_names()
    start = time.perf_counter()
    requests: set[asyncio.Task[None]] = set()
    for number in range(round(seconds * RATE / BATCH)):
        await asyncio.sleep(max(0.0, start + number * BATCH / RATE - time.perf_counter()))
        first = number * BATCH
        chosen = [
            (devices[i % len(devices)], start_s + i // len(devices))
            for i in range(first, first + BATCH)
        ]
        requests.add(asyncio.create_task(_post(client, made, start_s, chosen, began, answered)))
    await asyncio.gather(*requests)


async def _post(
    client: httpx.AsyncClient,
    made: Datasource,
    start_s: int,
    chosen: list[tuple[str, int]],
    began: dict[Key, float],
    answered: dict[Key, float],
) -> None:
    keys = [
        (device, "resolved" if (ts_s - start_s) % 2 else "firing", _moment(ts_s))
        for device, ts_s in chosen
    ]
    body = [
        {"ts": ts_s, "device": d, plant.KEYS[0]: 0.0 if (ts_s - start_s) % 2 else 2 * LIMIT}
        for d, ts_s in chosen
    ]
    began.update(dict.fromkeys(keys, time.perf_counter()))
    answer = await client.post(made.url, json=body)
    assert answer.status_code == 200, answer.text
    answered.update(dict.fromkeys(keys, time.perf_counter()))


def _moment(ts_s: int) -> str:
    return datetime.fromtimestamp(ts_s, UTC).isoformat().replace("+00:00", "Z")


async def _all_received(hook: Receiver, count: int) -> dict[Key, float]:
    """Return when each transition was received first, once all were."""
    found: dict[Key, float] = {}
    read = 0
    async with asyncio.timeout(30):
        while len(found) < count:
            for request in hook.received[read:]:
                read += 1
                for alert in request.json["alerts"]:
                    fires = alert["status"] == "firing"
                    moment = alert["startsAt" if fires else "endsAt"]
                    key = (alert["labels"]["device"], alert["status"], moment)
                    found.setdefault(key, request.at_s)
            await asyncio.sleep(0.01)
    return found


def _make_rule(home: Home, made: Datasource, url: str) -> None:
    body = {"name": "storm", "url": url, "group_by": ["alertname"]}
    hook = home.server.post("/v1/webhooks", body)
    assert hook.status_code == 201, hook.text
    rule = {"name": "storm", "datasource_id": made.id, "key": plant.KEYS[0], "severity": "warning"}
    rule |= {"condition": "greater_than", "threshold": LIMIT, "webhooks": [hook.json()["id"]]}
    answer = home.server.post("/v1/alerts", rule)
    assert answer.status_code == 201, answer.text


def _cells(took_ms: list[float]) -> list[str]:
    return [
        f"{np.percentile(took_ms, 50):.1f} ms",
        f"{np.percentile(took_ms, 99):.1f} ms",
        f"{max(took_ms):.1f} ms",
    ]
