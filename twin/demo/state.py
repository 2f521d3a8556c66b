"""Keys that a second start must know and the server stores only as hashes, in a 0600 file.

The file also tells a demo's data directory from any other: the demo works in no other.
"""

import os
import secrets
from pathlib import Path

import msgspec

from twin.db.embedded.cluster import PGDATA
from twin.errors import StartupError
from twin.keys.secrets import new_management_secret

FILE = "demo.json"


class State(msgspec.Struct):
    """Secrets of a demo. `ingest_keys` are by datasource id, `view_tokens` by scene id."""

    admin_key: str
    webhook_secret: str
    ingest_keys: dict[str, str] = {}
    view_tokens: dict[str, "Token"] = {}


class Token(msgspec.Struct, frozen=True):
    """A view token: its public id, and the secret that a browser is given."""

    token_id: str
    secret: str


def open_state(directory: Path, admin_key: str | None) -> State:
    """Return the state of a demo's directory, made with `admin_key` when there is none yet.

    Raises StartupError when the directory belongs to something else or cannot be used.
    """
    path = directory / FILE
    try:
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=State)
        if (directory / PGDATA).exists():
            raise StartupError(
                f"{directory} holds a database that is not a demo's. "
                "Choose another directory with --data-dir."
            )
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = State(admin_key or new_management_secret("live"), secrets.token_hex(32))
        save_state(directory, state)
    except OSError as exc:
        raise StartupError(f"{path} cannot be used: {exc.strerror}.") from exc
    except msgspec.DecodeError as exc:
        raise StartupError(f"{path} is damaged; delete {directory} to start anew.") from exc
    return state


def save_state(directory: Path, state: State) -> None:
    """Replace the file at once; nobody but its owner can read it."""
    scratch = directory / f"{FILE}.new"
    scratch.unlink(missing_ok=True)
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(state)))
        file.flush()
        os.fsync(fd)
    scratch.rename(directory / FILE)
