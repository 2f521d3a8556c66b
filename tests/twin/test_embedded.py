"""The embedded PostgreSQL, on real directories and with real signals."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
import pytest

from twin.db.embedded import DataDirectoryError, EmbeddedServer, EmbeddedServerError, running_url
from twin.db.embedded.processes import PID_FILE, PidFile, read_pid_file, working_in

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")

SERVE = """
import sys
from pathlib import Path
from twin.db.embedded import EmbeddedServer
with EmbeddedServer.start(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""

# More than 107 bytes (the limit of a socket's path), and what shells or configuration files trip over.
AWKWARD = "a folder's name, with spaces " + "x" * 110


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data directory for the module, below a parent that only its owner may enter."""
    parent = tmp_path_factory.mktemp("closed")
    parent.chmod(0o700)
    return parent / AWKWARD / "data"


@pytest.fixture(scope="module")
def created(data_dir: Path) -> Path:
    """The shared data directory, holding a stopped cluster."""
    EmbeddedServer.start(data_dir).stop()
    return data_dir


@pytest.fixture
def server(created: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start(created) as server:
        yield server


@dataclass
class User:
    """Somebody else to run as."""

    uid: int
    gid: int
    environment: dict[str, str]


class Serving:
    """Another process that serves `data_dir`, as another user if wanted, until the block ends."""

    def __init__(
        self, data_dir: Path, python: str = sys.executable, user: User | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", SERVE, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
            env=user.environment if user else None,
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        self.pid = self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def end(self) -> str:
        """Let it end by itself, and return what it complained about."""
        try:
            return self.process.communicate("", timeout=PATIENCE_S)[1]
        finally:
            self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()


def eventually(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def answer(url: str, query: str) -> list[object]:
    with psycopg.connect(url) as connection:
        return list(connection.execute(query).fetchone() or ())


def pid_file_of(data_dir: Path) -> PidFile:
    pid_file = read_pid_file(data_dir / "pgdata")
    assert pid_file is not None
    return pid_file


def postmaster(data_dir: Path) -> int:
    return pid_file_of(data_dir).pid


def test_socket_folder_is_private_and_removed(created: Path) -> None:
    with EmbeddedServer.start(created):
        folder = Path(pid_file_of(created).socket_dir)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder / ".s.PGSQL.5432")) < 107
    assert not folder.exists()


def test_restart_keeps_data_and_is_quick(created: Path) -> None:
    with EmbeddedServer.start(created) as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.commit()
    began = time.monotonic()
    with EmbeddedServer.start(created) as server:
        took_s = time.monotonic() - began
        assert answer(server.url, "SELECT answer FROM kept") == [42]
    assert took_s < 5  # 0.1 s on an idle machine


def test_not_in_the_terminals_session(server: EmbeddedServer, created: Path) -> None:
    assert os.getsid(postmaster(created)) != os.getsid(0)


def test_stop_twice(created: Path) -> None:
    server = EmbeddedServer.start(created)
    server.stop()
    server.stop()
    assert working_in(created / "pgdata") == set()


def test_forked_child_neither_stops_it_nor_keeps_the_lock(created: Path) -> None:
    read_end, write_end = os.pipe()
    server = EmbeddedServer.start(created)
    child = os.fork()
    if child == 0:
        os.close(write_end)
        server.stop()
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    try:
        assert answer(server.url, "SELECT 1") == [1]
        server.stop()
        EmbeddedServer.start(created).stop()
    finally:
        os.close(write_end)
        os.waitpid(child, 0)


def test_started_from_a_thread_that_ends(created: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        server = executor.submit(EmbeddedServer.start, created).result()
    with server:
        time.sleep(0.5)
        assert answer(server.url, "SELECT 1") == [1]
        assert server.restarts == 0


def test_second_server_is_told_who_holds_the_directory(created: Path) -> None:
    with Serving(created) as process:
        with pytest.raises(DataDirectoryError) as refused:
            EmbeddedServer.start(created)
        assert str(created) in str(refused.value)
        assert f"process {process.pid}." in str(refused.value)
        assert answer(process.url, "SELECT 1") == [1]


def test_running_url(created: Path) -> None:
    assert running_url(created) is None
    assert running_url(created.parent / "nothing") is None
    with Serving(created) as process:
        assert running_url(created) == process.url
    assert running_url(created) is None


def test_running_url_does_not_believe_a_reused_process_number(created: Path) -> None:
    pid_file = created / "pgdata" / PID_FILE
    lines = [str(os.getpid()), "/proc/self/cwd", "1", "5432", "/nowhere", "", "1 1", "ready   "]
    pid_file.write_text("\n".join(lines) + "\n")
    try:
        assert running_url(created) is None
    finally:
        pid_file.unlink()


@on_linux
@pytest.mark.parametrize("content", [None, "", "not a number\n"])
def test_stale_pid_file_does_not_stop_a_start(created: Path, content: str | None) -> None:
    owner = (created / "pgdata").stat().st_uid
    sleeper = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    pid_file = created / "pgdata" / PID_FILE
    try:
        stale = f"{sleeper.pid}\n/proc/self/cwd\n1\n5432\n/nowhere\n\n1 1\nready\n"
        pid_file.write_text(stale if content is None else content)
        os.chown(pid_file, owner, -1)
        with EmbeddedServer.start(created) as server:
            assert answer(server.url, "SELECT 1") == [1]
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@on_linux
def test_killed_server_takes_postgresql_along_and_loses_nothing(created: Path) -> None:
    with Serving(created) as process:
        with psycopg.connect(process.url) as connection:
            connection.execute("CREATE TABLE acknowledged AS SELECT 7 AS value")
            connection.commit()
            process.kill()
        eventually(lambda: not working_in(created / "pgdata"))
    with EmbeddedServer.start(created) as server:
        assert answer(server.url, "SELECT value FROM acknowledged") == [7]


@on_linux
def test_start_right_after_a_kill_waits_for_the_old_postgresql(created: Path) -> None:
    for _ in range(3):
        with Serving(created) as process:
            process.kill()
            with EmbeddedServer.start(created) as server:
                assert answer(server.url, "SELECT 1") == [1]


@on_linux
def test_postgresql_that_outlived_its_server_is_stopped(created: Path) -> None:
    with Serving(created) as process:
        old = postmaster(created)
        os.kill(old, signal.SIGSTOP)  # it cannot obey the death signal now
        process.kill()
        waker = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -CONT {old}"])
        with EmbeddedServer.start(created) as server:
            assert postmaster(created) != old
            assert answer(server.url, "SELECT 1") == [1]
        waker.wait()


@pytest.mark.parametrize("whole", [True, False])
def test_killed_postgresql_comes_back_at_the_same_url(created: Path, whole: bool) -> None:
    with EmbeddedServer.start(created) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS written (at timestamptz)")
            connection.execute("INSERT INTO written VALUES (now())")
            rows = answer(server.url, "SELECT count(*) FROM written")
            for pid in working_in(created / "pgdata") if whole else {postmaster(created)}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        eventually(lambda: server.restarts == 1)
        eventually(lambda: running_url(created) == server.url)
        assert answer(server.url, "SELECT count(*) FROM written") == rows


def test_another_major_version_is_refused_with_the_way_out(created: Path) -> None:
    version = created / "pgdata" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(DataDirectoryError, match=r"PostgreSQL 17.*18.*backup.*restore"):
            EmbeddedServer.start(created)
    finally:
        version.write_text("18\n")
    EmbeddedServer.start(created).stop()


def test_failed_start_shows_the_log_and_frees_the_directory(created: Path) -> None:
    conf = created / "pgdata" / "postgresql.conf"
    before = conf.read_text()
    conf.write_text(before + "no_such_setting = 1\n")
    try:
        with pytest.raises(EmbeddedServerError, match="no_such_setting"):
            EmbeddedServer.start(created)
    finally:
        conf.write_text(before)
    EmbeddedServer.start(created).stop()


@as_root
def test_root_gives_away_the_cluster_only(created: Path) -> None:
    assert (created / "pgdata").stat().st_uid != 0
    for folder in (created, created.parent, created.parent.parent):
        assert folder.stat().st_uid == 0
        assert folder.stat().st_mode & 0o777 in (0o700, 0o755)
    assert created.stat().st_mode & 0o777 == 0o700


@as_root
def test_cluster_copied_by_root_is_handed_over(created: Path, tmp_path: Path) -> None:
    shutil.copytree(created / "pgdata", tmp_path / "pgdata")
    with EmbeddedServer.start(tmp_path) as server:
        assert answer(server.url, "SELECT 1") == [1]


@as_root
def test_as_a_normal_user() -> None:
    entry = pwd.getpwnam("nobody")
    path = os.pathsep.join([str(ROOT), *site_packages()])
    nobody = User(entry.pw_uid, entry.pw_gid, {"PYTHONPATH": path})
    python = python_for(nobody)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        os.chown(home, nobody.uid, nobody.gid)
        data_dir = Path(home) / AWKWARD
        with Serving(data_dir, python, nobody) as process:
            assert answer(process.url, "SELECT current_user::text") == ["twinfeed"]
            assert os.stat(f"/proc/{postmaster(data_dir)}").st_uid == nobody.uid
            assert running_url(data_dir) == process.url
            process.kill()
            eventually(lambda: not working_in(data_dir / "pgdata"))
        with Serving(data_dir, python, nobody) as process:
            assert answer(process.url, "SELECT 1") == [1]
        os.chown(data_dir / "pgdata", 1, 1)
        assert "belongs to user" in Serving(data_dir, python, nobody).end()


def site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def python_for(user: User) -> str:
    """An interpreter of this version that `user` may start, with the packages of this one."""
    for path in dict.fromkeys([sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"]):
        with contextlib.suppress(OSError):
            probe = subprocess.run(
                [path, "-c", "import psycopg"],
                check=False,
                user=user.uid,
                extra_groups=[],
                capture_output=True,
                cwd="/",
                env=user.environment,
            )
            if probe.returncode == 0:
                return path
    pytest.skip("no interpreter that a normal user may start")
