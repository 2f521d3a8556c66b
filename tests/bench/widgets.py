"""Load (w): widgets over a plant's history (`history.py`), each question asked cold and asked again.

Cold: nobody asked the same before, of this device and key. Again: it was asked, and a reading was stored
since, so that it is computed, but closed buckets are not read anew. A reading is stored before every
question of either kind. Server times are of the server's own metric, between two looks at it. The
reference is InfluxDB with the same day of the same devices, and the same questions asked the same way;
it holds nothing else.
"""

import time
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
    params: list[str]
    """Of devices and keys, each to be asked once as cold."""
    goals_ms: tuple[float, float | None]


def questions(filled: History, *, is_embedded: bool) -> list[Asked]:
    """Return what is asked."""
    year, days = filled.year, filled.year_days
    return [
        Asked(
            "line, 24 h of 1-s data, 300 points",
            "line",
            [f"{params}&range=24h&points=300" for params in _day(filled)],
            (40, None) if is_embedded else (5, 15),
        ),
        Asked(
            f"line, {days} days of 10-s data, 500 points",
            "line",
            [
                f"key={key}&device={year}&agg={agg}&range={days}d&points=500"
                for agg in ("avg", "sum", "min", "max", "count")
                for key in plant.KEYS
            ],
            (15, 40),
        ),
        Asked("single", "single", _day(filled), (2, 6)),
        Asked(
            "double",
            "double",
            [
                f"primary_key={key}&secondary_key={plant.KEYS[0]}&device={device}"
                for device in filled.day
                for key in plant.KEYS[1:]
            ],
            (2, 6),
        ),
    ]


def _day(filled: History) -> list[str]:
    return [f"key={key}&device={device}" for device in filled.day for key in plant.KEYS]


def measure(home: Home, options: Options) -> Tables:
    """Fill two datasources, ask everything; return the tables."""
    still = history.fill(home, "still", options.line_devices, 0)
    filled = history.fill(home, "history", options.line_devices, options.year_days)
    return measure_filled(home, filled, still, options)


def measure_filled(home: Home, filled: History, still: History, options: Options) -> Tables:
    """Return the tables of a history that is there."""
    history.extend(home, filled)
    history.extend(home, still, len(still.day))
    asked = questions(filled, is_embedded=not history.is_timescale(home))
    parts = [cold(home, filled, asked), unchanged(home, filled, asked, options.seconds)]
    if influx.version():
        parts.append(against_influx(home, still, asked[0], options.rounds))
    parts.append(scene.measure(home, filled, still, options.seconds * 6))
    return Tables(parts)


def cold(home: Home, filled: History, asked: list[Asked]) -> Table:
    """Ask every question of each device and key once, then the first of them COLD times again."""
    table = Table(
        "Widgets: time at the server",
        ["", "asked", "p50", "p99", "goal", "p50 at the client", "bytes"],
    )
    for question in asked:
        goals = " / ".join(f"{goal:.0f}" for goal in question.goals_ms if goal)
        first = question.params[0]
        for how, params in (("cold", question.params), ("again", [first] * COLD)):
            at_server, at_client, size = ask(home, filled, question.type, params)
            table.add(
                f"{question.name}, {how}",
                str(len(params)),
                *(f"{np.percentile(at_server, p):.2f} ms" for p in (50, 99)),
                f"<= {goals} ms",
                f"{median(at_client):.2f} ms",
                f"{size:,}",
            )
    return table


def ask(
    home: Home, filled: History, type_: str, asked: list[str]
) -> tuple[list[float], list[float], int]:
    """Return the milliseconds at the server and at the client, and the bytes of the last answer."""
    client, auth = home.server.client, home.server.auth
    at_server, at_client, size = [], [], 0
    bodies = plant.single_bodies()
    for number, params in enumerate(asked):
        path = f"/v1/data/{type_}?datasource_id={filled.made.id}&{params}"
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
        path = f"/v1/data/{question.type}?datasource_id={filled.made.id}&{question.params[0]}"
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


def against_influx(home: Home, still: History, question: Asked, rounds: int) -> Table:
    """Ask Twinfeed and InfluxDB for the same days in the same buckets, in turn."""
    cold_ms: list[float] = []
    again_ms: list[float] = []
    theirs: list[float] = []
    now_s = int(time.time())
    with influx.running() as (port, _), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        _fill_influx(client, still.day, now_s)
        pairs = [(device, key) for device in still.day for key in plant.KEYS]
        _ask_influx(client, *pairs[0], now_s)
        for number in range(rounds):
            params, places = question.params[number::rounds], pairs[number::rounds]
            cold_ms.append(median(ask(home, still, "line", params)[1]))
            again_ms.append(median(ask(home, still, "line", params)[1]))
            theirs.append(median(_ask_influx(client, *place, now_s) for place in places))
    table = Table(
        "The same day from InfluxDB: mean by 5 minutes over 24 h, at the client",
        ["", "p50", "times as fast"],
    )
    table.add("InfluxDB", f"{median(theirs):.2f} ms", "")
    for how, ours in (("cold", cold_ms), ("again", again_ms)):
        ratio = Ratio(theirs, ours)
        table.add(f"Twinfeed, {how}, with min and max", f"{median(ours):.2f} ms", str(ratio))
        table.notes.append(f"Against InfluxDB, {how}: {ratio.against(3.0)}.")
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


def _ask_influx(client: httpx.Client, device: str, key: str, now_s: int) -> float:
    """Return the milliseconds that an answer takes."""
    query = (
        f"SELECT mean({key}) FROM plant WHERE device = '{device}'"
        f" AND time >= {now_s - DAY_S}s AND time < {now_s}s GROUP BY time(5m)"
    )
    began = time.perf_counter()
    answer = client.get("/query", params={"db": "bench", "q": query})
    took_ms = (time.perf_counter() - began) * 1000
    assert len(answer.json()["results"][0]["series"][0]["values"]) >= DAY_S // 300
    return took_ms
