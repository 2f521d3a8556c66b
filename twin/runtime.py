"""What the main process hands to its workers: a directory that lives as long as it does."""

import ctypes
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from twin.db.capabilities import Capabilities
from twin.front.door import Door, FrontPlan
from twin.settings import Settings

VARIABLE = "TWINFEED_RUNTIME_DIR"
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client looks at it when it is imported, so the main process must not import it: workers
are forks."""
_PR_SET_PDEATHSIG = 1


class Runtime(msgspec.Struct, frozen=True):
    """Settings, database and shared files of a running server."""

    settings: Settings
    database_url: str
    capabilities: Capabilities
    directory: Path | None = None
    secret_keys: list[str] = []
    front: FrontPlan | None = None

    @property
    def versions_path(self) -> Path | None:
        """The file of shared versions, or None for one process on its own."""
        return self.directory / "versions" if self.directory else None

    @property
    def limits_path(self) -> Path | None:
        """The file of shared counters, likewise."""
        return self.directory / "limits" if self.directory else None


class _Saved(msgspec.Struct):
    main_pid: int
    database_url: str
    capabilities: Capabilities
    secret_keys: list[str]
    front: FrontPlan | None


@contextmanager
def prepared(
    settings: Settings,
    url: str,
    capabilities: Capabilities,
    secret_keys: list[str],
    door: Door | None,
) -> Iterator[FrontPlan | None]:
    """Open the door; make the runtime directory and the environment from which workers read it.

    Raises OSError when the address cannot be listened on.
    """
    with tempfile.TemporaryDirectory(prefix="twinfeed-") as name:
        directory = Path(name)
        plan = door.open(directory / "http") if door else None
        # 0700 by mkdtemp: the URL may hold a password.
        saved = _Saved(os.getpid(), url, capabilities, secret_keys, plan)
        (directory / "runtime.json").write_bytes(msgspec.json.encode(saved))
        os.environ.update(settings.to_env())
        os.environ[VARIABLE] = name
        if settings.workers > 1:
            (directory / "metrics").mkdir()
            os.environ[METRICS_VARIABLE] = str(directory / "metrics")
        yield plan


def from_environment() -> Runtime:
    """Return the runtime that the main process prepared."""
    directory = Path(os.environ[VARIABLE])
    saved = _saved(directory)
    settings = Settings.from_env(os.environ)
    return Runtime(
        settings,
        saved.database_url,
        saved.capabilities,
        directory,
        saved.secret_keys,
        saved.front,
    )


def die_with_parent() -> None:
    """Ask the kernel to kill this worker when its main process is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The main process may have gone before that, and its directory with it: nobody would tell us.
    try:
        is_orphan = os.getppid() != _saved(Path(os.environ[VARIABLE])).main_pid
    except FileNotFoundError:
        is_orphan = True
    if is_orphan:
        sys.exit("The main process is gone.")


def raise_file_limit() -> None:
    """Let this worker open as many files as the system lets it: every connection is one or more."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def fork_with_default_signals() -> None:
    """Let workers that are forked from now on begin with the default action of a stop signal.

    They would inherit the main process' handlers, and a SIGTERM that meets a worker before it has set
    its own would be lost: the stop then takes as long as it may.
    """
    stops = (signal.SIGTERM, signal.SIGINT)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)

    def reset() -> None:
        for number in stops:
            signal.signal(number, signal.SIG_DFL)
        unblock()

    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, stops),
        after_in_parent=unblock,
        after_in_child=reset,
    )


def _saved(directory: Path) -> _Saved:
    return msgspec.json.decode((directory / "runtime.json").read_bytes(), type=_Saved)
