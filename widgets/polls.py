"""Answers polls of widgets that did not change, before the framework sees them.

Whoever shows a widget asks the same question with the same key all day. Its answer is remembered with
what it holds for (`widgets/service.py`), which costs a comparison to check; all else goes on to the
framework. Invariant: an answer given here is the one that the framework's route would give now.

Bounded in bytes: the least recently used goes first.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import msgspec

from twin.auth import CALLER, Caller
from twin.ground import Ground
from twin.principal import Principal
from twin.rsgi import AsgiApp
from widgets.cache import ENTRY_BYTES, matches
from widgets.service import Shown, WidgetService
from widgets.store import TOPIC

MAX_BYTES = 16 * 2**20
"""Per worker. Most bodies are held by the cache of answers too, and cost nothing more."""
MAX_QUESTION = 2000
"""Longest path and query that are remembered, in characters."""
TEMPLATES = {
    "/v1/widgets/": "/v1/widgets/{widget_id}/data",
    "/v1/data/": "/v1/data/{widget_type}",
}
"""How the routes are called whose answers may be remembered."""
CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept"}
"""What every answer of theirs says: a browser may keep it, and must ask whether it still holds."""


class _Kept(msgspec.Struct, frozen=True):
    shown: Shown
    media_type: str


class PollMemory:
    """Answers of one worker, by who asks what in which form."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Remember nothing until `open`."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._ground: Ground | None = None
        self._service: WidgetService | None = None

    def open(self, ground: Ground, service: WidgetService) -> None:
        """Begin to remember answers of `service`."""
        self._ground, self._service = ground, service
        # A widget that is changed on another host moves no version of ours.
        ground.notifier.subscribe(TOPIC, lambda _payload: self.clear())
        ground.notifier.on_lost(self.clear)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def keep(self, scope: Any, principal: Principal, shown: Shown, media_type: str) -> None:
        """Remember the answer to a request with a key that may read."""
        size = shown.size_bytes
        if not shown.until_us or size > self._max_bytes // 4:
            return
        if len(scope["path"]) + len(scope["query_string"]) > MAX_QUESTION:
            return
        key = _question(scope, principal)
        self._forget(key)
        self._kept[key] = _Kept(shown, media_type)
        self._bytes += size + ENTRY_BYTES
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))

    def before(self, app: AsgiApp) -> AsgiApp:
        """Return an ASGI application that answers what is known and hands the rest on to `app`."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            template = _template(scope)
            kept = self._find(scope) if template is not None else None
            if kept is None:
                await app(scope, receive, send)
                return
            scope["path_template"] = template
            await self._answer(kept, scope, send)

        return serve

    async def _answer(self, kept: _Kept, scope: Any, send: Any) -> None:
        body = kept.shown.body
        headers = [(name.lower().encode(), value.encode()) for name, value in CACHING.items()]
        headers.append((b"etag", body.etag.encode()))
        if matches(_header(scope, b"if-none-match"), body.etag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers.append((b"content-type", kept.media_type.encode()))
        headers.append((b"content-length", str(len(body.content)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body.content})

    def _find(self, scope: Any) -> _Kept | None:
        """Return what is remembered and still right for who asks."""
        if self._service is None or not self._kept:
            return None
        caller = scope.get(CALLER)  # the gate in front has asked for it
        if not isinstance(caller, Caller):
            return None
        key = _question(scope, caller.principal)
        kept = self._kept.get(key)
        if kept is None:
            return None
        if not self._service.still_shows(kept.shown):
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def _forget(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.shown.size_bytes + ENTRY_BYTES


def _template(scope: Any) -> str | None:
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    return next((t for prefix, t in TEMPLATES.items() if scope["path"].startswith(prefix)), None)


def _question(scope: Any, principal: Principal) -> Hashable:
    return (
        scope["path"],
        scope["query_string"],
        _header(scope, b"accept"),
        principal.org_id,
        principal.environment,
        principal.scopes,
        principal.scene_id,
        principal.widget_ids,
    )


def _header(scope: Any, name: bytes) -> str | None:
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == name), None)
