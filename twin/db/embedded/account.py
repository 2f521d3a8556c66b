"""Chooses the operating-system user that PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from twin.db.embedded.errors import DataDirectoryError

# The first that exists is used by root on a new directory; `nobody` is on every system.
CANDIDATES = ("twinfeed", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user and group id for PostgreSQL; `switch` tells that the process has to change into it."""

    uid: int
    gid: int
    switch: bool


def choose_account(pgdata: Path) -> Account:
    """The account for the cluster at `pgdata`, which may not exist yet.

    Raises DataDirectoryError when the cluster belongs to a user we cannot become.
    """
    uid = os.geteuid()
    owner = pgdata.stat().st_uid if pgdata.exists() else None
    if uid != 0:
        if owner not in (None, uid):
            raise DataDirectoryError(
                f"{pgdata} belongs to user {user_name(owner)}, and this is user {user_name(uid)}. "
                "Run as that user or as root, or choose another directory with --data-dir."
            )
        return Account(uid, os.getegid(), switch=False)
    if owner:
        return Account(owner, _group_of(owner, pgdata), switch=True)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise DataDirectoryError(
        "PostgreSQL refuses to run as root and none of the users "
        f"{', '.join(CANDIDATES)} exists. Create one: useradd --system twinfeed"
    )


def require_named(account: Account) -> None:
    """Raise DataDirectoryError when the account has no name: initdb refuses to work for such a user."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        raise DataDirectoryError(
            f"User {account.uid} has no entry in /etc/passwd, which PostgreSQL needs to create its "
            "files. Add one, run as root, or use a server of your own with TWINFEED_DATABASE_URL."
        ) from None


def user_name(uid: int | None) -> str:
    """The name of a user for a message, or its number when it has none."""
    try:
        return pwd.getpwuid(uid if uid is not None else -1).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def _group_of(uid: int, pgdata: Path) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return pgdata.stat().st_gid
