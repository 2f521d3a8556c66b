"""Load (f): what keys and limits cost single readings, and what many keys and organisations do."""

import time
from statistics import median

from tests.bench import plant
from tests.bench.generator import Outcome
from tests.bench.home import Home, ingest_load
from tests.bench.options import Options
from tests.bench.report import Ratio, Table
from tests.bench.usage import Used
from tests.support.server import Datasource
from twin.keys.secrets import digest, new_ingest_secret

CONNECTIONS = 64
WARM_S = 1.0
GOAL = 0.95
ORGANISATIONS = 1000
KEYS = 10_000
FAST = {"readings_per_second": 1e9, "bytes_per_second": 1e12}
"""Limits that are counted and never reached."""

Round = tuple[Outcome, Used, Used | None]
"""A load's outcome, and what server and database used."""

CROWD = """
WITH o AS (
    INSERT INTO organisations (tenant_id, name)
    SELECT 'bench_' || n, 'bench' FROM generate_series(1, %s) AS n RETURNING org_id
), k AS (
    INSERT INTO management_keys (key_id, org_id, environment, name, scopes)
    SELECT 'bench_' || org_id || '_' || n, org_id, 'live', 'bench', '{read}'
    FROM o, generate_series(1, %s) AS n RETURNING key_id
)
INSERT INTO management_secrets (secret_hash, key_id) SELECT sha256(key_id::bytea), key_id FROM k
"""


def measure(home: Home, options: Options) -> Table:
    """Alternate a datasource without limits and one with them, few keys and then many."""
    table = Table(
        "What limits and many keys cost single readings, 64 connections",
        ["", "requests/s", "of no limits", "p50", "p99", "CPU a request", "of no limits"],
    )
    free = home.plant_datasource("free")
    limited = home.plant_datasource("limited")
    changed = home.server.patch(f"/v1/datasources/{limited.id}", FAST)
    assert changed.status_code == 200, changed.text
    for made in (free, limited):
        _send(home, made, WARM_S)
    plain: list[Round] = []
    counted: list[Round] = []
    for _ in range(options.rounds):
        plain.append(_send(home, free, options.seconds))
        counted.append(_send(home, limited, options.seconds))
    home.run(CROWD, ORGANISATIONS, KEYS // ORGANISATIONS)
    home.run("SELECT tell('keys ')")  # nothing is known from before
    _send(home, free, WARM_S)
    crowded = [_send(home, free, options.seconds) for _ in range(options.rounds)]
    base = [_per_second(each) for each in plain]
    table.add("no limits", *_cells(plain, "1.00", "1.00"))
    for name, found in (
        ("readings and bytes limited", counted),
        (f"no limits, {KEYS:,} keys of {ORGANISATIONS:,} organisations", crowded),
    ):
        ratio = Ratio([_per_second(each) for each in found], base)
        cost = Ratio(list(map(_cpu_us, found)), list(map(_cpu_us, plain)))
        table.add(name, *_cells(found, str(ratio), str(cost)))
        table.notes.append(f"{name}: {ratio.against(GOAL)}.")
    check_us = key_check_us()
    share = check_us / median(map(_cpu_us, plain))
    table.notes.append(
        f"Looking a key up among {KEYS:,} that are known: {check_us:.2f} µs, {share:.1%} of a request's"
        " CPU; on a kept connection that is done once for equal heads. CPU: server and database."
    )
    table.notes.append(f"{options.rounds} rounds of {options.seconds:.0f} s, medians.")
    return table


def key_check_us() -> float:
    """Return what finding a presented key takes: its hash, and one look into a dict."""
    secrets = [new_ingest_secret().encode() for _ in range(KEYS)]
    known = {digest(secret): secret for secret in secrets}
    began = time.process_time()
    found = [known.get(digest(secret)) for secret in secrets]
    took_s = time.process_time() - began
    assert found == secrets
    return took_s / KEYS * 1e6


def _per_second(each: Round) -> float:
    return each[0].per_second


def _cpu_us(each: Round) -> float:
    """Return the processor time of server and database that a request took."""
    outcome, server, database = each
    cpu_s = server.cpu_s + (database.cpu_s if database else 0.0)
    return cpu_s / sum(outcome.statuses.values()) * 1e6


def _cells(rounds: list[Round], ratio: str, cost: str) -> list[str]:
    outcomes = [outcome for outcome, _, _ in rounds]
    return [
        f"{median(o.per_second for o in outcomes):,.0f}",
        ratio,
        f"{median(o.latency_ms(50) for o in outcomes):.1f} ms",
        f"{median(o.latency_ms(99) for o in outcomes):.1f} ms",
        f"{median(map(_cpu_us, rounds)):.0f} µs",
        cost,
    ]


def _send(home: Home, made: Datasource, seconds: float) -> Round:
    load = ingest_load(
        home,
        made,
        connections=CONNECTIONS,
        limit_s=seconds,
        make=plant.single_bodies,
        endless=True,
    )
    outcome, server, database = home.play(load)
    return outcome.only(200), server, database
