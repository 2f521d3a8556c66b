"""Finds the PostgreSQL processes that work in a cluster's folder, and ends those nobody owns any more.

A process number in postmaster.pid proves nothing: it may have been given to another program since.
On Linux a process counts only if it is a `postgres` whose working directory is this very folder.
"""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from twin.db.embedded.errors import DataDirectoryError

PID_FILE = "postmaster.pid"

_PROGRAMS = ("postgres", "initdb")

# A fast shutdown writes all dirty pages first: seconds, or a minute on a slow disk.
_FAST_SHUTDOWN_S = 60.0
# An immediate one writes nothing; the next start replays the log.
_IMMEDIATE_SHUTDOWN_S = 5.0
_POLL_S = 0.02


@dataclass(frozen=True)
class PidFile:
    """The lines of postmaster.pid that matter here."""

    pid: int
    port: int
    socket_dir: str
    ready: bool


def read_pid_file(pgdata: Path) -> PidFile | None:
    """What postmaster.pid says, or None when there is none or it is still being written."""
    try:
        lines = (pgdata / PID_FILE).read_text(encoding="utf-8").splitlines()
        status = lines[7].strip() if len(lines) > 7 else ""
        return PidFile(int(lines[0]), int(lines[3]), lines[4], status == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def working_in(pgdata: Path) -> set[int]:
    """Process numbers of PostgreSQL at work in `pgdata`, without those we may not look at."""
    if sys.platform != "linux":
        return _named_by_pid_file(pgdata)
    try:
        folder = pgdata.stat()
    except FileNotFoundError:
        return set()
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            cwd = os.stat(f"/proc/{name}/cwd")
            if (cwd.st_dev, cwd.st_ino) != (folder.st_dev, folder.st_ino):
                continue
            # A program that was replaced meanwhile reads "postgres (deleted)".
            if os.path.basename(os.readlink(f"/proc/{name}/exe")).split()[0] in _PROGRAMS:
                found.add(int(name))
    return found


def settle(pgdata: Path) -> None:
    """Wait until no PostgreSQL works in `pgdata`, asking with growing force. The caller has the lock.

    Its server is gone, so it should be shutting down already. Raises DataDirectoryError when it stays.
    """
    steps = (
        (signal.SIGINT, _FAST_SHUTDOWN_S),
        (signal.SIGQUIT, _IMMEDIATE_SHUTDOWN_S),
        (signal.SIGKILL, _IMMEDIATE_SHUTDOWN_S),
    )
    for force, patience_s in steps:
        pids = working_in(pgdata)
        pid_file = read_pid_file(pgdata)
        postmaster = pid_file.pid if pid_file and pid_file.pid in pids else None
        if force is signal.SIGINT and postmaster is None:
            patience_s = _IMMEDIATE_SHUTDOWN_S  # orphans notice by themselves that it is gone
        else:
            send(pids if postmaster is None or force is signal.SIGKILL else {postmaster}, force)
        if _gone(pgdata, patience_s):
            return
    raise DataDirectoryError(
        f"Processes {sorted(working_in(pgdata))} still work in {pgdata} and do not end. "
        "End them, then start again."
    )


def forget_stale_pid_file(pgdata: Path) -> None:
    """Remove a postmaster.pid that would stop PostgreSQL from starting, and guards nothing.

    That is one cut short by a power failure, or one whose number belongs to another program now, which
    PostgreSQL would take for itself. Call after `settle`, under the directory's lock.
    """
    if sys.platform != "linux":
        return  # only there does `settle` know that nothing works in the folder any more
    pid_file = pgdata / PID_FILE
    try:
        os.kill(int(pid_file.read_text(encoding="utf-8").splitlines()[0]), 0)
    except (FileNotFoundError, ProcessLookupError):
        return  # PostgreSQL deals with a number nobody has
    except (IndexError, ValueError, OverflowError, PermissionError):
        pass
    pid_file.unlink()


def send(pids: set[int], force: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended meanwhile."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, force)


def _gone(pgdata: Path, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while working_in(pgdata):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _named_by_pid_file(pgdata: Path) -> set[int]:
    """Where there is no /proc: the postmaster alone, if its number is still in use."""
    pid_file = read_pid_file(pgdata)
    if pid_file is None:
        return set()
    try:
        os.kill(pid_file.pid, 0)
    except ProcessLookupError:
        return set()
    return {pid_file.pid}
