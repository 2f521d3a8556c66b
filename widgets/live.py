"""Watches the widgets of open streams and tells their subscribers what changed.

One watcher per worker, and one computation per widget however many look at it. A few times a second
it compares each widget's versions, which are mapped memory, and the time until which its window
stands: no query, whoever wrote. A subscriber holds no answers, only which ones he has: one who reads
slowly skips what came in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from uuid import UUID

import msgspec

from twin import metrics
from twin.clock import SECOND_US, now_us
from twin.errors import Forbidden, Overloaded, TwinfeedError, Unauthorized
from twin.ground import Ground
from twin.http_errors import from_any
from twin.principal import Principal
from twin.tasks import end
from widgets.cache import Body, body_of
from widgets.events import tag_of
from widgets.service import Shown, WidgetService
from widgets.store import TOPIC, WidgetStore

TICK_S = 0.2
"""How often versions are compared: a change is seen this late at most, half of it on average."""
PAUSE_US = SECOND_US
"""Least time between two answers of one widget."""
RETRY_US = 2 * SECOND_US
"""Pause after an answer that could not be had, or cannot be known to be still right."""
AT_ONCE = 4
"""Widgets computed at the same time: polls find free connections."""
CHECK_S = 1.0
"""How often a subscriber's key is looked at. In memory, unless some key changed."""
RETRY_AFTER_S = 10

Authorise = Callable[[], Awaitable[object]]
Subject = tuple[int, str, UUID]
"""A widget as an organisation's environment asks for it: nobody sees what others may see."""


class Topic:
    """A widget that somebody watches: its last answer, and when to look again."""

    def __init__(self, subject: Subject, principal: Principal) -> None:
        """Watch a widget for a principal, who may not be the one whose it is."""
        self.subject = subject
        self.widget_id = subject[2]
        self.principal = principal
        self.subscribers: set[Subscriber] = set()
        self.shown: Shown | None = None
        self.body: Body | None = None
        self.tag = ""
        self.next_us = 0
        self.is_edited = False
        self.task: asyncio.Task[None] | None = None


class Caller(msgspec.Struct, frozen=True):
    """Who streams: `identity` is equal for equal credentials, `authorise` raises once they end."""

    identity: Hashable
    authorise: Authorise
    principal: Principal


class Subscriber:
    """One open stream: which answers its reader has, and a wake-up for new ones."""

    def __init__(self, topics: Sequence[Topic], tags: Sequence[str], caller: Caller) -> None:
        """Send what differs from `tags`."""
        self.topics = topics
        self.tags = list(tags)
        self.caller = caller
        self.changed = asyncio.Event()
        self.ends: str | None = None

    def end(self, reason: str) -> None:
        """Have the stream end."""
        self.ends = reason
        self.changed.set()


class Watcher:
    """The topics and subscribers of one worker."""

    def __init__(self, ground: Ground, store: WidgetStore, service: WidgetService) -> None:
        """Stand on `ground`."""
        self._ground = ground
        self._store = store
        self._service = service
        self._topics: dict[Subject, Topic] = {}
        self._subscribers: set[Subscriber] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        ground.notifier.subscribe(TOPIC, self._on_change)

    def subscribe(self, ids: Sequence[UUID], tags: Sequence[str], caller: Caller) -> Subscriber:
        """Watch widgets for a reader who has the answers of `tags`. The caller unsubscribes.

        Raises Overloaded at the bound.
        """
        if len(self._subscribers) >= self._ground.settings.max_stream_subscribers:
            raise Overloaded("Too many streams are open; try again.", retry_after_s=RETRY_AFTER_S)
        topics = [self._topic(id_, caller.principal) for id_ in ids]
        subscriber = Subscriber(topics, tags, caller)
        for topic in topics:
            topic.subscribers.add(subscriber)
        self._subscribers.add(subscriber)
        metrics.STREAM_SUBSCRIBERS.set(len(self._subscribers))
        if not self._tasks:
            watching = (self._watch(), self._check_callers())
            self._tasks = [asyncio.create_task(task) for task in watching]
        subscriber.changed.set()
        self._look(now_us())
        return subscriber

    def _topic(self, widget_id: UUID, principal: Principal) -> Topic:
        """Return what all readers of one environment share: whose widget it is, asking decides."""
        subject = (principal.org_id, principal.environment, widget_id)
        return self._topics.setdefault(subject, Topic(subject, principal))

    async def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a reader, and what nobody else watches."""
        self._subscribers.discard(subscriber)
        metrics.STREAM_SUBSCRIBERS.set(len(self._subscribers))
        for topic in subscriber.topics:
            topic.subscribers.discard(subscriber)
            if not topic.subscribers and self._topics.get(topic.subject) is topic:
                del self._topics[topic.subject]
                if topic.task is not None:
                    topic.task.cancel()
        if not self._subscribers:
            ended, self._tasks = self._tasks, []
            await end(*ended)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self._ground.versions.is_stopping:
                for subscriber in self._subscribers:
                    subscriber.end("the server stops")
                return
            self._look(now_us())

    def _look(self, now: int) -> None:
        """Ask anew about every widget that moved and may be told about again."""
        for topic in self._topics.values():
            if topic.task is not None or now < topic.next_us:
                continue
            shown = None if topic.is_edited else topic.shown
            if shown is None or not self._service.still_shows(shown):
                topic.next_us = now + PAUSE_US
                topic.task = asyncio.create_task(self._ask(topic))

    async def _ask(self, topic: Topic) -> None:
        topic.is_edited = False
        try:
            async with self._turns:
                widget = await self._store.get(topic.principal, topic.widget_id)
                topic.shown = await self._service.shown(widget.spec, topic.principal, None)
                now = await self._store.get(topic.principal, topic.widget_id)
            topic.is_edited |= now.spec != widget.spec  # meanwhile: its versions are the new ones
            body = topic.shown.body
            if not self._ground.notifier.connected:
                topic.next_us += RETRY_US
        except Exception as exc:
            topic.shown, topic.next_us = None, topic.next_us + RETRY_US
            error = from_any(exc)
            if error.status >= 500:  # ours, and passing: the reader keeps what he has
                return
            body = error_body(error)
        finally:
            topic.task = None
        tag = tag_of(topic.widget_id, body.etag)
        topic.body = body
        if tag != topic.tag:
            topic.tag = tag
            for subscriber in topic.subscribers:
                subscriber.changed.set()

    async def _check_callers(self) -> None:
        """End the streams of keys that are not valid any more, one lookup for each key."""
        while True:
            await asyncio.sleep(CHECK_S)
            by_identity: dict[Hashable, list[Subscriber]] = {}
            for subscriber in self._subscribers:
                by_identity.setdefault(subscriber.caller.identity, []).append(subscriber)
            for same in by_identity.values():
                try:
                    await same[0].caller.authorise()
                except (Unauthorized, Forbidden):
                    for subscriber in same:
                        subscriber.end("the key is not valid any more")
                except Exception as exc:
                    from_any(exc)  # the database is away: the key was valid when it was last there

    def _on_change(self, payload: str) -> None:
        """A widget changed on some host, whose versions are not ours."""
        changed = UUID(payload)
        for topic in self._topics.values():
            if topic.widget_id == changed:
                topic.is_edited = True


def error_body(error: TwinfeedError) -> Body:
    """Return what stands for the data of a widget that cannot be answered."""
    told = {
        "error": error.code,
        "message": error.message,
        "detail": error.message,
        "status": error.status,
    }
    return body_of(msgspec.json.encode(told))
