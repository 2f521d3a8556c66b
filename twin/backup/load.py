"""Restores a backup into an empty database of any home.

The schema is first made as it was at the backup: the same migrations, of the new home. Then the rows
go in, then the migrations since. Invariant: until all of it is in, the table `unfinished_restore` stands
there, and neither a server nor another restore takes the database.
"""

from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

import psycopg
import zstandard
from psycopg import sql

from twin.backup import archive
from twin.backup.archive import Archive
from twin.backup.manifest import READINGS, Manifest, ReadingsPart, TablePart, check_migrations
from twin.clock import DAY_US, to_rfc3339
from twin.db.capabilities import Home
from twin.db.migrate import migrate, migrate_empty, serialised
from twin.db.partitions import Partitions
from twin.db.pool import Connection
from twin.db.queries import load
from twin.errors import StartupError, TwinfeedError
from twin.settings import Settings
from twin.vault import Vault, given_keys, kept_key, seal_anew, secret_keys

Say = Callable[[str], None]
_queries = load("twin", "backup")


def check(folder: Path, settings: Settings, say: Say) -> Archive:
    """Read a backup through and return it.

    Raises StartupError unless it is whole and these settings can restore it.
    """
    say(f"Checking {folder}")
    found = archive.read(folder)
    check_migrations(found.manifest)
    sample, key = found.manifest.sealed_sample, found.key()
    # A user may have copied the key's file into the new data directory.
    copied = None if settings.database_url else kept_key(settings, "")
    keys = [*given_keys(settings), *(one for one in (copied, key) if one)]
    if sample is not None:
        try:
            if not keys:
                raise ValueError
            Vault(keys).open(sample)
        except ValueError:
            raise StartupError(
                "The webhooks' secrets in this backup are sealed under a key that is not given: set "
                "TWINFEED_SECRET_KEY to the one of the server that was backed up."
            ) from None
    return found


def restore(url: str, settings: Settings, found: Archive, say: Say) -> None:
    """Put a checked backup into the empty database at `url`. `say` is told of progress.

    Raises StartupError; what was begun is then marked, and the message says what to do with it.
    """
    began = False
    try:
        with serialised(url) as conn:
            home = _begin(conn, found.manifest)
            began = True
            _load_tables(conn, found, say)
            key = found.key()
            seal_anew(url, Vault([*secret_keys(settings, url), *([key] if key else [])]))
            _load_readings(conn, home, found, settings.max_partitions, say)
            conn.execute(_queries["end_restore"])
    except StartupError as exc:
        raise _broken_off(exc) if began else exc from None
    except (psycopg.Error, TwinfeedError, zstandard.ZstdError, OSError) as exc:
        raise _broken_off(exc) from exc
    migrate(url)
    say(f"{found.manifest.rows_total:,} readings restored; twinfeed serve goes on from here")


def _broken_off(exc: Exception) -> StartupError:
    reason = " ".join(str(exc).split())
    return StartupError(
        f"The restore was broken off: {reason} If it began, what it wrote is of no use: drop the "
        "database and create it again (or remove the new data directory), then restore again."
    )


def _begin(conn: Connection, manifest: Manifest) -> Home:
    capabilities = migrate_empty(conn, manifest.newest_migration)
    conn.execute(b"SET statement_timeout = 0; SET timezone = 'UTC'; SET jit = off")
    return capabilities.home


def _load_tables(conn: Connection, found: Archive, say: Say) -> None:
    """Load everything but the readings, in one transaction, tables after those they refer to."""
    manifest = found.manifest
    order: TopologicalSorter[str] = TopologicalSorter()
    for part in manifest.tables:
        order.add(part.table)
    for table, other in conn.execute(_queries["references"]).fetchall():
        order.add(str(table), str(other))
    parts = {part.table: part for part in manifest.tables}
    with conn.transaction():
        for table in order.static_order():
            if table in parts:
                _load(conn, found, parts[table], table, parts[table].columns)
                say(f"{table}: {parts[table].rows:,} rows")
        for name, last in manifest.sequences.items():
            conn.execute(_queries["set_sequence"], [name, last])
        first_us = min((part.from_us for part in manifest.readings), default=None)
        if first_us is not None:
            conn.execute(_queries["set_rollup_mark"], {"mark_us": first_us // DAY_US * DAY_US})
    for part in manifest.tables:
        conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(part.table)))


def _load_readings(
    conn: Connection, home: Home, found: Archive, max_partitions: int, say: Say
) -> None:
    """Load the readings, a transaction a part: all in one would hold a lock for every partition."""
    parts = found.manifest.readings
    partitions = Partitions(max_partitions)
    for number, part in enumerate(parts, 1):
        if home is Home.NATIVE:
            days = range(part.from_us // DAY_US, (part.to_us - 1) // DAY_US + 1)
            partitions.ensure_days(conn, list(days))
        _load(conn, found, part, READINGS, found.manifest.readings_columns)
        say(f"readings from {to_rfc3339(part.from_us)}: {part.rows:,} ({number} of {len(parts)})")


def _load(
    conn: Connection,
    found: Archive,
    part: TablePart | ReadingsPart,
    table: str,
    columns: list[str],
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in found.blocks(part.file):
                copy.write(block)
        if cursor.rowcount != part.rows:
            raise StartupError(f"{part.file} held {cursor.rowcount} rows and not {part.rows}.")
