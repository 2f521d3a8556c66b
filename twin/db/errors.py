"""The one place that turns driver errors into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool

from twin.errors import Conflict, DatabaseAway, InternalError, Invalid, Overloaded, TwinfeedError

_AWAY = (
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.LockNotAvailable,  # something holds a table for too long
    psycopg.errors.ReadOnlySqlTransaction,  # a primary that became a replica
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    psycopg_pool.PoolClosed,
)
_FULL = (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory, psycopg.errors.TooManyConnections)


def is_away(exc: BaseException) -> bool:
    """Return whether an error says that the database, not the statement, is at fault."""
    if isinstance(exc, psycopg.errors.QueryCanceled):
        return False
    if isinstance(exc, (*_AWAY, *_FULL)):
        return True
    # libpq reports a lost connection without an SQLSTATE.
    return isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None


def translate(exc: Exception) -> TwinfeedError:
    """Return our error for a driver's. Never carries SQL."""
    if isinstance(exc, psycopg.errors.QueryCanceled):
        return Invalid("The query took too long: choose a shorter range or a wider bucket.")
    if isinstance(exc, psycopg.errors.DiskFull):
        return DatabaseAway("The database's disk is full; nothing was stored.", retry_after_s=10)
    if isinstance(exc, psycopg_pool.TooManyRequests):
        return Overloaded(retry_after_s=1)
    if is_away(exc):
        return DatabaseAway()
    if isinstance(exc, psycopg.DataError) and exc.sqlstate is None:
        # The driver refuses to send it; everything else about a value was checked before.
        return Invalid("Text must not hold a NUL character.")
    if isinstance(exc, psycopg.errors.UniqueViolation):
        return Conflict()
    return InternalError()


@contextmanager
def driver_errors() -> Iterator[None]:
    """Translate driver errors that leave the block."""
    try:
        yield
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests) as exc:
        raise translate(exc) from exc
