"""A database with a datasource, filled without HTTP: readings go in as the writers put them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from twin.clock import to_datetime
from twin.db.migrate import migrate
from twin.db.partitions import Partitions
from twin.db.pool import AsyncConnection, conninfo
from twin.ground import Ground, open_ground
from twin.keys.bootstrap import bootstrap
from twin.principal import Principal
from twin.rollups import begin, mark_dirty
from twin.schema import DatasourceSchema, Wanted
from twin.settings import Settings
from widgets.rollup_job import refresh

Reading = tuple[str, int, dict[str, float]]
"""Device, time in µs, stored doubles by key."""


class Lab(msgspec.Struct, eq=False):
    """A worker's ground and ways to put things into its database."""

    ground: Ground
    principal: Principal

    async def datasource(
        self, kinds: dict[str, str], devices: Sequence[str] = ("",), timezone: str = "UTC"
    ) -> DatasourceSchema:
        """Make a datasource with keys and devices."""
        id_ = uuid4()
        told = asyncio.Event()
        self.ground.notifier.subscribe("schema", lambda _payload: told.set())
        async with self.ground.pool.everyone() as conn:
            await conn.execute(
                "INSERT INTO datasources (id, org_id, environment, name, timezone)"
                " VALUES (%s, %s, %s, 'plant', %s)",
                [id_, self.principal.org_id, self.principal.environment, timezone],
            )
        schema = await self.ground.schemas.get(id_, self.principal)
        wanted = Wanted()
        wanted.kinds = dict(kinds)  # type: ignore[arg-type]
        pages = (len(kinds) + 15) // 16
        wanted.streams = {(device, page): None for device in devices for page in range(pages)}
        await self.ground.schemas.learn(schema, wanted)
        await told.wait()  # our own notification moves the version once more
        return await self.ground.schemas.get(id_, self.principal)

    def put(self, schema: DatasourceSchema, readings: Sequence[Reading]) -> None:
        """Store readings as a writer does, an older one of the same time merged over."""
        with psycopg.connect(conninfo(self.ground.database_url), autocommit=True) as conn:
            times = np.array([ts_us for _, ts_us, _ in readings], dtype=np.int64)
            if not self.ground.capabilities.hypertables:
                Partitions(self.ground.settings.max_partitions).ensure(conn, times)
            with conn.transaction():
                mark_us = begin(conn)
                streams = []
                log: list[Any] = []
                for device, ts_us, values in readings:
                    for page in sorted({schema.keys[key].page for key in values} | {0}):
                        stream = schema.stream(device, page)
                        columns = {
                            f"v{schema.keys[key].column}": value
                            for key, value in values.items()
                            if schema.keys[key].page == page
                        }
                        _upsert(conn, stream, ts_us, columns)
                        streams.append((stream, ts_us))
                own = {(schema.stream(device, 0), ts_us) for device, ts_us, _ in readings}
                (last, *more) = sorted(own, key=lambda place: place[::-1])[::-1][:2]
                for place in [last, *(more or [last])]:
                    log += [to_datetime(place[1]), place[0]]
                conn.execute(
                    "INSERT INTO ingest_log (datasource_no, readings, first_ts, last_ts,"
                    " newest_ts, newest_stream, second_ts, second_stream)"
                    " VALUES (%s, 0, %s, %s, %s, %s, %s, %s)",
                    [schema.no, log[0], log[0], *log],
                )
                mark_dirty(
                    conn,
                    np.array([s for s, _ in streams], dtype=np.int32),
                    np.array([t for _, t in streams], dtype=np.int64),
                    mark_us,
                )
        self.ground.versions.bump("data", schema.no)

    async def roll_up(self, now_us: int) -> None:
        """Run the rollup job as of a moment."""
        url = conninfo(self.ground.database_url)
        async with await AsyncConnection.connect(url, autocommit=True) as conn:
            await refresh(conn, self.ground.capabilities.home, now_us)

    async def fire(
        self,
        schema: DatasourceSchema,
        name: str,
        key: str,
        severity: str,
        since_us: int,
        device: str = "",
    ) -> UUID:
        """Put an alert rule that fires for a device into the tables, as the evaluator would."""
        id_ = uuid4()
        spec = {"severity": severity, "widget_color": "#f00", "icon": "flame"}
        moment = to_datetime(since_us)
        async with self.ground.pool.everyone() as conn, conn.transaction():
            cursor = await conn.execute(
                "INSERT INTO alert_rules (id, org_id, environment, datasource_no, name, key, spec)"
                " VALUES (%s, %s, 'live', %s, %s, %s, %s) RETURNING rule_no",
                [id_, schema.org_id, schema.no, name, key, Jsonb(spec)],
            )
            row = await cursor.fetchone()
            assert row is not None
            await conn.execute(
                "INSERT INTO alert_states"
                " (rule_no, datasource_no, device, state, since, last_ts, severity)"
                " VALUES (%s, %s, %s, 'firing', %s, %s, %s)",
                [row[0], schema.no, device, moment, moment, severity],
            )
            await conn.execute(
                "INSERT INTO alert_events (org_id, environment, rule_id, rule_name, datasource_no,"
                " device, key, from_state, to_state, severity, ts)"
                " VALUES (%s, 'live', %s, %s, %s, %s, %s, 'normal', 'firing', %s, %s)",
                [schema.org_id, id_, name, schema.no, device, key, severity, moment],
            )
        self.ground.versions.bump("alerts", schema.no)
        return id_


@asynccontextmanager
async def open_lab(
    database_url: str, versions: Path | None = None, **given: Any
) -> AsyncIterator[Lab]:
    """Open a lab on an empty or a used database; `versions`: shared by the labs of one host.

    `given`: settings that differ from the defaults."""
    capabilities = migrate(database_url)
    bootstrap(database_url, None)
    settings = Settings(database_url=database_url, **given)
    with psycopg.connect(conninfo(database_url)) as conn:
        row = conn.execute("SELECT org_id, tenant_id FROM organisations").fetchone()
    assert row is not None
    principal = Principal(row[0], row[1], "live", frozenset({"admin"}), "key_lab")
    async with open_ground(settings, database_url, capabilities, versions) as ground:
        yield Lab(ground, principal)


def _upsert(
    conn: psycopg.Connection[tuple[object, ...]], stream: int, ts_us: int, values: dict[str, float]
) -> None:
    columns = [sql.Identifier(name) for name in values]
    names = sql.SQL(", ").join([sql.Identifier("stream_id"), sql.Identifier("ts"), *columns])
    places = sql.SQL(", ").join([sql.Placeholder()] * (len(values) + 2))
    sets = [sql.SQL("{c} = excluded.{c}").format(c=column) for column in columns]
    action = sql.SQL("UPDATE SET ") + sql.SQL(", ").join(sets) if sets else sql.SQL("NOTHING")
    conn.execute(
        sql.SQL(
            "INSERT INTO readings ({names}) VALUES ({places})"
            " ON CONFLICT (stream_id, ts) DO {action}"
        ).format(names=names, places=places, action=action),
        [stream, to_datetime(ts_us), *values.values()],
    )
