"""Owns the private folder of PostgreSQL's Unix socket: who cannot enter it cannot connect.

It is not in the data directory because the path of a socket is at most 107 bytes long, and because
PostgreSQL's user may be unable to walk there.
"""

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path
from urllib.parse import quote

from twin.db.embedded.account import Account, user_name
from twin.db.embedded.errors import DataDirectoryError

PORT = 5432  # only a part of the socket's name; nothing listens on the network

_MODE = 0o700
# PostgreSQL reads the folder as a list; and "/.s.PGSQL.5432" with a digest must still fit.
_PLAIN_BASE = re.compile(r"/[A-Za-z0-9._/-]{1,60}")


def socket_folder_path(data_dir: Path, account: Account) -> Path:
    """Where the socket folder of this data directory is: the same at every start by the same user."""
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    if account.switch:
        # Only root can write to /run, so nobody can take the name there first.
        base = "/run" if os.access("/run", os.W_OK) else "/tmp"
    else:
        base = os.environ.get("XDG_RUNTIME_DIR", "")
        if not _PLAIN_BASE.fullmatch(base) or not os.access(base, os.W_OK | os.X_OK):
            base = "/tmp"
    return Path(base) / f"twinfeed-{os.geteuid()}-{digest}"


def make_socket_folder(folder: Path, account: Account) -> None:
    """Create the folder, empty and private to `account`, or take over the one of an earlier start.

    The caller holds the data directory's lock. Raises DataDirectoryError when something of somebody
    else stands in its place.
    """
    with contextlib.suppress(FileNotFoundError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.geteuid(), account.uid):
            raise DataDirectoryError(
                f"{folder}, the place of PostgreSQL's socket, is not ours: it belongs to "
                f"{user_name(status.st_uid)}. Remove it and start again."
            )
        # Begin with nothing: the process number in a socket's lock file may be another program's now.
        clear_socket_folder(folder)
        folder.rmdir()
    folder.mkdir(mode=_MODE)
    if account.switch:  # until here it is root's, so nobody could put a link in its place
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def clear_socket_folder(folder: Path) -> None:
    """Remove what PostgreSQL leaves in the folder when it is killed."""
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()


def remove_socket_folder(folder: Path) -> None:
    """Remove the folder after PostgreSQL has stopped."""
    with contextlib.suppress(OSError):
        clear_socket_folder(folder)
        folder.rmdir()


def socket_url(folder: str, port: int, *, user: str, database: str) -> str:
    """The libpq URL of a database behind the socket in `folder`."""
    return f"postgresql://{user}@/{database}?host={quote(folder, safe='')}&port={port}"
