"""HTTP: /v1/stream, answered as server-sent events.

Invariant: nothing is queued for a reader. The next event is made when the one before it is sent, of
what the widget shows by then.
"""

import asyncio
import time
from typing import Any
from uuid import UUID

from litestar import Response

from twin import metrics
from twin.errors import Invalid, ItemError
from twin.streamed import until_gone
from twin.tasks import end
from widgets.cache import Body
from widgets.events import HEARTBEAT, OPENING, cursor_of, event, farewell
from widgets.live import Subscriber, Watcher

HEARTBEAT_S = 15.0
"""Proxies and clients take a connection that is silent for 30 s or more for dead."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx hands each event on at once
]


def stream_ids(given: str, most: int) -> list[UUID]:
    """Return the widgets that `widgets=a,b` names, each once. Raises Invalid."""
    texts = [text.strip() for text in given.split(",") if text.strip()]
    try:
        ids = list(dict.fromkeys(UUID(text) for text in texts))
    except ValueError:
        raise _invalid("must be ids of widgets, separated by commas") from None
    if not 1 <= len(ids) <= most:
        raise _invalid(f"must be between 1 and {most} ids")
    return ids


class EventStream(Response[bytes]):
    """A response that lasts until its reader, his key or the server goes."""

    def __init__(self, watcher: Watcher, subscriber: Subscriber) -> None:
        """Send to a subscriber, and unsubscribe him at the end."""
        super().__init__(b"", status_code=200)
        self._watcher = watcher
        self._subscriber = subscriber

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return the ASGI application that sends the stream."""
        return self._respond

    async def _respond(self, _scope: Any, receive: Any, send: Any) -> None:
        tasks = [asyncio.ensure_future(t) for t in (self._send(send), until_gone(receive))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*tasks)
            await self._watcher.unsubscribe(self._subscriber)

    async def _send(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        reader, sent_s = self._subscriber, time.monotonic()
        await _send_part(send, OPENING)
        while reader.ends is None:
            reader.changed.clear()
            for i, topic in enumerate(reader.topics):
                if reader.ends is None and topic.body is not None and topic.tag != reader.tags[i]:
                    await self._tell(send, i, topic.tag, topic.body)
                    sent_s = time.monotonic()
            try:
                async with asyncio.timeout(max(sent_s + HEARTBEAT_S - time.monotonic(), 0)):
                    await reader.changed.wait()
            except TimeoutError:
                await _send_part(send, HEARTBEAT)
                sent_s = time.monotonic()
        await _send_part(send, farewell(reader.ends))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Any, i: int, tag: str, body: Body) -> None:
        reader = self._subscriber
        reader.tags[i] = tag
        widget_id = reader.topics[i].widget_id
        await _send_part(send, event(cursor_of(reader.tags), widget_id, body))
        metrics.STREAM_EVENTS.inc()


async def _send_part(send: Any, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})


def _invalid(problem: str) -> Invalid:
    message = f"widgets {problem}"
    return Invalid(f"{message}.", errors=[ItemError(key="widgets", message=message)])
