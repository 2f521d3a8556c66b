"""Ordered, immutable migrations, applied under an advisory lock.

A file is `NNNN_name.sql` for every home or `NNNN_name.<home>.sql` for one of them. Each is applied in
a transaction of its own and recorded with the SHA-256 of its text: an edited file is refused.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from twin.db.capabilities import Capabilities, Home, detect
from twin.db.queries import load
from twin.db.wall import raise_wall
from twin.errors import StartupError

SCHEMA = "twinfeed"
ATTEMPTS = 5
"""For a migration that deadlocks with servers at work; PostgreSQL waits a second before it says so."""
LOCK_KEY = 0x7477696E66656564  # "twinfeed": serialises servers that start at once
_FILE = re.compile(r"^(\d{4})_(\w+)(?:\.(native|timescale|community))?\.sql$")


class Migration(msgspec.Struct, frozen=True, order=True):
    """One migration file for a home."""

    version: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """The SHA-256 of the file's text, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(home: Home) -> list[Migration]:
    """Return the migrations of a home in order. Raises ValueError for a doubled number."""
    found: dict[int, Migration] = {}
    for entry in (resources.files("twin.db") / "migrations").iterdir():
        match = _FILE.match(entry.name)
        if match is None or match[3] not in (None, home.value):
            continue
        migration = Migration(int(match[1]), match[2], entry.read_text("utf-8"))
        if migration.version in found:
            raise ValueError(f"migration {migration.version:04} exists twice for {home}")
        found[migration.version] = migration
    return sorted(found.values())


def migrate(url: str) -> Capabilities:
    """Bring the database at a URL up to date and return what it offers.

    Safe with several processes at once. Raises StartupError for a database that is newer than this
    program, whose applied migrations differ from ours, that a restore did not finish, or that cannot
    be reached.
    """
    try:
        with serialised(url) as conn:
            capabilities = _open(conn)
            row = conn.execute(load("twin", "backup")["is_unfinished"]).fetchone()
            if row is not None and row[0]:
                raise StartupError(
                    "A restore into this database did not finish: drop the database and create it "
                    "again (or remove the data directory), then run `twinfeed restore` again."
                )
            capabilities = _settle_home(conn, capabilities)
            _apply(conn, migrations(capabilities.home))
            return msgspec.structs.replace(capabilities, api_role=raise_wall(conn, SCHEMA))
    except psycopg.OperationalError as exc:
        reason = " ".join(str(exc).split())
        raise StartupError(f"The database cannot be reached: {reason}") from exc


@contextmanager
def serialised(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Give an autocommit session that changes the schema; no server starts meanwhile."""
    with psycopg.connect(url, autocommit=True) as conn:
        # A session lock: TimescaleDB refuses some DDL inside a transaction that holds others.
        conn.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        yield conn


def migrate_empty(conn: psycopg.Connection[tuple[Any, ...]], up_to: int) -> Capabilities:
    """Make the schema as the migrations up to a version leave it, marked as an unfinished restore.

    `conn` comes from `serialised`. Raises StartupError unless the schema is empty.
    """
    queries = load("twin", "backup")
    row = conn.execute(queries["is_empty"], [SCHEMA]).fetchone()
    if row is None or not row[0]:
        raise StartupError(
            "This database is not empty: a restore needs a new one (or a new --data-dir)."
        )
    found = _open(conn)
    conn.execute(queries["begin_restore"])
    capabilities = _settle_home(conn, found)
    _apply(conn, [one for one in migrations(capabilities.home) if one.version <= up_to])
    return capabilities


def _open(conn: psycopg.Connection[tuple[Any, ...]]) -> Capabilities:
    conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    capabilities = detect(conn)
    conn.execute(sql.SQL("SET search_path TO {}, public").format(sql.Identifier(SCHEMA)))
    return capabilities


def _settle_home(conn: psycopg.Connection[tuple[object, ...]], found: Capabilities) -> Capabilities:
    """Keep the home a database was made with: its tables have that shape."""
    conn.execute("CREATE TABLE IF NOT EXISTS home (home text NOT NULL)")
    row = conn.execute("SELECT home FROM home").fetchone()
    if row is None:
        conn.execute("INSERT INTO home VALUES (%s)", [found.home.value])
        return found
    made_as = Home(str(row[0]))
    if made_as is not Home.NATIVE and found.home is Home.NATIVE:
        raise StartupError(
            f"This database was made with TimescaleDB ({made_as}), which is not loaded now: "
            "add it to shared_preload_libraries again."
        )
    if made_as is Home.COMMUNITY and found.home is not Home.COMMUNITY:
        raise StartupError(
            "This database was made with TimescaleDB's community edition, and the server now runs "
            "the Apache edition: set timescaledb.license = 'timescale'."
        )
    return msgspec.structs.replace(found, home=made_as)


def _apply(conn: psycopg.Connection[tuple[object, ...]], wanted: list[Migration]) -> None:
    conn.execute(
        "CREATE TABLE IF NOT EXISTS migrations (version int PRIMARY KEY, name text NOT NULL,"
        " digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {
        int(str(version)): str(digest)
        for version, digest in conn.execute("SELECT version, digest FROM migrations").fetchall()
    }
    newest = max((m.version for m in wanted), default=0)
    if any(version > newest for version in applied):
        raise StartupError("This database was used by a newer Twinfeed: upgrade this one.")
    for migration in wanted:
        if migration.version in applied:
            if applied[migration.version] != migration.digest:
                raise StartupError(
                    f"Migration {migration.version:04} of this database differs from this program's."
                )
            continue
        _apply_one(conn, migration)


def _apply_one(conn: psycopg.Connection[tuple[object, ...]], migration: Migration) -> None:
    """Apply a migration, again when it met an older server that is still at work: a deadlock."""
    for attempt in range(ATTEMPTS):
        try:
            with conn.transaction():
                conn.execute(migration.text.encode())
                conn.execute(
                    "INSERT INTO migrations (version, name, digest) VALUES (%s, %s, %s)",
                    [migration.version, migration.name, migration.digest],
                )
        except psycopg.errors.DeadlockDetected:
            if attempt + 1 == ATTEMPTS:
                raise
        else:
            return
