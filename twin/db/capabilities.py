"""Which of the three homes a database is, found out once at start.

Only DDL and the choice of source relation depend on it.
"""

from enum import StrEnum

import msgspec
import psycopg

from twin.errors import StartupError

MIN_TIMESCALE_SERVER_VERSION = 150000
"""The oldest PostgreSQL below TimescaleDB that the SQL here allows for: 15."""
MIN_NATIVE_SERVER_VERSION = 180000
"""Native partitions need RETURNING old.* of PostgreSQL 18 to tell an insert from an update."""


class Home(StrEnum):
    """Where the readings live."""

    NATIVE = "native"
    TIMESCALE = "timescale"
    COMMUNITY = "community"


class Capabilities(msgspec.Struct, frozen=True):
    """What the database offers. Versions as the server prints them."""

    home: Home
    server_version: str
    timescaledb_version: str | None = None
    api_role: str | None = None
    """The role of API requests, bounded by row-level security; None where it could not be made."""

    @property
    def hypertables(self) -> bool:
        """Whether chunks are made by TimescaleDB rather than by twin/db/partitions.py."""
        return self.home is not Home.NATIVE

    @property
    def community(self) -> bool:
        """Whether the columnstore and continuous aggregates exist."""
        return self.home is Home.COMMUNITY


def detect(conn: psycopg.Connection[tuple[object, ...]]) -> Capabilities:
    """Return the capabilities of the connected database, creating the extension where offered.

    Raises StartupError when the server is too old.
    """
    server_version = str(conn.info.parameter_status("server_version"))
    row = conn.execute(
        "SELECT installed_version IS NOT NULL FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if row is not None and not row[0]:
        _create_extension(conn)
    row = conn.execute(
        "SELECT extversion, current_setting('timescaledb.license', true)"
        " FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    oldest = MIN_NATIVE_SERVER_VERSION if row is None else MIN_TIMESCALE_SERVER_VERSION
    if conn.info.server_version < oldest:
        what = "without TimescaleDB " if row is None else ""
        raise StartupError(
            f"PostgreSQL {server_version} {what}is too old: use {oldest // 10_000} or newer."
        )
    if row is None:
        return Capabilities(Home.NATIVE, server_version)
    home = Home.COMMUNITY if row[1] == "timescale" else Home.TIMESCALE
    return Capabilities(home, server_version, str(row[0]))


def _create_extension(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    """Create TimescaleDB; where the server has the files but does not preload it, stay native."""
    try:
        with conn.transaction():
            conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.InsufficientPrivilege):
        return
    except psycopg.OperationalError as exc:
        raise StartupError(f"TimescaleDB could not be created: {exc}") from exc
