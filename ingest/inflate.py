"""A body's Content-Encoding undone piece by piece, in bounded memory.

Invariant: no piece is larger than a few MiB, however far the compressed bytes would expand.
"""

import zlib
from collections.abc import Iterator

import zstandard

from twin.errors import TooLarge, Unreadable, UnsupportedMedia

GZIP_WBITS = 31
ZSTD_WINDOW_BYTES = 2**27
"""The largest window: what `zstd --long` makes."""
PIECE_BYTES = 2**20
_ZSTD_SLICE_BYTES = 128
"""A zstd block of 4 bytes can stand for 128 KiB: so much input makes at most 4 MiB at once."""


class Inflater:
    """Undoes gzip, zstd or nothing, of at most `max_bytes` in all."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        """Raises UnsupportedMedia for another encoding."""
        encoding = encoding.strip().lower()
        self._encoding = "gzip" if encoding == "x-gzip" else encoding
        if self._encoding not in ("", "identity", "gzip", "zstd"):
            raise UnsupportedMedia(
                f"Content-Encoding '{encoding[:40]}' is not supported: use gzip or zstd."
            )
        self._max_bytes = max_bytes
        self._size = 0
        self._gzip = zlib.decompressobj(GZIP_WBITS)
        self._zstd = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
        self._frame = self._zstd.decompressobj()
        self._is_begun = False
        """Whether the gzip member or zstd frame at hand has had bytes."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next bytes of the body stand for. Raises Unreadable, TooLarge."""
        if self._encoding == "gzip":
            pieces = self._gunzip(data)
        elif self._encoding == "zstd":
            pieces = self._unzstd(data)
        else:
            pieces = iter([data])
        for piece in pieces:
            self._size += len(piece)
            if self._size > self._max_bytes:
                raise too_large(self._max_bytes, "after decompression ")
            if piece:
                yield piece

    def finish(self) -> None:
        """Say that the body has ended. Raises Unreadable when it ended too early."""
        if self._is_begun or (self._encoding in ("gzip", "zstd") and not self._size):
            raise Unreadable(f"The {self._encoding} body ends too early.")

    def _gunzip(self, data: bytes) -> Iterator[bytes]:
        while data:
            if not self._is_begun:
                data = data.lstrip(b"\x00")  # padding between members
                if not data:
                    return
            self._is_begun = True
            try:
                yield self._gzip.decompress(data, PIECE_BYTES)
            except zlib.error as exc:
                raise Unreadable("The body is not gzip, or is damaged.") from exc
            data = self._gzip.unconsumed_tail
            if self._gzip.eof:
                data = self._gzip.unused_data
                self._gzip = zlib.decompressobj(GZIP_WBITS)
                self._is_begun = False

    def _unzstd(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        while view:
            part, view = view[:_ZSTD_SLICE_BYTES], view[_ZSTD_SLICE_BYTES:]
            while part:
                self._is_begun = True
                try:
                    yield self._frame.decompress(part)
                except zstandard.ZstdError as exc:
                    raise Unreadable("The body is not zstd, or is damaged.") from exc
                if not self._frame.eof:
                    break
                part = memoryview(self._frame.unused_data)
                self._frame = self._zstd.decompressobj()
                self._is_begun = False


def too_large(max_bytes: int, when: str = "") -> TooLarge:
    """Return the error for a body past a bound."""
    return TooLarge(
        f"The body is larger {when}than the {max_bytes} bytes allowed; send it in parts."
    )
