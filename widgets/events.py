"""Server-sent events as bytes: WHATWG HTML, "Server-sent events".

Pure. Every event's id says what its reader now has: a tag per widget, in the order in which he asked.
Sent back as Last-Event-ID it needs no memory of ours, and any worker of any host understands it.
"""

import base64
import hashlib
from collections.abc import Iterable
from uuid import UUID

from widgets.cache import Body

RETRY_MS = 2000
"""How long a client waits before it comes back."""
OPENING = f"retry: {RETRY_MS}\n\n".encode()
HEARTBEAT = b":\n\n"
_TAG_BYTES = 6
"""By chance one resumed change in 2^48 would be taken for known."""


def tag_of(widget_id: UUID, etag: str) -> str:
    """Return the short name of a widget's answer in a cursor."""
    hashed = hashlib.blake2b(widget_id.bytes + etag.encode(), digest_size=_TAG_BYTES)
    return base64.urlsafe_b64encode(hashed.digest()).decode()


def cursor_of(tags: Iterable[str]) -> str:
    """Return the id of an event after which a reader has these answers; '' for none yet."""
    return ".".join(tags)


def tags_of(cursor: str | None, widgets: int) -> list[str]:
    """Return the tags of a Last-Event-ID; all '' when it is not of a stream of so many widgets."""
    tags = (cursor or "").split(".")
    return tags if len(tags) == widgets else [""] * widgets


def event(cursor: str, widget_id: UUID, body: Body) -> bytes:
    """Return one event: the answer, with the widget's id and the answer's ETag as first fields."""
    tag = body.etag.replace('"', '\\"')
    head = f'id: {cursor}\ndata: {{"widget_id":"{widget_id}","etag":"{tag}",'
    return b"".join((head.encode(), body.content[1:], b"\n\n"))


def farewell(reason: str) -> bytes:
    """Return a comment that says why a stream ends."""
    return f": {reason}\n\n".encode()
