"""A plant for tests: a datasource on a real database, and a writer as ingest has one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import psycopg

from alerts.history import EventFilter, History
from alerts.hook import AlertHook
from alerts.rules import NewRule
from alerts.store import RuleStore
from alerts.views import AlertView, EventView
from twin.batch import PAGE_SLOTS, Foreseen, Rows
from twin.clock import now_us, to_datetime
from twin.db.migrate import migrate
from twin.db.partitions import Partitions
from twin.db.pool import Connection, conninfo
from twin.ground import Ground, open_ground
from twin.principal import Principal
from twin.schema import DatasourceSchema, Wanted
from twin.settings import Settings

Reading = tuple[str, float, Mapping[str, float | bool | str]]
"""(device, seconds after the plant's start, values)."""

INSERT_ROW = (
    "INSERT INTO readings VALUES (" + ", ".join(["%s"] * (PAGE_SLOTS + 2)) + ")"
    " ON CONFLICT (stream_id, ts) DO UPDATE SET "
    + ", ".join(f"v{i} = coalesce(excluded.v{i}, readings.v{i})" for i in range(PAGE_SLOTS))
)


class Plant:
    """One datasource, one worker."""

    def __init__(
        self, ground: Ground, url: str, principal: Principal, schema: DatasourceSchema
    ) -> None:
        self.ground = ground
        self.url = url
        self.principal = principal
        self.schema = schema
        self.woken = 0
        self.checks_foresight = False
        """Whether to compare what each batch does with what the hook foresees; not beside others."""
        self.foreseen = 0
        self.hook = AlertHook(ground, self._wake)
        self.rules = RuleStore(ground, principal)
        self.start_us = now_us() // 1_000_000 * 1_000_000 - 3_600_000_000

    def _wake(self) -> None:
        self.woken += 1

    async def add_rule(self, condition: str, threshold: Any, **more: Any) -> AlertView:
        """Create a rule on ``temperature`` through the store, as the API does."""
        fields = {"name": "too hot", "key": "temperature", "severity": "critical", **more}
        given = {"datasource_id": self.schema.id, "condition": condition, "threshold": threshold}
        return await self.rules.create(msgspec.convert({**fields, **given}, NewRule))

    async def send(self, *readings: Reading, through: AlertHook | None = None) -> None:
        """Commit readings in one batch, with what they cause."""
        await self.send_and(lambda _conn: None, *readings, through=through)

    async def send_and(
        self,
        before_commit: Callable[[Connection], None],
        *readings: Reading,
        through: AlertHook | None = None,
    ) -> None:
        """Commit readings, doing something more in their transaction just before its end."""
        wanted = Wanted()
        for device, _, values in readings:
            if not self.schema.stream(device, 0):
                wanted.streams[device, 0] = None
            for key, value in values.items():
                if key not in self.schema.keys:
                    wanted.kinds[key] = kind_of(value)
                if isinstance(value, str) and value not in self.schema.label_codes:
                    wanted.labels[value] = None
        if wanted:
            await self.ground.schemas.learn(self.schema, wanted)
        hook = through or self.hook
        await asyncio.to_thread(self._write, hook, self._rows(readings), before_commit)

    def _rows(self, readings: tuple[Reading, ...]) -> Rows:
        merged: dict[tuple[int, int], np.ndarray] = {}  # as the writer does: the later value wins
        for device, seconds, given in readings:
            place = self.schema.stream(device, 0), self.start_us + round(seconds * 1_000_000)
            values = merged.setdefault(place, np.full(PAGE_SLOTS, np.nan))
            for key, value in given.items():
                coded = self.schema.label_codes[value] if isinstance(value, str) else value
                values[self.schema.keys[key].slot] = coded
        rows = [(*place, values) for place, values in sorted(merged.items(), key=lambda m: m[0])]
        return Rows(
            np.array([row[0] for row in rows], np.int32),
            np.array([row[1] for row in rows], np.int64),
            np.array([row[2] for row in rows]),
        )

    def _write(
        self, hook: AlertHook, rows: Rows, before_commit: Callable[[Connection], None]
    ) -> None:
        nos = [self.schema.no] if hook.wants(self.schema.no) else []
        with psycopg.connect(conninfo(self.url), autocommit=True) as conn:
            if not self.ground.capabilities.hypertables:
                Partitions(5000).ensure(conn, rows.ts_us)
            ending = None
            foreseen = hook.foresee(rows, nos) if nos and self.checks_foresight else None
            if foreseen is not None and foreseen.ending is not None:
                foreseen.ending.undone()
            try:
                with conn.transaction():
                    with conn.cursor() as cursor:
                        cursor.executemany(INSERT_ROW, [_row(rows, i) for i in range(len(rows))])
                    stands = foreseen is not None and _stands(conn, foreseen)
                    if nos:
                        with conn.transaction():
                            ending = hook.apply(conn, rows, nos)
                    if stands and foreseen is not None:
                        assert foreseen.versions == [self._version(conn)]
                        self.foreseen += 1
                    before_commit(conn)
            except BaseException:
                if ending is not None:
                    ending.undone()
                raise
            if ending is not None:
                ending.committed()

    def _version(self, conn: Connection) -> int:
        query = "SELECT version FROM alert_versions WHERE datasource_no = %s"
        row = conn.execute(query, [self.schema.no]).fetchone()
        return 0 if row is None else int(row[0])

    def seconds(self, event: EventView) -> float:
        """Return an event's time in seconds after the plant's start."""
        return (event.ts.timestamp() * 1_000_000 - self.start_us) / 1_000_000

    async def events(self, **wanted: Any) -> list[EventView]:
        """Return the history, oldest first."""
        items, _ = await History(self.ground, self.principal).page(EventFilter(**wanted), 100, 0)
        return items[::-1]

    async def told(self) -> list[tuple[str, float, str]]:
        """Return the history as (device, seconds, new state), oldest first."""
        return [(e.device, round(self.seconds(e), 3), e.state) for e in await self.events()]

    async def query(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run any query."""
        async with self.ground.pool.everyone() as conn:
            return await (await conn.execute(query.encode(), values)).fetchall()


def _stands(conn: Connection, foreseen: Foreseen) -> bool:
    """Return whether what was foreseen stands, as the transaction of a small batch asks."""
    of, stands = foreseen, False
    values = [of.lock_class, of.nos, of.versions, of.owners, of.removals]
    with suppress(psycopg.DatabaseError), conn.transaction():
        conn.execute("SELECT stand(%s, %s, %s, %s, %s)", values)
        stands = True
        raise psycopg.Rollback  # frees its locks
    return stands


def _row(rows: Rows, i: int) -> list[Any]:
    slots = [None if np.isnan(v) else float(v) for v in rows.values[i]]
    return [int(rows.stream_id[i]), to_datetime(int(rows.ts_us[i])), *slots]


def kind_of(value: float | bool | str) -> Any:
    """Return the kind that ingest would learn from a value."""
    return {bool: "boolean", str: "text"}.get(type(value), "number")


@asynccontextmanager
async def open_plant(url: str, **settings: Any) -> AsyncIterator[Plant]:
    """Open a plant on an empty database."""
    capabilities = await asyncio.to_thread(migrate, url)
    async with open_ground(Settings(**settings), url, capabilities) as ground:
        principal, datasource_id = await _first_datasource(ground)
        yield Plant(ground, url, principal, await ground.schemas.get(datasource_id, principal))


async def _first_datasource(ground: Ground) -> tuple[Principal, UUID]:
    async with ground.pool.everyone() as conn:
        cursor = await conn.execute(
            "INSERT INTO organisations (tenant_id, name) VALUES ('org_1', 'one') RETURNING org_id"
        )
        (org_id,) = await cursor.fetchone() or (0,)
        id_ = uuid4()
        await conn.execute(
            "INSERT INTO datasources (id, org_id, environment, name)"
            " VALUES (%s, %s, 'live', 'plant')",
            [id_, org_id],
        )
    scopes = frozenset({"admin"})
    return Principal(org_id, "org_1", "live", scopes, "key_1"), id_
