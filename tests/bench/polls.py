"""Load (c): widget polls. A line over 24 hours of readings a second apart, at 300 points.

Cold: a reading is stored before every poll, so that each one is computed. Unchanged: the poll carries
the ETag of the last answer. Times are the client's, over loopback, from the request to the answer's end.
"""

import time
from statistics import mean

import numpy as np

from tests.bench import plant
from tests.bench.generator import Load, Outcome, prepare, request
from tests.bench.home import PROCESS_GRACE_S, Home, ingest_load
from tests.bench.options import Options
from tests.bench.process import alone
from tests.bench.report import Table
from tests.support.server import Datasource

DAY_S = 86_400
CHUNK_S = 600
"""Seconds of history in a request."""
POINTS = 300
COLD_POLLS = 200
CONNECTIONS = 8
ROLLUP_WAIT_S = 120.0
COLD_GOAL_MS = 10.0
UNCHANGED_GOAL_MS = 1.0
ROUTE = 'route="/v1/data/{widget_type}"'


def measure(home: Home, options: Options) -> Table:
    """Load a day, wait for the rollups, poll."""
    made = home.server.datasource("polls")
    _load_day(home, made, options.line_devices)
    _wait_for_rollups(home)
    path = (
        f"/v1/data/line?datasource_id={made.id}&key={plant.KEYS[0]}&device=device-0000"
        f"&range=24h&points={POINTS}"
    )
    table = Table(
        f"Widget polls: 24-hour line of 1-s data at {POINTS} points",
        ["", "polls/s", "p50", "p99", "at the server (mean)", "generator CPU", "goal"],
    )
    _cold(home, made, path, table)
    tag = home.server.client.get(path, headers=home.server.auth).headers["etag"]
    for connections in (1, CONNECTIONS):
        outcome, at_server = _unchanged(home, path, tag, connections, options.seconds)
        table.add(
            f"unchanged (304), {connections} connection(s)",
            f"{outcome.per_second:,.0f}",
            f"{outcome.latency_ms(50):.2f} ms",
            f"{outcome.latency_ms(99):.2f} ms",
            f"{at_server:.2f} ms",
            f"{outcome.cpu_s:.1f} s",
            f"<= {UNCHANGED_GOAL_MS:.0f} ms" if connections == 1 else "",
        )
    table.notes = [
        f"{options.line_devices} device(s) with 10 keys and a day of readings each; cold polls one "
        "after the other, a reading stored before each."
    ]
    return table


def _cold(home: Home, made: Datasource, path: str, table: Table) -> None:
    client, auth = home.server.client, home.server.auth
    took, at_server = [], []
    body = plant.single_bodies()[0]
    for _ in range(COLD_POLLS):
        assert made.post(body).status_code == 200
        before = server_ms(home)
        began = time.perf_counter()
        answer = client.get(path, headers=auth)
        took.append(time.perf_counter() - began)
        at_server.append(server_ms(home) - before)
        assert answer.status_code == 200, answer.text
    assert len(answer.json()["labels"]) >= POINTS * 0.9, "the line is not a day long"
    table.add(
        "cold, 1 connection",
        f"{1 / mean(took):,.0f}",
        f"{np.percentile(took, 50) * 1000:.2f} ms",
        f"{np.percentile(took, 99) * 1000:.2f} ms",
        f"{mean(at_server):.2f} ms",
        "",
        f"<= {COLD_GOAL_MS:.0f} ms",
    )


def _unchanged(
    home: Home, path: str, tag: str, connections: int, seconds: float
) -> tuple[Outcome, float]:
    """Return the outcome and the server's mean time in ms."""
    headers = {**home.server.auth, "If-None-Match": tag}
    load = Load(
        home.port,
        connections,
        seconds,
        poll,
        {"path": path, "headers": headers},
        endless=True,
    )
    before = server_ms(home)
    outcome = alone(prepare, load, seconds + PROCESS_GRACE_S)
    polls = len(outcome.latencies_s)
    # The window moves on every few minutes: those polls are answered 200 with a new tag.
    assert outcome.statuses[304] > 0, dict(outcome.statuses)
    return outcome.only(200, 304), (server_ms(home) - before) / polls


def poll(path: str, headers: dict[str, str]) -> list[bytes]:
    """Return a poll."""
    return [request("GET", path, headers)]


def server_ms(home: Home) -> float:
    """Return the milliseconds that the server has spent on ad-hoc data so far."""
    prefix = f"twinfeed_http_request_seconds_sum{{{ROUTE}}}"
    for line in home.server.client.get("/metrics").text.splitlines():
        if line.startswith(prefix):
            return float(line.rsplit(" ", 1)[1]) * 1000
    return 0.0


def _load_day(home: Home, made: Datasource, devices: int) -> None:
    """Store a day of readings of some devices, all devices second by second, ending now."""
    load = ingest_load(
        home,
        made,
        connections=2,
        limit_s=120.0,
        make=plant.day_bodies,
        arguments={
            "devices": devices,
            "first_ms": plant.now_ms() - DAY_S * 1000,
            "seconds": DAY_S,
            "chunk_s": CHUNK_S,
        },
    )
    outcome, _, _ = home.play(load)
    assert len(outcome.only(200).latencies_s) == DAY_S // CHUNK_S, "the day was not stored in time"


def _wait_for_rollups(home: Home) -> None:
    """Return when no hour waits to be aggregated anew."""
    deadline = time.monotonic() + ROLLUP_WAIT_S
    while home.rows("SELECT 1 FROM rollup_dirty LIMIT 1"):
        assert time.monotonic() < deadline, "the rollups were not refreshed in time"
        time.sleep(0.5)
