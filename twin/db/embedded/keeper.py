"""Owns the PostgreSQL process: one thread starts it, watches it and starts it again when it dies.

The kernel's death signal (see launch.py) fires when the starting thread ends. So one thread does all
the starting and lives until the server stops, whichever thread called for the server.
"""

import logging
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT

from twin.db.embedded.errors import EmbeddedServerError
from twin.db.embedded.log import bound_log

_LOG = logging.getLogger(__name__)

# How soon a death is noticed; asking costs a microsecond.
_WATCH_S = 0.2
_LOG_CHECK_EVERY = 25  # watches
# A database that cannot start (full disk) is tried again for ever, but not often.
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
# One that ran this long was healthy: the next pause is the first again.
_HEALTHY_WATCHES = 300

Start = Callable[[], "subprocess.Popen[bytes]"]


class Keeper:
    """Keeps one postmaster running from `start` until `stop`.

    `start` makes the process; `recover` clears away what a dead one left before the next start.
    """

    def __init__(self, start: Start, recover: Callable[[], None], data_dir: Path) -> None:
        self._start = start
        self._recover = recover
        self._data_dir = data_dir
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self.restarts = 0
        # A daemon: the interpreter waits for other threads before its atexit calls, which stop it.
        self._thread = threading.Thread(target=self._run, name="postgresql-keeper", daemon=True)

    def start(self) -> None:
        """Start the process for the first time. Raises what starting it raised."""
        self._thread.start()
        self._started.wait()
        if self._process is None:
            raise self._failure or EmbeddedServerError("PostgreSQL could not be started.")

    def mark_ready(self) -> None:
        """From now on a death is repaired by a new start; before, it is the caller's to report."""
        self._ready = True

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last process, None while it runs."""
        return self._process.poll() if self._process is not None else None

    def stop(self, *, fast_s: float, immediate_s: float = 5.0) -> None:
        """Stop PostgreSQL: fast shutdown, then immediate, then by force; wait for its end."""
        self._stopping.set()
        self._thread.join()
        process = self._process
        if process is None:
            return
        for force, patience_s in ((SIGINT, fast_s), (SIGQUIT, immediate_s), (SIGKILL, immediate_s)):
            if process.poll() is None:
                process.send_signal(force)
            try:
                process.wait(patience_s)
                return
            except subprocess.TimeoutExpired:
                _LOG.warning("PostgreSQL did not stop on %s in %.0f s", force.name, patience_s)
        raise EmbeddedServerError(f"PostgreSQL (process {process.pid}) does not end.")

    def _run(self) -> None:
        try:
            self._process = self._start()
        except (OSError, RuntimeError, subprocess.SubprocessError) as failure:
            self._failure = failure
            return
        finally:
            self._started.set()
        self._watch()

    def _watch(self) -> None:
        pause_s, watches = _FIRST_PAUSE_S, 0
        while not self._stopping.wait(_WATCH_S):
            watches += 1
            try:
                if watches % _LOG_CHECK_EVERY == 0:
                    bound_log(self._data_dir)
                if not self._ready or self.exit_code is None:
                    continue
                if watches > _HEALTHY_WATCHES:
                    pause_s = _FIRST_PAUSE_S
                _LOG.error("PostgreSQL ended with %s; starting it again", self.exit_code)
                if self._stopping.wait(pause_s):
                    return
                pause_s, watches = min(2 * pause_s, _LONGEST_PAUSE_S), 0
                self._recover()
                self._process = self._start()
                self.restarts += 1
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                _LOG.error("the embedded PostgreSQL: %s", error)
