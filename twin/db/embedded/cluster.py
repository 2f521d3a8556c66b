"""Owns the files of the cluster below a data directory: made whole or not at all, of our version."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from signal import SIGKILL

from twin.db.embedded.account import Account, require_named
from twin.db.embedded.errors import DataDirectoryError, EmbeddedServerError
from twin.db.embedded.installation import Installation
from twin.db.embedded.launch import data_directory_argument, launch
from twin.db.embedded.log import explain
from twin.db.embedded.processes import settle

PGDATA = "pgdata"
SUPERUSER = "twinfeed"
CONFIG_FILE = "twinfeed.conf"

# About a second on a laptop; a minute and more was seen on slow SD cards.
_INITDB_TIMEOUT_S = 300


def ensure_cluster(data_dir: Path, account: Account, installation: Installation) -> Path:
    """The folder of the cluster below `data_dir`, created when there is none yet.

    The caller holds the directory's lock and no PostgreSQL runs in it. Raises DataDirectoryError when
    there is one of another version or something that is no cluster.
    """
    pgdata = data_dir / PGDATA
    _check_version(pgdata, installation)
    if not _is_empty(pgdata):
        if account.switch and pgdata.stat().st_uid != account.uid:  # copied here by root
            _chown_tree(pgdata, account)
        return pgdata
    require_named(account)
    scratch = data_dir / f".{PGDATA}.new"  # a fixed name: one that a kill left is found again
    if scratch.exists():
        settle(scratch)
        shutil.rmtree(scratch)
    try:
        scratch.mkdir(mode=0o700)
        if account.switch:
            os.chown(scratch, account.uid, account.gid)
        _initdb(scratch, account, installation)
        _append(scratch / "postgresql.conf", f"include_if_exists '{CONFIG_FILE}'\n")
        scratch.rename(pgdata)  # over an empty folder too, such as a fresh mount point's child
        _fsync_directory(data_dir)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return pgdata


def write_configuration(pgdata: Path, text: str, account: Account) -> None:
    """Replace the settings file of the cluster at once and durably."""
    scratch = pgdata / f"{CONFIG_FILE}.new"
    with contextlib.suppress(FileNotFoundError):
        scratch.unlink()
    # O_EXCL and O_NOFOLLOW: root writes here in a folder of a lesser user.
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        if account.switch:
            os.fchown(fd, account.uid, account.gid)
        file.write(text)
        file.flush()
        os.fsync(fd)
    scratch.rename(pgdata / CONFIG_FILE)


def _check_version(pgdata: Path, installation: Installation) -> None:
    try:
        found = (pgdata / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        if _is_empty(pgdata):
            return
        raise DataDirectoryError(
            f"{pgdata} holds files but no PostgreSQL cluster (no PG_VERSION). Move them away, or "
            "choose another directory with --data-dir."
        ) from None
    if found != installation.major:
        raise DataDirectoryError(
            f"{pgdata} was written by PostgreSQL {found}; this twinfeed brings PostgreSQL "
            f"{installation.major}, which cannot read it. With the twinfeed version that wrote it, run "
            "`twinfeed backup DIR`; then, with this one and a new --data-dir, `twinfeed restore DIR`."
        )


def _is_empty(folder: Path) -> bool:
    return not folder.exists() or next(folder.iterdir(), None) is None


def _initdb(folder: Path, account: Account, installation: Installation) -> None:
    command = [
        installation.program("initdb"),
        f"--pgdata={data_directory_argument(folder)}",
        f"--username={SUPERUSER}",
        # The folder of the socket is private; nobody else comes as far as authentication.
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        # Built in: the machine needs no locale installed, and an upgrade of its C library cannot
        # change the order in an index.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--data-checksums",
    ]
    with tempfile.TemporaryFile() as output:
        process = launch(command, account=account, cwd=folder, output=output, death_signal=SIGKILL)
        try:
            code = process.wait(_INITDB_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if code != 0:
        ended = f"ended with {code}" if code is not None else f"took over {_INITDB_TIMEOUT_S} s"
        raise EmbeddedServerError(
            f"PostgreSQL could not create its files in {folder.parent}: {explain(said)}initdb "
            f"{ended}:\n{said[-2000:].strip()}"
        )


def _append(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    with os.fdopen(fd, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)


def _chown_tree(tree: Path, account: Account) -> None:
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            os.chown(os.path.join(folder, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(tree, account.uid, account.gid)  # last: until then a broken-off start begins again


def _fsync_directory(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
