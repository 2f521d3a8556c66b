"""Owns the lock of a data directory: at most one serving process holds it.

The lock is the kernel's (flock), so it ends with its holder whatever ended that; the number written
into the file only serves the message to whoever comes second.
"""

import fcntl
import os
from pathlib import Path

from twin.db.embedded.errors import DataDirectoryError

LOCK_FILE = "lock"

_held_fds: set[int] = set()


def _close_in_forked_child() -> None:
    """Let go in a forked child: a flock lives as long as any copy of its descriptor does."""
    for fd in _held_fds:
        os.close(fd)
    _held_fds.clear()


os.register_at_fork(after_in_child=_close_in_forked_child)


class DirectoryLock:
    """The held lock of one data directory."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, data_dir: Path) -> "DirectoryLock":
        """Take the lock of `data_dir` (which exists) at once.

        Raises DataDirectoryError, naming the directory and the holder, when another process has it.
        """
        # Python opens files close-on-exec, so PostgreSQL and other programs do not inherit it.
        fd = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
            os.close(fd)
            by = f"process {holder}" if holder.isdigit() else "another process"
            raise DataDirectoryError(
                f"The data directory {data_dir} is in use by {by}. Stop that server first, "
                "or choose another directory with --data-dir."
            ) from None
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:  # the disk is full
            os.close(fd)
            raise
        _held_fds.add(fd)
        return cls(fd)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        fd, self._fd = self._fd, None
        if fd is None or fd not in _held_fds:
            return
        _held_fds.discard(fd)
        os.ftruncate(fd, 0)
        os.close(fd)
