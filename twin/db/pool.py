"""Connections: one way to say how every session of ours is set up."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from twin.db.migrate import SCHEMA
from twin.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_S = 5
"""A database that does not answer a connect in this time counts as away."""
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server behind a dead network counts as away after about 20 s, not after the kernel's 15 min."""
POOL_WAIT_S = 5.0
"""How long a request waits for a free connection before it is told 503."""
PREPARED_AFTER = 1
"""A statement is prepared when a session runs it again: reading the text of a line's took 0.25 of its
1.65 ms. It is planned each time all the same: the planner then sees the window that is asked about, and
leaves out partitions outside it."""


EVERYONE = {
    "alerts/clock.py": "a job: silence and schedules of all rules",
    "alerts/closing.py": "a job: alerts of deleted datasources, history past keeping",
    "alerts/outbox.py": "the delivery worker: whatever is due",
    "alerts/upkeep.py": "a job: alerts of devices without readings",
    "twin/keys/directory.py": "finds out whose a key is; the origins that any organisation allows",
    "twin/keys/usage.py": "a job: writes when which keys were used",
    "twin/limits/sync.py": "a job: counts, whoever's they are",
    "twin/notify.py": "sends notifications; reads nothing",
    "twin/organisations/store.py": "the operator makes organisations and lists all of them",
    "twin/sampling.py": "a job: figures of the whole server",
    "twin/schema/directory.py": "ingest, by the number in its key's grant; learning what it sent",
    "twin/sessions.py": "signs out by the cookie's secret, whoever's it is",
}
"""Who may see everything, and why. Whatever else serves a caller is bound to the caller."""


class Owned(Protocol):
    """A caller, or something that was found to be the caller's."""

    @property
    def org_id(self) -> int:
        """The organisation's number."""


class AsyncConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that knows for whom it was bound last; None: not known."""

    bound_to: str | None = None


Lent = AbstractAsyncContextManager[AsyncConnection]
"""A connection for a block; it waits for one for up to POOL_WAIT_S."""


class AsyncPool(AsyncConnectionPool[AsyncConnection]):
    """Connections of API requests: each is lent out for an organisation, for all, or for nobody.

    Invariant: a connection is bound before its borrower has it, and stays so until the next one. Row
    level security then bounds what it sees (twin/db/wall.py). A connection that was last bound to the
    same organisation costs no round trip.
    """

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[AsyncConnection]:
        """Lend a connection that sees nothing of any organisation; see `nobody`."""
        async with self._bound("", timeout) as conn:
            yield conn

    def nobody(self) -> Lent:
        """Lend a connection that sees no protected table's rows.

        For readings and rollups, which are reached by stream ids that were found to be the caller's.
        """
        return self._bound("", None)

    def bound(self, owner: Owned) -> Lent:
        """Lend a connection that sees what belongs to the organisation of a principal or a thing."""
        return self._bound(str(owner.org_id), None)

    def everyone(self) -> Lent:
        """Lend a connection that sees everything. Only for those in EVERYONE."""
        return self._bound("all", None)

    @asynccontextmanager
    async def _bound(self, org: str, timeout: float | None) -> AsyncIterator[AsyncConnection]:
        async with super().connection(timeout) as conn:
            if conn.bound_to != org:
                conn.bound_to = None
                await conn.execute("SELECT set_config('twinfeed.org', %s, false)", [org])
                conn.bound_to = org
            yield conn


def conninfo(url: str, *, application: str = "twinfeed", **options: str) -> str:
    """Return a connection string for a URL with our schema, UTC and session options set."""
    given: dict[str, Any] = dict(conninfo_to_dict(url))
    # Compiling the wide aggregates of the rollups costs more than it saves.
    wanted = {"search_path": f"{SCHEMA},public", "timezone": "UTC", "jit": "off", **options}
    parts = [str(given.pop("options", "") or "")]
    parts += [f"-c {name}={value}" for name, value in wanted.items()]
    given.setdefault("connect_timeout", CONNECT_TIMEOUT_S)
    given.setdefault("application_name", application)
    given = {**_KEEPALIVE, **given}
    return make_conninfo(options=" ".join(p for p in parts if p), **given)


def open_pool(settings: Settings, url: str, role: str | None) -> AsyncPool:
    """Return a closed pool of autocommit connections; the caller opens it and closes it.

    Its sessions run as `role`; None: as the login itself.
    """
    options = {
        "statement_timeout": f"{settings.query_timeout_ms}ms",
        "plan_cache_mode": "force_custom_plan",
    }
    if role is not None:
        options["role"] = role
    return AsyncPool(
        conninfo(url, **options),
        connection_class=AsyncConnection,
        kwargs={"autocommit": True, "prepare_threshold": PREPARED_AFTER},
        min_size=1,
        max_size=settings.pool_size,
        max_waiting=settings.pool_size * 64,
        timeout=POOL_WAIT_S,
        reconnect_timeout=0.5,  # a request then gets its 503 while the next attempt starts anew
        open=False,
        name="readers",
    )
