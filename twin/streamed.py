"""A response in parts whose maker is told at once when its reader leaves.

The framework cancels what it streams again and again until it ends, which breaks off the cleaning up,
and leaves a generator that waits between two parts to the garbage collector. Here it is cancelled once,
and closed before the request ends.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from litestar.response import Stream

from twin.tasks import end


class Streamed(Stream):
    """A response whose body is a generator of bytes that holds something until it is closed."""

    def __init__(
        self, first: bytes, rest: AsyncGenerator[bytes, None], *, headers: dict[str, str]
    ) -> None:
        """Send a part and what yields the others; the Content-Type is among the headers."""
        super().__init__(rest, headers=headers)
        self._first, self._rest = first, rest

    def to_asgi_response(self, *args: Any, **fields: Any) -> Any:
        """Return the ASGI application that sends the body. It raises what the body raises."""
        framed = super().to_asgi_response(*args, **fields)

        async def respond(_scope: Any, receive: Any, send: Any) -> None:
            sending = asyncio.ensure_future(_send(framed, self._first, self._rest, send))
            tasks = (sending, asyncio.ensure_future(until_gone(receive)))
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                is_sent = sending.done()
                await end(*tasks)
            if is_sent:
                sending.result()

        return respond


async def until_gone(receive: Any) -> None:
    """Return once the reader of a response has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(framed: Any, first: bytes, rest: AsyncGenerator[bytes, None], send: Any) -> None:
    async with aclosing(rest):
        await framed.start_response(send)
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for part in rest:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
