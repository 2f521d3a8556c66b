"""Load (w): widgets over a plant's history (`history.py`), each question asked cold.

Cold: a reading is stored before every question, so that each one is computed. Server times are of the
server's own metric, between two looks at it. The reference is InfluxDB with the same day of the same
devices, and the same question asked the same way; it holds nothing else.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import httpx
import numpy as np

from tests.bench import history, influx, plant, scene
from tests.bench.generator import Load
from tests.bench.history import DAY_S, History
from tests.bench.home import Home
from tests.bench.options import Options
from tests.bench.polls import poll, server_ms
from tests.bench.report import Ratio, Table, Tables

COLD = 200
CONNECTIONS = 16
INFLUX_LINES = 5000
"""Points of a request while InfluxDB is filled."""
POLLS_GOAL = 5000


@dataclass(frozen=True)
class Asked:
    """A question, and the goals for its server time in ms (median, p99)."""

    name: str
    type: str
    params: str
    goals_ms: tuple[float, float | None]


def questions(filled: History, *, is_embedded: bool) -> list[Asked]:
    """Return what is asked."""
    day, year = f"device={filled.day[0]}", f"device={filled.year}"
    key = f"key={plant.KEYS[0]}"
    pair = f"primary_key={plant.KEYS[0]}&secondary_key={plant.KEYS[1]}"
    return [
        Asked(
            "line, 24 h of 1-s data, 300 points",
            "line",
            f"{key}&{day}&range=24h&points=300",
            (40, None) if is_embedded else (5, 15),
        ),
        Asked(
            f"line, {filled.year_days} days of 10-s data, 500 points",
            "line",
            f"{key}&{year}&range={filled.year_days}d&points=500",
            (15, 40),
        ),
        Asked("single", "single", f"{key}&{day}", (2, 6)),
        Asked("double", "double", f"{pair}&{day}", (2, 6)),
    ]


def measure(home: Home, options: Options) -> Tables:
    """Fill two datasources, ask everything; return the tables."""
    still = history.fill(home, "still", options.line_devices, 0)
    filled = history.fill(home, "history", options.line_devices, options.year_days)
    return measure_filled(home, filled, still, options)


def measure_filled(home: Home, filled: History, still: History, options: Options) -> Tables:
    """Return the tables of a history that is there."""
    history.extend(home, filled)
    asked = questions(filled, is_embedded=not history.is_timescale(home))
    parts = [cold(home, filled, asked), unchanged(home, filled, asked, options.seconds)]
    if influx.version():
        parts.append(against_influx(home, filled, asked[0], options.rounds))
    parts.append(scene.measure(home, filled, still, options.seconds * 6))
    return Tables(parts)


def cold(home: Home, filled: History, asked: list[Asked]) -> Table:
    """Ask every question COLD times, storing a reading before each."""
    table = Table(
        "Widgets, cold: time at the server",
        ["", "p50", "p99", "goal", "p50 at the client", "bytes"],
    )
    for question in asked:
        at_server, at_client, size = ask_cold(home, filled, question, COLD)
        goals = " / ".join(f"{goal:.0f}" for goal in question.goals_ms if goal)
        table.add(
            question.name,
            *(f"{np.percentile(at_server, p):.2f} ms" for p in (50, 99)),
            f"<= {goals} ms",
            f"{median(at_client):.2f} ms",
            f"{size:,}",
        )
    return table


def ask_cold(
    home: Home, filled: History, question: Asked, times: int
) -> tuple[list[float], list[float], int]:
    """Return the milliseconds at the server and at the client, and the bytes of the last answer."""
    path = f"/v1/data/{question.type}?datasource_id={filled.made.id}&{question.params}"
    client, auth = home.server.client, home.server.auth
    at_server, at_client, size = [], [], 0
    bodies = plant.single_bodies()
    for number in range(times):
        assert filled.made.post(bodies[number % len(bodies)]).status_code == 200
        before = server_ms(home)
        began = time.perf_counter()
        answer = client.get(path, headers=auth)
        at_client.append((time.perf_counter() - began) * 1000)
        at_server.append(server_ms(home) - before)
        assert answer.status_code == 200, answer.text
        size = len(answer.content)
    return at_server, at_client, size


def unchanged(home: Home, filled: History, asked: list[Asked], seconds: float) -> Table:
    """Poll what does not change, from many connections, and count what a core of the server does."""
    table = Table(
        f"Unchanged polls (304), {CONNECTIONS} connections",
        ["", "polls/s", "p50", "p99", "server CPU", "polls per core-second", "goal"],
    )
    for question in asked[::2]:
        path = f"/v1/data/{question.type}?datasource_id={filled.made.id}&{question.params}"
        tag = home.server.client.get(path, headers=home.server.auth).headers["etag"]
        headers = {**home.server.auth, "If-None-Match": tag}
        arguments = {"path": path, "headers": headers}
        load = Load(home.port, CONNECTIONS, seconds, poll, arguments, endless=True)
        outcome, used, _ = home.play(load)
        assert outcome.only(200, 304).statuses[304] > 0, dict(outcome.statuses)
        table.add(
            question.name,
            f"{outcome.per_second:,.0f}",
            f"{outcome.latency_ms(50):.2f} ms",
            f"{outcome.latency_ms(99):.2f} ms",
            f"{used.cpu_s:.1f} s",
            f"{len(outcome.latencies_s) / used.cpu_s:,.0f}",
            f">= {POLLS_GOAL:,}",
        )
    return table


def against_influx(home: Home, filled: History, question: Asked, rounds: int) -> Table:
    """Ask Twinfeed and InfluxDB for the same day in the same buckets, in turn."""
    ours: list[float] = []
    theirs: list[float] = []
    now_s = int(time.time())
    with influx.running() as (port, _), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        _fill_influx(client, filled.day, now_s)
        ask = _influx_question(client, filled.day[0], now_s)
        ask()
        for _ in range(rounds):
            ours.append(median(ask_cold(home, filled, question, COLD // 4)[1]))
            theirs.append(median(_timed(ask, COLD // 4)))
    ratio = Ratio(theirs, ours)
    table = Table(
        "The same day from InfluxDB: mean by 5 minutes over 24 h, at the client",
        ["", "p50", "times as fast"],
    )
    table.add("InfluxDB", f"{median(theirs):.2f} ms", "")
    table.add("Twinfeed, cold, with min and max", f"{median(ours):.2f} ms", str(ratio))
    table.notes = [f"Against InfluxDB: {ratio.against(3.0)}."]
    return table


def _fill_influx(client: httpx.Client, devices: list[str], now_s: int) -> None:
    for number, device in enumerate(devices):
        rows = plant.values(number, DAY_S).tolist()
        for first in range(0, DAY_S, INFLUX_LINES):
            lines = [
                f"{plant.line(device, row)} {now_s - DAY_S + first + i}"
                for i, row in enumerate(rows[first : first + INFLUX_LINES])
            ]
            answer = client.post("/write?db=bench&precision=s", content="\n".join(lines))
            assert answer.status_code == 204, answer.text


def _influx_question(client: httpx.Client, device: str, now_s: int) -> Callable[[], None]:
    query = (
        f"SELECT mean({plant.KEYS[0]}) FROM plant WHERE device = '{device}'"
        f" AND time >= {now_s - DAY_S}s AND time < {now_s}s GROUP BY time(5m)"
    )

    def ask() -> None:
        answer = client.get("/query", params={"db": "bench", "q": query})
        assert len(answer.json()["results"][0]["series"][0]["values"]) >= DAY_S // 300

    return ask


def _timed(ask: Callable[[], None], times: int) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return took
