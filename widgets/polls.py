"""Answers to polls of widgets, remembered as long as the widgets do not change.

Whoever shows a widget asks the same question with the same key all day. Its answer is remembered with
what it holds for (`widgets/service.py`), which costs a comparison to check. Invariant: an answer found
here is the one that computing it now would give.

Bounded in bytes: the least recently used goes first.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import msgspec

from twin.ground import Ground
from twin.principal import Principal
from widgets.cache import ENTRY_BYTES
from widgets.service import Shown, WidgetService
from widgets.store import TOPIC

MAX_BYTES = 16 * 2**20
"""Per worker. Most bodies are held by the cache of answers too, and cost nothing more."""
MAX_QUESTION = 2000
"""Longest path and query that are remembered, in characters."""
CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept"}
"""What every answer of theirs says: a browser may keep it, and must ask whether it still holds."""


class Kept(msgspec.Struct, frozen=True):
    """An answer and the form that it is written in."""

    shown: Shown
    media_type: str


class PollMemory:
    """Answers of one worker, by who asks what in which form."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Remember nothing until `open`."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._service: WidgetService | None = None

    def open(self, ground: Ground, service: WidgetService) -> None:
        """Begin to remember answers of `service`."""
        self._service = service
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
        self._kept[key] = Kept(shown, media_type)
        self._bytes += size + ENTRY_BYTES
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))

    def find(self, scope: Any, principal: Principal) -> Kept | None:
        """Return what is remembered and still right for who asks."""
        if self._service is None or not self._kept:
            return None
        key = _question(scope, principal)
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


def _question(scope: Any, principal: Principal) -> Hashable:
    return (
        scope["path"],
        scope["query_string"],
        header(scope, b"accept"),
        principal.org_id,
        principal.environment,
        principal.scopes,
        principal.scene_id,
        principal.widget_ids,
    )


def header(scope: Any, name: bytes) -> str | None:
    """Return a request's header; `name` in lower case."""
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == name), None)
