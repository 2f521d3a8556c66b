"""The folder of a backup: files, a manifest, and the checksums of all of them.

Invariant: the folder appears under its name whole or not at all. Until then it is `NAME.unfinished`
and has no SHA256SUMS, which is written last and which `sha256sum -c` reads too.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from twin.backup.manifest import FORMAT, Manifest
from twin.errors import StartupError

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
KEY = "secret.key"
BLOCK_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 64 << 20
"""A file of readings is named in some 100 bytes; there is one a day at most."""
_LINE = re.compile(r"([0-9a-f]{64})  (\w[\w.-]*)")


class _Hashed:
    """A file that knows the checksum of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, block: bytes) -> int:
        self.sha256.update(block)
        return self._file.write(block)


class Writer:
    """Writes the files of a backup that is not finished yet."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`, which `create` made."""
        self._folder = folder
        self._sums: dict[str, str] = {}
        self.written_bytes = 0

    def rows(self, name: str, blocks: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write blocks of a COPY as one compressed file. Raises OSError."""
        with self._open(name) as hashed:
            packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
            with packer.stream_writer(hashed, closefd=False) as packed:  # type: ignore[arg-type]
                held = bytearray()  # a row at a time would cost a call each
                for block in blocks:
                    held += block
                    if len(held) >= BLOCK_BYTES:
                        packed.write(held)
                        held.clear()
                packed.write(held)

    def plain(self, name: str, content: bytes) -> None:
        """Write a file as it is. Raises OSError."""
        with self._open(name) as hashed:
            hashed.write(content)

    def forget(self, name: str) -> None:
        """Remove a file that was written."""
        (self._folder / name).unlink()
        del self._sums[name]

    def finish(self) -> None:
        """Write the checksums: from here on it is a backup. Raises OSError."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._sums.items()))
        self.plain(SUMS, lines.encode())

    @contextmanager
    def _open(self, name: str) -> Iterator[_Hashed]:
        path = self._folder / name
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            hashed = _Hashed(file)
            yield hashed
            file.flush()
            os.fsync(file.fileno())
        self.written_bytes += path.stat().st_size
        self._sums[name] = hashed.sha256.hexdigest()


@contextmanager
def create(target: Path) -> Iterator[Writer]:
    """Give a writer whose files become the folder `target` when the block ends well.

    After an error nothing is left. Raises StartupError where something stands in the way or the disk
    does not take it.
    """
    target = Path(os.path.abspath(target))
    draft = target.with_name(f"{target.name}.unfinished")
    try:
        _check_free(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(draft):
            try:
                writer = Writer(draft)
                yield writer
                writer.finish()
                _fsync(draft)
                draft.rename(target)
                _fsync(target.parent)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
    except OSError as exc:
        raise StartupError(f"The backup {target} cannot be written: {exc}.") from exc


def _check_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StartupError(f"{target} exists and is not an empty folder: name a new one.")


@contextmanager
def _locked(draft: Path) -> Iterator[None]:
    """Make the folder, over one that a killed backup left. Raises StartupError while one works in it."""
    draft.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartupError(f"Another backup is writing {draft}.") from None
        for entry in draft.iterdir():
            entry.unlink()
        yield
    finally:
        os.close(handle)


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Archive:
    """A whole backup: made by `read`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Keep a folder that was checked."""
        self._folder = folder
        self.manifest = manifest

    def blocks(self, name: str) -> Iterator[bytes]:
        """Give a file's content, unpacked, in blocks."""
        with (self._folder / name).open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            while block := reader.read(BLOCK_BYTES):
                yield block

    def key(self) -> str | None:
        """Return the key of sealed secrets that the backup holds, if it does."""
        with suppress(FileNotFoundError):
            return (self._folder / KEY).read_text("ascii").strip()
        return None


def read(folder: Path) -> Archive:
    """Read every file of a backup once, and return it.

    Raises StartupError for what is no backup, not a whole one, or differs from what was written.
    """
    try:
        sums = _read_sums(folder)
        for name, digest in sums.items():
            _check_file(folder, name, digest)
        if (folder / MANIFEST).stat().st_size > MAX_MANIFEST_BYTES:
            raise StartupError(f"{folder} is damaged: {MANIFEST} is too large.")
        manifest = _read_manifest(folder)
    except OSError as exc:
        raise StartupError(f"The backup {folder} cannot be read: {exc}.") from exc
    named = {part.file for part in manifest.tables} | {part.file for part in manifest.readings}
    if lacking := named - set(sums):
        raise StartupError(f"{folder} is damaged: {SUMS} does not name {min(lacking)}.")
    return Archive(folder, manifest)


def _read_sums(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise StartupError(f"{folder} is not a folder; a backup is one.")
    try:
        lines = (folder / SUMS).read_text("ascii").splitlines()
    except FileNotFoundError:
        raise StartupError(
            f"{folder} is not a whole backup: it has no {SUMS}, which `twinfeed backup` writes last."
        ) from None
    except UnicodeDecodeError:
        lines = [""]
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match is not None}
    if len(sums) < len(lines) or MANIFEST not in sums:
        raise StartupError(
            f"{folder} is damaged, or no backup of Twinfeed's: {SUMS} cannot be read."
        )
    return sums


def _check_file(folder: Path, name: str, digest: str) -> None:
    try:
        with (folder / name).open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == digest
    except FileNotFoundError:
        raise StartupError(f"{folder} is damaged: {name} is missing.") from None
    if not same:
        raise StartupError(f"{folder} is damaged: {name} differs from its checksum in {SUMS}.")


def _read_manifest(folder: Path) -> Manifest:
    content = (folder / MANIFEST).read_bytes()
    try:
        claimed = msgspec.json.decode(content, type=dict[str, object]).get("format")
        if claimed != FORMAT:
            raise StartupError(
                f"{folder} has the format {claimed!r}; this program reads {FORMAT!r}."
            )
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as exc:
        raise StartupError(f"{folder} is no backup of Twinfeed's: {MANIFEST}: {exc}.") from exc
