"""Load (g): what alert rules cost. Ingest beside 10,000 rules and without, and a million states.

Three datasources take the same load in turn: one without rules, two with ten rules for each device, none
of which fires. Those of the second are comparisons (one of a band, one that waits, one that escalates);
of the third two of each ten are a rate and a compound rule, which need the values before. The states
belong to ten rules for every device of a further datasource; one in a hundred is firing. On a busy
machine the CPU of server and database a request says more than the throughput.
"""

import time
from collections.abc import Callable
from statistics import median

import msgspec

from tests.bench import plant
from tests.bench.generator import Load
from tests.bench.home import Home, ingest_load
from tests.bench.options import Options
from tests.bench.report import Ratio, Table, Tables
from tests.support.server import Datasource

GOAL = 0.9
GOAL_MIB = 600
LIMIT_S = 60.0
HIGH = 1e9
BATCH_CONNECTIONS = 4
SINGLE_CONNECTIONS = 64
WARM_S = 1.0
WARM_BATCHES = 8
DEVICES = 100_000
BROAD_RULES = 10
WATCHED_S = 15.0
PAUSE_S = 0.02
STATES = DEVICES * BROAD_RULES
INSERT = (
    "INSERT INTO alert_rules (id, org_id, environment, datasource_no, name, key, device, spec)"
    " SELECT gen_random_uuid(), org_id, environment, datasource_no, 'rule', r.key, r.device,"
    "  r.spec::jsonb"
    " FROM datasources, unnest(%s::text[], %s::text[], %s::text[]) AS r (key, device, spec)"
    " WHERE id = %s"
)

Played = tuple[float, float]
"""Answers/s, and ms of CPU of server and database per answer."""
Specs = list[tuple[str, dict[str, object]]]
"""Key and spec of each of a device's rules."""
Send = Callable[[Datasource], Played]
"""Plays a load on a datasource."""


def measure(home: Home, options: Options) -> Tables:
    """Alternate ingest without and with rules; then load the states."""
    return Tables([_throughput(home, options), _memory(home)])


def _throughput(home: Home, options: Options) -> Table:
    made = [home.plant_datasource(name) for name in ("without", *RULES)]
    for watched, specs in zip(made[1:], RULES.values(), strict=True):
        rules = [(key, device, spec) for device in plant.device_names() for key, spec in specs]
        add_rules(home, watched, rules)
    columns = [cell for name in RULES for cell in (name, "share kept", "CPU a request")]
    table = Table("Ingest beside 10,000 rules", ["", "without rules", *columns])
    loads: dict[str, tuple[Send, Send, str]] = {
        "JSON batches": (
            lambda made: _batches(home, made, WARM_BATCHES),
            lambda made: _batches(home, made, options.batches),
            "values/s",
        ),
        "single readings": (
            lambda made: _singles(home, made, WARM_S),
            lambda made: _singles(home, made, options.seconds),
            "requests/s",
        ),
    }
    for name, (warm, send, unit) in loads.items():
        for one in made:
            warm(one)
        played = [[send(one) for one in made] for _ in range(options.rounds)]
        factor = plant.BATCH_VALUES if unit == "values/s" else 1
        kept = [[of[at][0] * factor for of in played] for at in range(len(made))]
        cpu_ms = [[of[at][1] for of in played] for at in range(len(made))]
        cells = [f"{median(kept[0]):,.0f}"]
        for at, rules_name in enumerate(RULES, 1):
            ratio = Ratio(kept[at], kept[0])
            cells += [f"{median(kept[at]):,.0f}", str(ratio), f"x {Ratio(cpu_ms[at], cpu_ms[0])}"]
            table.notes.append(f"{name}, {rules_name}: {ratio.against(GOAL)}.")
        table.add(f"{name}, {unit}", *cells)
    table.notes.append(
        f"{options.rounds} alternating rounds, medians; {plant.DEVICES:,} devices x "
        f"{len(plant.KEYS)} keys, ten rules each. No rule fires."
    )
    return table


def _comparisons() -> Specs:
    """Return the keys and specs of a device's ten comparisons."""
    above: dict[str, object] = {
        "condition": "greater_than",
        "threshold": HIGH,
        "severity": "warning",
    }
    band = {"condition": "outside", "threshold": -HIGH, "threshold_high": HIGH}
    steps = [{"severity": "critical", "threshold": 2 * HIGH}]
    more = {7: band, 8: {"for_seconds": 60}, 9: {"escalation": steps}}
    return [(key, above | more.get(at, {})) for at, key in enumerate(plant.KEYS)]


def _mixed() -> Specs:
    """Return the same with a rate and a compound rule in the places of two."""
    specs = _comparisons()
    specs[0] = plant.KEYS[0], {**specs[0][1], "condition": "rate_above"}
    parts = [{"key": k, "condition": "greater_than", "threshold": HIGH} for k in plant.KEYS[1:3]]
    specs[1] = plant.KEYS[1], {"all": parts, "severity": "warning"}
    return specs


