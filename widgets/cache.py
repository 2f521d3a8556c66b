"""Bodies of answers, kept while nothing that they depend on has moved; asked for once at a time.

Bounded in bytes: the least recently used goes first. Invariant: a key names everything an answer
depends on, so an entry is never wrong, only no longer asked for.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

import msgspec

MAX_BYTES = 16 * 2**20
"""Per worker: some 3,000 lines of 300 points."""
NEVER_US = 2**63
"""A time that does not come."""
ENTRY_BYTES = 1000
"""About what an entry costs beside its bodies."""


class Body(msgspec.Struct, frozen=True):
    """An encoded answer and its strong entity tag."""

    content: bytes
    etag: str


class Entry(msgspec.Struct, frozen=True):
    """An answer, and the one that takes its place from `stale_us` on if it then shows stale."""

    fresh: Body
    stale: Body | None = None
    stale_us: int = 0

    def body(self, now_us: int) -> Body:
        """Return what to answer at `now_us`."""
        return self.stale if self.stale is not None and now_us >= self.stale_us else self.fresh

    def turns(self, now_us: int) -> int:
        """Return until when what `body` gives at `now_us` stays that."""
        ahead = self.stale is not None and now_us < self.stale_us
        return self.stale_us if ahead else NEVER_US

    @property
    def size_bytes(self) -> int:
        """What the entry counts against the bound."""
        stale = len(self.stale.content) if self.stale is not None else 0
        return ENTRY_BYTES + len(self.fresh.content) + stale


def body_of(content: bytes) -> Body:
    """Return a body with its tag. The tag is of the bytes: an answer that changed back matches."""
    return Body(content, f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"')


class AnswerCache:
    """Entries by key; identical questions at the same time share one answer."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Start empty."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[Entry]] = {}
        self._generation = 0

    def clear(self) -> None:
        """Forget everything; answers being asked for now are not kept either."""
        self._generation += 1
        self._entries.clear()
        self._asking.clear()
        self._bytes = 0

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Entry]]) -> Entry:
        """Return the entry of a key, asking for it when there is none."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            return entry
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key, ask, self._generation))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(task)

    async def _ask(
        self, key: Hashable, ask: Callable[[], Awaitable[Entry]], generation: int
    ) -> Entry:
        entry = await ask()
        if generation == self._generation and entry.size_bytes <= self._max_bytes // 4:
            self._entries[key] = entry
            self._bytes += entry.size_bytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._entries.popitem(last=False)[1].size_bytes
        return entry

    def _asked(self, key: Hashable, task: asyncio.Task[Entry]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()  # looked at, also when every reader has gone away meanwhile
