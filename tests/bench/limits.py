"""Load (f): what limits cost single readings, and what many keys and organisations cost them."""

from statistics import median

from tests.bench import plant
from tests.bench.generator import Outcome
from tests.bench.home import Home, ingest_load
from tests.bench.options import Options
from tests.bench.report import Ratio, Table
from tests.support.server import Datasource

CONNECTIONS = 64
WARM_S = 1.0
GOAL = 0.95
ORGANISATIONS = 1000
KEYS = 10_000
FAST = {"readings_per_second": 1e9, "bytes_per_second": 1e12}
"""Limits that are counted and never reached."""

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
        ["", "requests/s", "of no limits", "p50", "p99"],
    )
    free = home.plant_datasource("free")
    limited = home.plant_datasource("limited")
    changed = home.server.patch(f"/v1/datasources/{limited.id}", FAST)
    assert changed.status_code == 200, changed.text
    for made in (free, limited):
        _send(home, made, WARM_S)
    plain: list[Outcome] = []
    counted: list[Outcome] = []
    for _ in range(options.rounds):
        plain.append(_send(home, free, options.seconds))
        counted.append(_send(home, limited, options.seconds))
    home.run(CROWD, ORGANISATIONS, KEYS // ORGANISATIONS)
    home.run("SELECT pg_notify('twinfeed', 'keys ')")  # nothing is known from before
    _send(home, free, WARM_S)
    crowded = [_send(home, free, options.seconds) for _ in range(options.rounds)]
    base = [outcome.per_second for outcome in plain]
    table.add("no limits", *_cells(plain, "1.00"))
    for name, found in (
        ("readings and bytes limited", counted),
        (f"no limits, {KEYS:,} keys of {ORGANISATIONS:,} organisations", crowded),
    ):
        ratio = Ratio([outcome.per_second for outcome in found], base)
        table.add(name, *_cells(found, str(ratio)))
        table.notes.append(f"{name}: {ratio.against(GOAL)}.")
    table.notes.append(f"{options.rounds} rounds of {options.seconds:.0f} s, medians.")
    return table


def _cells(outcomes: list[Outcome], ratio: str) -> list[str]:
    return [
        f"{median(o.per_second for o in outcomes):,.0f}",
        ratio,
        f"{median(o.latency_ms(50) for o in outcomes):.1f} ms",
        f"{median(o.latency_ms(99) for o in outcomes):.1f} ms",
    ]


def _send(home: Home, made: Datasource, seconds: float) -> Outcome:
    load = ingest_load(
        home,
        made,
        connections=CONNECTIONS,
        limit_s=seconds,
        make=plant.single_bodies,
        endless=True,
    )
    return home.play(load)[0].only(200)
