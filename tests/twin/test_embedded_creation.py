"""The embedded PostgreSQL on a directory it has not seen before: creation, settings, full disks."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from twin.db.embedded import DataDirectoryError, EmbeddedServer, EmbeddedServerError
from twin.db.embedded.processes import working_in

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0

START = (
    "import sys, pathlib, twin.db.embedded as e; e.EmbeddedServer.start(pathlib.Path(sys.argv[1]))"
)


def eventually(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def answer(url: str, query: str) -> list[object]:
    with psycopg.connect(url) as connection:
        return list(connection.execute(query).fetchone() or ())


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that the tests of the settings share; no server runs on it."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def server(created: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start(created) as server:
        yield server


def test_durable_local_and_independent_of_the_machines_locale(server: EmbeddedServer) -> None:
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "TimeZone": "UTC",
        "jit": "off",
        "max_connections": "100",
        "max_wal_size": "4GB",
        "server_encoding": "UTF8",
    }
    found = {name: answer(server.url, f"SELECT current_setting('{name}')")[0] for name in wanted}
    assert found == wanted
    query = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
    assert answer(server.url, query) == ["b", "C.UTF-8"]
    assert answer(server.url, "SELECT 'É' = upper('é'), 'Z' < 'a'") == [True, True]


def test_database_and_superuser(server: EmbeddedServer) -> None:
    query = (
        "SELECT current_database(), rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
    )
    assert answer(server.url, query) == ["twinfeed", "twinfeed", True]


def test_missing_database_is_created_again(created: Path) -> None:
    with EmbeddedServer.start(created) as server:
        url = server.url.replace("/twinfeed?", "/postgres?")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER DATABASE twinfeed RENAME TO other")
    with EmbeddedServer.start(created) as server:
        assert answer(server.url, "SELECT current_database()") == ["twinfeed"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP DATABASE twinfeed")
            connection.execute("ALTER DATABASE other RENAME TO twinfeed")


def test_alter_system_overrides_a_setting_but_never_opens_the_server(created: Path) -> None:
    with EmbeddedServer.start(created) as server, psycopg.connect(server.url, autocommit=True) as c:
        c.execute("ALTER SYSTEM SET work_mem = '7MB'")
        c.execute("ALTER SYSTEM SET listen_addresses = '127.0.0.1'")
    with EmbeddedServer.start(created) as server:
        query = "SELECT current_setting('work_mem'), current_setting('listen_addresses')"
        assert answer(server.url, query) == ["7MB", ""]
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET ALL")


def test_a_folder_that_is_no_cluster_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "holiday.jpg").write_text("precious")
    with pytest.raises(DataDirectoryError, match="no PostgreSQL cluster"):
        EmbeddedServer.start(tmp_path)
    assert (tmp_path / "pgdata" / "holiday.jpg").read_text() == "precious"


def test_creation_broken_off_midway_begins_again(tmp_path: Path) -> None:
    half = tmp_path / ".pgdata.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    (tmp_path / "pgdata").mkdir()
    with EmbeddedServer.start(tmp_path) as server:
        assert answer(server.url, "SELECT 1") == [1]
    assert not half.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_server_killed_while_it_creates_the_cluster(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE
    )
    half = tmp_path / ".pgdata.new"
    eventually(lambda: (half / "PG_VERSION").exists() or process.poll() is not None)
    process.kill()
    process.communicate()
    assert not (tmp_path / "pgdata").exists()
    with EmbeddedServer.start(tmp_path) as server:
        assert answer(server.url, "SELECT 1") == [1]


@contextlib.contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[None]:
    """A file system of that size on `folder`."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_disk_too_small_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path, 8):
        with pytest.raises(EmbeddedServerError, match="the disk is full"):
            EmbeddedServer.start(tmp_path)
        assert not (tmp_path / ".pgdata.new").exists()


def test_full_disk_loses_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    insert = "INSERT INTO readings SELECT i, repeat('x', 1000) FROM generate_series(1, 1000) AS i"
    batches = 0
    with small_disk(tmp_path, 160), EmbeddedServer.start(tmp_path) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE readings (number int, filling text)")
            with pytest.raises(psycopg.Error):
                while batches < 1000:
                    connection.execute(insert)
                    batches += 1
        subprocess.run(["mount", "-o", "remount,size=400m", str(tmp_path)], check=True)
        eventually(lambda: answers(server.url))
        assert answer(server.url, "SELECT count(*) FROM readings") == [1000 * batches]
        psycopg.connect(server.url, autocommit=True).execute(insert).connection.close()


def answers(url: str) -> bool:
    try:
        return answer(url, "SELECT 1") == [1]
    except psycopg.OperationalError:
        return False


def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryError, match=r"file.*cannot be used"):
        EmbeddedServer.start(tmp_path / "file" / "data")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")
def test_owner_of_an_existing_cluster_is_kept(tmp_path: Path) -> None:
    pgdata = tmp_path / "pgdata"
    pgdata.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(pgdata, nobody.pw_uid, nobody.pw_gid)
    for _ in range(2):
        with EmbeddedServer.start(tmp_path) as server:
            assert answer(server.url, "SELECT 1") == [1]
            uids = {os.stat(f"/proc/{pid}").st_uid for pid in working_in(pgdata)}
            assert uids == {nobody.pw_uid}
        assert pgdata.stat().st_uid == nobody.pw_uid
