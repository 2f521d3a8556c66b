"""Owns PostgreSQL's log file in the data directory, which stays bounded."""

import os
import shutil
from io import BufferedWriter
from pathlib import Path

LOG_FILE = "postgresql.log"
LOG_LIMIT_BYTES = 10 * 1024 * 1024

_EXPLANATIONS = (
    ("No space left on device", "the disk is full. Make room and start again. "),
    ("Disk quota exceeded", "the disk quota is used up. Make room and start again. "),
    ("Read-only file system", "the file system is read-only. "),
    ("Permission denied", "a permission is missing. "),
    ("Cannot allocate memory", "there is not enough memory. "),
)


def open_log(data_dir: Path) -> BufferedWriter:
    """The log file, to hand to PostgreSQL as its output: it need not be able to open it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    return os.fdopen(os.open(data_dir / LOG_FILE, flags, 0o600), "ab")


def bound_log(data_dir: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Keep one older part beside the log once it is over `limit_bytes`.

    It is copied and emptied, not renamed: PostgreSQL's processes keep it open, and append.
    """
    path = data_dir / LOG_FILE
    if path.stat().st_size > limit_bytes:
        older = data_dir / f"{LOG_FILE}.1"
        older.unlink(
            missing_ok=True
        )  # it may be root's, from one start as root, and then not ours to write
        shutil.copyfile(path, older)
        os.truncate(path, 0)


def log_tail(data_dir: Path, since_byte: int = 0, limit_bytes: int = 2000) -> str:
    """The last lines of the log, but none before `since_byte`."""
    with open(data_dir / LOG_FILE, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(min(since_byte, size), size - limit_bytes))
        return file.read().decode("utf-8", "replace").strip()


def explain(said: str) -> str:
    """A cause that PostgreSQL's output names, as the beginning of a message; or nothing."""
    return next((meaning for sign, meaning in _EXPLANATIONS if sign in said), "")
