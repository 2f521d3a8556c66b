"""A migration beside a server that is still at work."""

import threading

import psycopg
import pytest

from twin.db import migrate
from twin.db.pool import conninfo

NUMBER = 9999


def test_one_that_deadlocks_is_tried_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.migrate(database_url)
    text = "LOCK TABLE b; SELECT pg_sleep(0.3); LOCK TABLE a; CREATE TABLE c ()"
    late = [migrate.Migration(NUMBER, "late", text)]
    known = migrate.migrations
    monkeypatch.setattr(migrate, "migrations", lambda home: [*known(home), *late])
    with psycopg.connect(conninfo(database_url), autocommit=True) as server:
        server.execute("CREATE TABLE a ()")
        server.execute("CREATE TABLE b ()")
        server.execute("SET deadlock_timeout = '1min'")  # the migration is the one that notices
        locked = threading.Event()

        def work() -> None:
            with server.transaction():
                server.execute("LOCK TABLE a")
                locked.set()
                waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'b'::regclass AND granted"
                while server.execute(waiting).fetchone() == (0,):
                    pass
                server.execute("LOCK TABLE b")

        thread = threading.Thread(target=work)
        thread.start()
        assert locked.wait(10)
        migrate.migrate(database_url)
        thread.join(10)
        found = server.execute("SELECT count(*) FROM migrations WHERE version = %s", [NUMBER])
        assert found.fetchone() == (1,)
