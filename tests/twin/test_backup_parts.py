"""What a backup and a restore do when something happens in the middle of them."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from twin.backup import archive
from twin.backup.dump import back_up
from twin.backup.load import check, restore
from twin.db.migrate import migrate
from twin.db.pool import conninfo
from twin.errors import StartupError
from twin.keys.bootstrap import bootstrap
from twin.settings import Settings

DAY = "2026-01-05T12:00:00Z"
"""Of a month's partition, or of a day's chunk."""


@pytest.fixture
def source(database_url: str) -> str:
    """A database with an organisation and a reading."""
    home = migrate(database_url).home
    bootstrap(database_url, None)
    with psycopg.connect(conninfo(database_url)) as conn:
        if home == "native":
            conn.execute(
                "CREATE TABLE readings_p202601 PARTITION OF readings"
                " FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z')"
            )
        conn.execute("INSERT INTO readings (stream_id, ts, v0) VALUES (1, %s, 1)", [DAY])
    return database_url


def no_key() -> str | None:
    return None


class Meddler:
    """Does something at the first line of progress."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == 1:
            self._act()


def test_what_is_written_meanwhile_is_left_out_and_nothing_can_be_dropped(
    source: str, tmp_path: Path
) -> None:
    def meddle() -> None:
        with psycopg.connect(conninfo(source), autocommit=True) as conn:
            conn.execute(
                "INSERT INTO readings (stream_id, ts, v0) VALUES (2, %s, 2), (3, %s, 3)", [DAY, DAY]
            )
            conn.execute("UPDATE organisations SET name = 'renamed'")
            conn.execute("SET lock_timeout = '50ms'")
            for (relation,) in conn.execute(
                "SELECT DISTINCT tableoid::regclass::text FROM readings"
            ).fetchall():
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    conn.execute(f"TRUNCATE {relation}".encode())

    made = back_up(source, tmp_path / "backup", no_key, Meddler(meddle))
    assert made.rows_total == 1
    names = b"".join(archive.read(tmp_path / "backup").blocks("organisations.copy.zst"))
    assert b"Default" in names
    assert b"renamed" not in names


def test_a_backup_that_breaks_off_leaves_nothing(source: str, tmp_path: Path) -> None:
    def meddle() -> None:
        assert (tmp_path / "backup.unfinished").exists()
        with psycopg.connect(conninfo(source), autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'twinfeed backup' AND datname = current_database()"
            )

    with pytest.raises(StartupError, match="broken off"):
        back_up(source, tmp_path / "backup", no_key, Meddler(meddle))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.one_home
def test_what_a_killed_backup_left_is_taken_over_and_a_working_one_is_not(tmp_path: Path) -> None:
    left = tmp_path / "backup.unfinished"
    left.mkdir()
    (left / "half").write_bytes(b"x")
    with archive.create(tmp_path / "backup") as writer:
        assert list(left.iterdir()) == []
        with pytest.raises(StartupError, match="Another backup"):
            archive.create(tmp_path / "backup").__enter__()
        writer.plain("file", b"content")
    assert not left.exists()
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["SHA256SUMS", "file"]


def test_a_restore_that_breaks_off_is_taken_for_no_database(
    source: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    back_up(source, tmp_path / "backup", no_key, Meddler(lambda: None))
    target, settings = new_database(), Settings(database_url="postgresql:///unused")
    found = check(tmp_path / "backup", settings, Meddler(lambda: None))

    def meddle() -> None:
        with psycopg.connect(target, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )

    with pytest.raises(StartupError, match="broken off"):
        restore(target, settings, found, Meddler(meddle))
    with pytest.raises(StartupError, match="did not finish"):
        migrate(target)
    with pytest.raises(StartupError, match="not empty"):
        restore(target, settings, found, Meddler(lambda: None))
    with pytest.raises(StartupError, match="did not finish"):
        back_up(target, tmp_path / "of nothing", no_key, Meddler(lambda: None))


def test_a_newer_database_says_so(source: str, tmp_path: Path) -> None:
    with psycopg.connect(conninfo(source)) as conn:
        conn.execute("INSERT INTO migrations (version, name, digest) VALUES (9999, 'later', 'x')")
    back_up(source, tmp_path / "backup", no_key, Meddler(lambda: None))
    with pytest.raises(StartupError, match="made by a newer Twinfeed"):
        check(tmp_path / "backup", Settings(), Meddler(lambda: None))
