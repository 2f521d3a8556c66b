"""Writes a backup: all tables of one snapshot, the readings span by span."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from twin import __version__
from twin.backup import archive
from twin.backup.manifest import (
    DERIVED,
    READINGS,
    Applied,
    Manifest,
    ReadingsPart,
    TablePart,
)
from twin.backup.snapshot import snapshot
from twin.clock import to_datetime, to_rfc3339
from twin.clock import to_us as us_of
from twin.db.capabilities import Home
from twin.db.pool import Connection
from twin.db.queries import load
from twin.errors import StartupError

Say = Callable[[str], None]
_queries = load("twin", "backup")
_spans = load("twin", "spans")


def back_up(url: str, target: Path, key: Callable[[], str | None], say: Say) -> Manifest:
    """Write all of the database at `url` to the new folder `target`; returns what was written.

    `key` gives that of sealed secrets, where the server made it itself. `say` is told of progress.
    Raises StartupError; then there is no such folder.
    """
    with archive.create(target) as writer:
        try:
            with snapshot(url) as conn:
                manifest = _dump(conn, writer, say)
        except psycopg.Error as exc:
            reason = " ".join(str(exc).split())
            raise StartupError(f"The backup was broken off: {reason}") from exc
        if (kept := key()) is not None:
            writer.plain(archive.KEY, f"{kept}\n".encode())
        writer.plain(archive.MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    say(f"{manifest.rows_total:,} readings, {writer.written_bytes / 1e6:,.1f} MB: {target}")
    return manifest


def _dump(conn: Connection, writer: archive.Writer, say: Say) -> Manifest:
    home = Home(str(_value(conn, _queries["home"])))
    columns = {
        str(table): [str(name) for name in names]
        for table, names in conn.execute(_queries["tables"]).fetchall()
    }
    sample = conn.execute(_queries["sealed_sample"]).fetchone()
    return Manifest(
        twinfeed=__version__,
        created_at=to_rfc3339(us_of(_value(conn, _queries["snapshot_time"]))),  # type: ignore[arg-type]
        home=home,
        server_version=str(conn.info.parameter_status("server_version")),
        migrations=[Applied(*row) for row in conn.execute(_queries["applied"]).fetchall()],
        tables=list(_dump_tables(conn, writer, columns, say)),
        readings_columns=columns[READINGS],
        readings=list(_dump_readings(conn, writer, home, columns[READINGS], say)),
        # They only grow, and are read after the rows: no number of theirs is given twice.
        sequences={str(name): int(last) for name, last in conn.execute(_queries["sequences"])},
        sealed_sample=None if sample is None else str(sample[0]),
    )


def _dump_tables(
    conn: Connection, writer: archive.Writer, columns: dict[str, list[str]], say: Say
) -> Iterator[TablePart]:
    for table in sorted(columns.keys() - DERIVED - {READINGS}):
        file = f"{table}.copy.zst"
        rows = _copy(conn, writer, file, _select(table, columns[table]))
        say(f"{table}: {rows:,} rows")
        yield TablePart(file, table, columns[table], rows)


def _dump_readings(
    conn: Connection, writer: archive.Writer, home: Home, columns: list[str], say: Say
) -> Iterator[ReadingsPart]:
    found = _ranges(conn, home)
    select = _select(READINGS, columns)
    for number, (from_us, to_us) in enumerate(found, 1):
        file = f"readings.{number:05}.copy.zst"
        span = _between(from_us, to_us)
        rows = _copy(conn, writer, file, sql.SQL("{} WHERE {}").format(select, span))
        if not rows:
            writer.forget(file)
            continue
        say(f"readings from {to_rfc3339(from_us)}: {rows:,} ({number} of {len(found)})")
        yield ReadingsPart(file, from_us, to_us, rows)


def _ranges(conn: Connection, home: Home) -> list[tuple[int, int]]:
    """Return ranges that hold every reading, each once: the bounds of spans cut the whole of time.

    Before the first and after the last there should be nothing; it is looked at all the same.
    """
    bounds = conn.execute(_spans["partitions" if home is Home.NATIVE else "chunks"]).fetchall()
    cuts = sorted({us_of(moment) for row in bounds for moment in row[2:]})
    ranges = list(pairwise(cuts))
    outside = [(None, cuts[0]), (cuts[-1], None)] if cuts else [(None, None)]
    for from_us, to_us in outside:
        least_and_most = sql.SQL("SELECT min(ts), max(ts) FROM readings WHERE {}")
        query = least_and_most.format(_between(from_us, to_us))
        row = conn.execute(query).fetchone()
        if row is not None and row[0] is not None:
            ranges.append((us_of(row[0]), us_of(row[1]) + 1))
    return ranges


def _between(from_us: int | None, to_us: int | None) -> sql.Composed:
    # Literals, so that the planner opens only the partition that is meant.
    begin = [] if from_us is None else [sql.SQL("ts >= {}").format(to_datetime(from_us))]
    end = [] if to_us is None else [sql.SQL("ts < {}").format(to_datetime(to_us))]
    return sql.SQL(" AND ").join([sql.SQL("true"), *begin, *end])


def _select(table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(table))


def _copy(conn: Connection, writer: archive.Writer, file: str, select: sql.Composed) -> int:
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(select)
    with closing(conn.cursor()) as cursor:
        with cursor.copy(statement) as copy:
            writer.rows(file, copy)
        return cursor.rowcount


def _value(conn: Connection, query: bytes) -> object:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]
