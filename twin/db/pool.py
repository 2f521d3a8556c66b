"""Connections: one way to say how every session of ours is set up."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from twin.db.migrate import SCHEMA
from twin.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]
AsyncPool = AsyncConnectionPool[AsyncConnection]

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


def open_pool(settings: Settings, url: str) -> AsyncPool:
    """Return a closed pool of autocommit connections; the caller opens it and closes it."""
    return AsyncConnectionPool(
        conninfo(url, statement_timeout=f"{settings.query_timeout_ms}ms"),
        connection_class=AsyncConnection,
        kwargs={"autocommit": True},
        min_size=1,
        max_size=settings.pool_size,
        max_waiting=settings.pool_size * 64,
        timeout=POOL_WAIT_S,
        reconnect_timeout=0.5,  # a request then gets its 503 while the next attempt starts anew
        open=False,
        name="readers",
    )
