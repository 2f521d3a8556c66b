"""One moment of a database, seen by one session, while others go on writing.

Invariant: what is read belongs to one snapshot, and nothing that it sees can be dropped or emptied
until the session ends. A snapshot does not protect from that by itself: expired partitions are dropped
and chunks emptied by compression for everyone at once. So everything is locked first (as a reader:
writers are not held up) and the snapshot taken after that.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import StartupError

ATTEMPTS = 20
"""Times that a new or dropped partition makes it begin anew: both happen some times a day."""
_NO_LIMITS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # Rows that this login may not see must be an error, not missing.
    "row_security": "off",
}
_queries = load("twin", "backup")


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """Give a session that reads one moment of the database. Raises StartupError, psycopg.Error."""
    with psycopg.connect(
        conninfo(url, application="twinfeed backup", **_NO_LIMITS), autocommit=True
    ) as conn:
        _check(conn)
        for _ in range(ATTEMPTS):
            if _begin(conn):
                yield conn
                return
            conn.rollback()
        raise StartupError("The database's partitions change too often for a backup: try again.")


def _check(conn: Connection) -> None:
    row = conn.execute(_queries["is_ours"]).fetchone()
    if row is None or not row[0]:
        raise StartupError("There is no Twinfeed in this database: nothing to back up.")
    row = conn.execute(_queries["is_unfinished"]).fetchone()
    if row is None or row[0]:
        raise StartupError(
            "A restore into this database did not finish: there is nothing whole in it."
        )


def _begin(conn: Connection) -> bool:
    """Open the transaction, lock, and take the snapshot; whether it sees only what is locked."""
    wanted = _relations(conn)
    conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        names = [sql.Identifier(*name) for name in sorted(wanted)]
        # LOCK takes no snapshot: the first query does.
        conn.execute(
            sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(names))
        )
    except (psycopg.errors.UndefinedTable, psycopg.errors.DeadlockDetected):
        return False
    return _relations(conn) <= wanted


def _relations(conn: Connection) -> set[tuple[str, str]]:
    return {
        (str(schema), str(name)) for schema, name in conn.execute(_queries["relations"]).fetchall()
    }