RULES: dict[str, Specs] = {"comparisons": _comparisons(), "with rates and compound": _mixed()}


def add_rules(
    home: Home, made: Datasource, rules: list[tuple[str, str | None, dict[str, object]]]
) -> None:
    """Store rules; the last one through the API, which tells the server of all."""
    *most, (key, device, spec) = rules
    columns = [[k for k, _, _ in most], [d for _, d, _ in most]]
    specs = [msgspec.json.encode(s).decode() for _, _, s in most]
    home.run(INSERT, *columns, specs, made.id)
    rule = {"name": "rule", "datasource_id": made.id, "key": key, "device": device, **spec}
    answer = home.server.post("/v1/alerts", rule)
    assert answer.status_code == 201, answer.text


def _batches(home: Home, made: Datasource, count: int) -> Played:
    arguments = {"shape": "flat", "first_ms": plant.now_ms(), "count": count}
    load = ingest_load(
        home,
        made,
        connections=BATCH_CONNECTIONS,
        limit_s=LIMIT_S,
        make=plant.json_bodies,
        arguments=arguments,
    )
    return _play(home, load)


def _singles(home: Home, made: Datasource, seconds: float) -> Played:
    load = ingest_load(
        home,
        made,
        connections=SINGLE_CONNECTIONS,
        limit_s=seconds,
        make=plant.single_bodies,
        endless=True,
    )
    return _play(home, load)


def _play(home: Home, load: Load) -> Played:
    outcome, server, database = home.play(load)
    cpu_s = server.cpu_s + (database.cpu_s if database else 0.0)
    return outcome.only(200).per_second, cpu_s * 1000 / len(outcome.latencies_s)


def _memory(home: Home) -> Table:
    """Return what the server needs for the states, and how long a reading waits for them."""
    made = home.server.datasource("states")
    count = DEVICES // plant.BATCH_READINGS
    load = ingest_load(
        home,
        made,
        connections=2,
        limit_s=LIMIT_S,
        make=plant.spread_bodies,
        arguments={"devices": DEVICES, "first_ms": plant.now_ms(), "count": count},
    )
    _play(home, load)
    spec: dict[str, object] = {"condition": "greater_than", "threshold": HIGH, "severity": "info"}
    add_rules(home, made, [(key, None, spec) for key in plant.KEYS[:BROAD_RULES]])
    before = home.meter.resident_mib()
    _add_states(home, made)
    waits, other_waits = _waits(made, home.server.datasource("other"))
    after, peak = home.meter.resident_mib(), home.meter.end().peak_mib
    table = Table(
        f"{STATES:,} states of rules for devices",
        ["server before", "after", "peak", "a state", "first reading", "longest", "beside", "goal"],
    )
    table.add(
        f"{before:.0f} MiB",
        f"{after:.0f} MiB",
        f"{peak:.0f} MiB",
        f"{(after - before) * 1024 * 1024 / STATES:.0f} B",
        f"{waits[0]:.2f} s",
        f"{max(waits):.2f} s",
        f"{max(other_waits):.2f} s",
        f"<= {GOAL_MIB} MiB: {'reached' if peak <= GOAL_MIB else 'missed'}",
    )
    table.notes = [
        f"{BROAD_RULES} rules for every one of {DEVICES:,} devices. Before and after: all processes "
        "of the server, its database left out; peak: the largest of them since its start. The states "
        f"are loaded while single readings are sent for {WATCHED_S:.0f} s; beside: to another."
    ]
    return table


def _waits(made: Datasource, other: Datasource) -> tuple[list[float], list[float]]:
    """Return how long readings waited, of the datasource with the states and of another."""
    body = {"device": "device-0001", plant.KEYS[0]: 1.0}
    waits: tuple[list[float], list[float]] = ([], [])
    until = time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        for at, one in enumerate((made, other)):
            answer = one.post(body)
            assert answer.status_code == 200, answer.text
            waits[at].append(answer.elapsed.total_seconds())
        time.sleep(PAUSE_S)
    return waits


def _add_states(home: Home, made: Datasource) -> None:
    home.run(
        "INSERT INTO alert_states"
        " (rule_no, datasource_no, device, state, severity, since, last_ts, value, version)"
        " SELECT r.rule_no, r.datasource_no, s.device,"
        "  CASE WHEN n.fires THEN 'firing' ELSE 'normal' END, CASE WHEN n.fires THEN 'info' END,"
        "  now(), now(), 1, v.version + 1"
        " FROM datasources d JOIN alert_rules r USING (datasource_no)"
        " JOIN streams s USING (datasource_no) JOIN alert_versions v USING (datasource_no)"
        " CROSS JOIN LATERAL (SELECT s.stream_id %% 100 = 0 AS fires) AS n"
        " WHERE d.id = %s AND s.page = 0",
        made.id,
    )
    home.run(
        "UPDATE alert_versions SET version = version + 1 FROM datasources d"
        " WHERE d.datasource_no = alert_versions.datasource_no AND d.id = %s",
        made.id,
    )
