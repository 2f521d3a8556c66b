"""The embedded PostgreSQL of one data directory: started, kept running and stopped with this process.

Invariant: while an EmbeddedServer is started, its process holds the directory's lock and nothing else
works in the cluster. Nothing but the lock is needed to come back after any kind of end: whatever a
killed predecessor left is waited for or cleared away under it.
"""

import atexit
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from signal import SIGINT
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from twin.db.embedded import processes
from twin.db.embedded.account import Account, choose_account
from twin.db.embedded.cluster import PGDATA, SUPERUSER, ensure_cluster, write_configuration
from twin.db.embedded.config import HostFacts, configuration, render
from twin.db.embedded.errors import DataDirectoryError, EmbeddedServerError
from twin.db.embedded.host import memory_bytes
from twin.db.embedded.installation import Installation, find_installation
from twin.db.embedded.keeper import Keeper
from twin.db.embedded.launch import data_directory_argument, launch
from twin.db.embedded.lock import DirectoryLock
from twin.db.embedded.log import LOG_FILE, explain, log_tail, open_log
from twin.db.embedded.socket_folder import (
    PORT,
    make_socket_folder,
    remove_socket_folder,
    socket_folder_path,
    socket_url,
)

DATABASE = "twinfeed"

_CONNECT_PAUSE_S = 0.02


class EmbeddedServer:
    """A running PostgreSQL on a data directory. Made by `start`; also a context manager.

    A PostgreSQL that dies is started again within a second or two; `url` stays the same.
    """

    url: str
    """libpq URL of the database `twinfeed`, as superuser, over the Unix socket."""

    def __init__(
        self,
        data_dir: Path,
        lock: DirectoryLock,
        account: Account,
        *,
        max_connections: int,
        stop_timeout_s: float,
    ) -> None:
        self._data_dir = data_dir
        self._pgdata = data_dir / PGDATA
        self._lock = lock
        self._account = account
        self._max_connections = max_connections
        self._stop_timeout_s = stop_timeout_s
        self._socket_folder = socket_folder_path(data_dir, account)
        self._keeper: Keeper | None = None
        self._owner_pid = os.getpid()
        self._stop_lock = threading.Lock()
        self.url = self._url_of(DATABASE)

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *,
        max_connections: int = 100,
        start_timeout_s: float = 300.0,
        stop_timeout_s: float = 30.0,
    ) -> Self:
        """Start PostgreSQL on `data_dir`, created if missing, and wait until it answers.

        `start_timeout_s` is long because a start after a crash replays up to 4 GB of log. May be
        called from any thread. Raises DataDirectoryError when the directory cannot be used as it is,
        EmbeddedServerError when PostgreSQL does not start.
        """
        data_dir = Path(os.path.abspath(data_dir))
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            account = choose_account(data_dir / PGDATA)
            lock = DirectoryLock.acquire(data_dir)
        except OSError as error:
            raise _unusable(data_dir, error) from error
        server = cls(
            data_dir,
            lock,
            account,
            max_connections=max_connections,
            stop_timeout_s=stop_timeout_s,
        )
        try:
            server._start(find_installation(account), start_timeout_s)
        except BaseException as error:
            server.stop()
            if isinstance(error, OSError):
                raise _unusable(data_dir, error) from error
            raise
        atexit.register(server.stop)
        return server

    def stop(self) -> None:
        """Stop PostgreSQL (bounded, by force in the end) and give the directory back.

        Safe to call twice and from any thread; does nothing in a forked child.
        """
        if os.getpid() != self._owner_pid:
            return
        with self._stop_lock:
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.stop(fast_s=self._stop_timeout_s)
                remove_socket_folder(self._socket_folder)
            self._lock.release()
        atexit.unregister(self.stop)

    @property
    def restarts(self) -> int:
        """How often PostgreSQL died and was started again."""
        return self._keeper.restarts if self._keeper is not None else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, installation: Installation, timeout_s: float) -> None:
        self._clear_away_predecessor()
        ensure_cluster(self._data_dir, self._account, installation)
        facts = HostFacts(
            memory_bytes=memory_bytes(),
            disk_bytes=shutil.disk_usage(self._pgdata).total,
            has_lz4=installation.has_lz4,
        )
        settings = configuration(facts, max_connections=self._max_connections)
        write_configuration(self._pgdata, render(settings), self._account)
        make_socket_folder(self._socket_folder, self._account)
        log_path = self._data_dir / LOG_FILE
        log_start = log_path.stat().st_size if log_path.exists() else 0
        self._keeper = Keeper(
            lambda: self._launch(installation), self._clear_away_predecessor, self._data_dir
        )
        self._keeper.start()
        self._wait_until_ready(self._keeper, timeout_s, log_start)
        self._create_database()
        self._keeper.mark_ready()

    def _clear_away_predecessor(self) -> None:
        processes.settle(self._pgdata)
        processes.forget_stale_pid_file(self._pgdata)

    def _launch(self, installation: Installation) -> "subprocess.Popen[bytes]":
        command = [
            installation.program("postgres"),
            "-D",
            data_directory_argument(self._pgdata),
            # Here and not in the settings file: no ALTER SYSTEM may open the server to others.
            *("-c", "listen_addresses="),
            *("-c", f"port={PORT}"),
            *("-c", f"unix_socket_directories={self._socket_folder}"),
            *("-c", "unix_socket_permissions=0700"),
        ]
        with open_log(self._data_dir) as output:
            return launch(
                command,
                account=self._account,
                cwd=self._pgdata,
                output=output,
                death_signal=SIGINT,
            )

    def _wait_until_ready(self, keeper: Keeper, timeout_s: float, log_start: int) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            exit_code = keeper.exit_code
            try:
                psycopg.connect(self._url_of("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if exit_code is None and time.monotonic() < deadline:
                    time.sleep(_CONNECT_PAUSE_S)
                    continue
                tail = log_tail(self._data_dir, log_start)
                what = f"ended with {exit_code}" if exit_code is not None else "does not answer"
                raise EmbeddedServerError(
                    f"PostgreSQL on {self._data_dir} {what}: {explain(tail)}"
                    f"Its log, {self._data_dir / LOG_FILE}, ends:\n{tail or error}"
                ) from None

    def _create_database(self) -> None:
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _url_of(self, database: str) -> str:
        return socket_url(str(self._socket_folder), PORT, user=SUPERUSER, database=database)


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that another process runs on `data_dir`, or None when there is none.

    Raises DataDirectoryError when this user may not look into the directory.
    """
    pgdata = Path(os.path.abspath(data_dir)) / PGDATA
    try:
        pid_file = processes.read_pid_file(pgdata)
        if (
            pid_file is None
            or not pid_file.ready
            or pid_file.pid not in processes.working_in(pgdata)
        ):
            return None
    except OSError as error:
        raise _unusable(data_dir, error) from error
    return socket_url(pid_file.socket_dir, pid_file.port, user=SUPERUSER, database=DATABASE)


def _unusable(data_dir: Path, error: OSError) -> DataDirectoryError:
    where = f" ({error.filename})" if error.filename else ""
    return DataDirectoryError(
        f"The data directory {data_dir} cannot be used: {error.strerror or error}{where}. Check its "
        "owner and permissions and the free space, or choose another one with --data-dir."
    )
