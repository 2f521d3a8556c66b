"""A request's body: read and decompressed within bounds.

A compressed body is never inflated past the bound: decompression asks for at most one byte more.
"""

import io
import time
import zlib
from collections.abc import AsyncIterator

import zstandard
from granian.rsgi import HTTPProtocol, Scope

from ingest.inflate import GZIP_WBITS, ZSTD_WINDOW_BYTES, Inflater, too_large
from twin.errors import Unreadable, UnsupportedMedia
from twin.held import Share
from twin.rsgi import CLOSED, BrokenOff, body_chunks

_SLICE_BYTES = 2**20
_BROKEN_OFF = "The body breaks off: send it again, whole."
_HOLD_S = 0.5
"""Of a body that comes slowly, pieces are handed on after this, as soon as more of it comes."""


async def read_body(
    scope: Scope,
    protocol: HTTPProtocol,
    content_length: int | None,
    max_bytes: int,
    share: Share,
) -> bytes:
    """Return a request's body as sent, counted in `share`.

    Raises TooLarge, Overloaded, and Unreadable for a body that breaks off.
    """
    try:
        if content_length is not None:
            if content_length > max_bytes:
                raise too_large(max_bytes)
            share.add(content_length)
            return await protocol()  # the server lets no more through than was announced
        chunks, size = [], 0
        async for chunk in body_chunks(scope, protocol):
            size += len(chunk)
            if size > max_bytes:
                raise too_large(max_bytes)
            share.add(len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)
    except (*CLOSED, BrokenOff) as exc:
        raise Unreadable(_BROKEN_OFF) from exc


async def body_pieces(
    scope: Scope,
    protocol: HTTPProtocol,
    content_length: int | None,
    max_bytes: int,
    inflater: Inflater,
) -> AsyncIterator[bytes]:
    """Yield a request's body, decompressed, in pieces of about a MiB; smaller ones when it comes slowly.

    Raises TooLarge, and Unreadable for a body that breaks off or cannot be decompressed.
    """
    if content_length is not None and content_length > max_bytes:
        raise too_large(max_bytes)
    size, held, held_bytes = 0, [], 0
    since_s = time.monotonic()
    try:
        async for chunk in body_chunks(scope, protocol):
            size += len(chunk)
            if size > max_bytes:
                raise too_large(max_bytes)
            for piece in inflater.feed(chunk):
                held.append(piece)
                held_bytes += len(piece)
                if held_bytes >= _SLICE_BYTES or time.monotonic() - since_s >= _HOLD_S:
                    yield b"".join(held)
                    held, held_bytes = [], 0
                    since_s = time.monotonic()
    except BrokenOff as exc:
        raise Unreadable(_BROKEN_OFF) from exc
    if content_length is not None and size < content_length:
        raise Unreadable(_BROKEN_OFF)
    if held:
        yield b"".join(held)
    inflater.finish()


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return a body without its Content-Encoding: gzip, zstd, identity or none.

    Raises UnsupportedMedia for another encoding, Unreadable for a broken body, TooLarge past the bound.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _bounded(body, max_bytes, "after decompression ")
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(body, max_bytes)
    if encoding == "zstd":
        return _unzstd(body, max_bytes)
    raise UnsupportedMedia(
        f"Content-Encoding '{encoding[:40]}' is not supported: use gzip or zstd."
    )


def _bounded(body: bytes, max_bytes: int, when: str = "") -> bytes:
    if len(body) > max_bytes:
        raise too_large(max_bytes, when)
    return body


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    parts, size, rest = [], 0, body
    while True:  # a gzip file may hold several members
        inflater = zlib.decompressobj(GZIP_WBITS)
        try:
            part = inflater.decompress(rest, max_bytes - size + 1)
        except zlib.error as exc:
            raise Unreadable("The body is not gzip, or is damaged.") from exc
        size += len(part)
        if size > max_bytes:
            raise too_large(max_bytes, "after decompression ")
        parts.append(part)
        if not inflater.eof:
            raise Unreadable("The gzip body ends too early.")
        rest = inflater.unused_data.lstrip(b"\x00")
        if not rest:
            return b"".join(parts)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    try:
        # First how much it is, a slice at a time: decompressobj alone would inflate a bomb at once.
        reader, size = decompressor.stream_reader(io.BytesIO(body), read_across_frames=True), 0
        while part := reader.read(_SLICE_BYTES):
            size += len(part)
            if size > max_bytes:
                raise too_large(max_bytes, "after decompression ")
        parts, rest = [], body
        while rest:  # frame by frame, because only so a missing end is seen
            inflater = decompressor.decompressobj()
            parts.append(inflater.decompress(rest))
            if not inflater.eof:
                raise Unreadable("The zstd body ends too early.")
            rest = inflater.unused_data
    except zstandard.ZstdError as exc:
        raise Unreadable("The body is not zstd, or is damaged.") from exc
    return b"".join(parts)
