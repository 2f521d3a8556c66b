"""Large bodies that are kept whole: bounded in size, in time and in how many come at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request

from twin.errors import Overloaded, TooLarge, Unreadable

MAX_UPLOADS = 4
"""Taken in at once per worker: each is in memory until it is stored."""
UPLOAD_S = 300
"""So that a sender who stalls does not keep its place."""
_open: set[object] = set()


@asynccontextmanager
async def uploaded(request: Request[Any, Any, Any], most: int, what: str) -> AsyncIterator[bytes]:
    """Give a request's whole body. Raises TooLarge, Overloaded, and Unreadable after `UPLOAD_S`."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise TooLarge(f"{what} has at most {most} bytes; this one has {length}.")
    if len(_open) >= MAX_UPLOADS:
        raise Overloaded("Other large bodies are being taken in.", retry_after_s=5)
    _open.add(place := object())
    try:
        try:
            async with asyncio.timeout(UPLOAD_S):
                content = await _read(request, most, what)
        except TimeoutError as exc:
            raise Unreadable(f"The body did not come within {UPLOAD_S} s.") from exc
        yield content
    finally:
        _open.discard(place)


async def _read(request: Request[Any, Any, Any], most: int, what: str) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(f"{what} has at most {most} bytes.")
        parts.append(part)
    return b"".join(parts)
