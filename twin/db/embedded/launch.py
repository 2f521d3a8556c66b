"""Runs a PostgreSQL program as another user, in a session of its own, tied to the life of this process.

This file is also the small program in between: started by path, it becomes the user, asks the kernel
for the parent's death signal and then turns into the PostgreSQL program. A `preexec_fn` could do the
same, but runs Python between fork and exec, which can deadlock in a process with threads.

The kernel sends the death signal when the *thread* that started the child ends, so whoever calls
`launch` must do it from a thread that lives as long as the child should. Linux only: elsewhere the
child outlives a killed server, and the next start on its directory stops it.
"""

import os
import subprocess
import sys
from pathlib import Path
from signal import Signals
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from twin.db.embedded.account import Account

PR_SET_PDEATHSIG = 1

# While PostgreSQL's working directory is its data directory, this path leads into it without passing
# through the directories above, which its user may not be allowed to enter.
_CWD_LINK = "/proc/self/cwd"


def data_directory_argument(pgdata: Path) -> str:
    """What to give PostgreSQL as -D when it is launched in `pgdata`."""
    return _CWD_LINK if os.path.exists(_CWD_LINK) else str(pgdata)


def launch(
    command: list[str],
    *,
    account: "Account",
    cwd: Path,
    output: IO[bytes],
    death_signal: Signals,
) -> "subprocess.Popen[bytes]":
    """Start `command` (absolute path first) with `cwd`; its output and errors go to `output`."""
    if not sys.executable:
        raise RuntimeError("sys.executable is empty: the path of the Python interpreter is needed")
    user = f"{account.uid}:{account.gid}" if account.switch else "-"
    return subprocess.Popen(
        # -I -S: no site packages, a start takes about 15 ms.
        [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), user]
        + command,
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # the terminal's Ctrl-C is for the server, which stops PostgreSQL last
    )


def _environment() -> dict[str, str]:
    """A small, fixed environment: PGOPTIONS, LANG and the like must not change the cluster."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    if "LD_LIBRARY_PATH" in os.environ:  # on systems whose C library is not in the usual place
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def _become(parent_pid: int, death_signal: int, user: str, command: list[str]) -> None:
    """Turn this process into `command`; returns only when its parent is gone already."""
    prctl = _prctl() if sys.platform == "linux" else None
    if user != "-":
        uid, gid = (int(part) for part in user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which clears it. It survives the exec below.
    if prctl and prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:  # it ended before the line above: no signal will come
        return
    os.umask(0o077)
    os.execv(command[0], command)


def _prctl() -> "Callable[..., int]":
    """The C function, imported while we are still a user who can read Python's library."""
    import ctypes

    function: Callable[..., int] = ctypes.CDLL(None).prctl
    return function


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
