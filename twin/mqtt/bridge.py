"""The bridge itself: takes batches from the inbox, has them committed, then acknowledges them.

One batch at a time, made of whatever came in during the one before: many messages share a commit, and
acknowledgements keep the order of receipt, as MQTT demands.
"""

import asyncio
import contextlib

import aiomqtt
import structlog
from aiomqtt import Message

from twin.clock import now_us
from twin.importer.sender import wait_s
from twin.mqtt.broker import Broker, acknowledge, lost, settle
from twin.mqtt.inbox import Inbox
from twin.mqtt.payloads import PayloadError, posted
from twin.mqtt.sender import MAX_EXPONENT, Entry, Sender
from twin.mqtt.topics import TopicError, Topics
from twin.tasks import end

MAX_BATCH_MESSAGES = 5000
MAX_BATCH_BYTES = 4 * 2**20
"""Far below what a server takes in a request by default."""
DRAIN_S = 20.0
"""After SIGTERM, a batch has so long to be committed; then its messages are left to the broker."""
REPORT_S = 60.0
LOGGED_CHARS = 200

log = structlog.get_logger("twin.mqtt")


class Bridge:
    """From one broker to one datasource."""

    def __init__(self, broker: Broker, topics: Topics, sender: Sender, inbox: Inbox) -> None:
        """Put the parts together; `run` does the work."""
        self._broker = broker
        self._topics = topics
        self._sender = sender
        self._inbox = inbox
        self._stop = asyncio.Event()
        self._last_us = 0
        self._failures = 0
        self._in_hand = 0
        self._totals = {"messages": 0, "accepted": 0, "rejected": 0, "bad_messages": 0}
        self._reported: dict[str, int] = {}

    def stop(self) -> None:
        """Take no more messages, finish what is here and return from `run`."""
        log.info("stopping", waiting=len(self._inbox))
        self._stop.set()
        self._inbox.close()

    async def run(self) -> None:
        """Work until `stop`."""
        work = asyncio.create_task(self._work(), name="work")
        reports = asyncio.create_task(self._report_often(), name="reports")
        stopped = asyncio.create_task(self._stop.wait(), name="stopped")
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({work}, timeout=DRAIN_S)
            if work.done():
                work.result()
        finally:
            await end(work, reports, stopped)
            log.info("stopped", left=len(self._inbox) + self._in_hand, **self._counts())

    async def _work(self) -> None:
        while not self._stop.is_set():
            self._inbox.forget_unacknowledged()
            try:
                await self._session()
            except aiomqtt.MqttError as exc:
                self._failures += 1
                pause_s = wait_s(min(self._failures, MAX_EXPONENT), None)
                log.warning("broker away", problem=str(exc), retry_in_s=pause_s)
                await self._pause(pause_s)
        self._inbox.forget_unacknowledged()
        while batch := self._inbox.take(MAX_BATCH_MESSAGES, MAX_BATCH_BYTES):
            await self._store(batch)

    async def _session(self) -> None:
        """Work through one connection: until it is lost, must be made anew, or we stop."""
        url = self._broker.url
        async with self._broker.connection(self._inbox) as client:
            refused = await self._broker.subscribe(client)
            for topic in refused:
                log.error("subscription refused", topic=topic)
            log.info("connected", host=url.host, port=url.port, client_id=self._broker.client_id)
            self._failures = 0
            gone = asyncio.create_task(lost(client), name="lost")
            gone.add_done_callback(lambda _: self._inbox.wake.set())
            try:
                while batch := await self._next(gone):
                    await self._store(batch)
                    acknowledge(client, batch)
                await settle(client)
            finally:
                gone.cancel()
                await asyncio.gather(gone, return_exceptions=True)

    async def _next(self, gone: asyncio.Task[None]) -> list[Message]:
        """Return the next batch; empty to end the connection. Raises MqttError when it is lost."""
        while True:
            if gone.done():
                gone.result()
            if batch := self._inbox.take(MAX_BATCH_MESSAGES, MAX_BATCH_BYTES):
                return batch
            if self._stop.is_set():
                return []
            if self._inbox.overflowed:
                log.warning("too many messages at once: the broker shall send the rest again")
                return []
            self._inbox.wake.clear()
            await self._inbox.wake.wait()

    async def _store(self, batch: list[Message]) -> None:
        """Return once every message's readings are committed, or refused for good and logged."""
        self._in_hand = len(batch)
        entries: list[Entry] = []
        for number, message in enumerate(batch):
            try:
                entries += self._entries(number, message)
            except (TopicError, PayloadError) as exc:
                self._reject(message, str(exc))
        verdict = await self._sender.send(entries)
        self._in_hand = 0
        self._totals["messages"] += len(batch)
        self._totals["accepted"] += verdict.accepted
        self._totals["rejected"] += verdict.rejected
        for number, reasons in verdict.reasons.items():
            self._reject(batch[number], "; ".join(reasons))

    def _entries(self, number: int, message: Message) -> list[Entry]:
        place = self._topics.place(message.topic.value)
        # Later messages get later times: two values of a device must not fall on one instant.
        received_us = max(now_us(), self._last_us + 1)
        found = posted(bytes(message.payload), place, received_us)
        self._last_us = received_us + len(found.readings)
        if found.document is not None:
            return [Entry(number, found.document, is_document=True)]
        return [Entry(number, reading) for reading in found.readings]

    def _reject(self, message: Message, reason: str) -> None:
        self._totals["bad_messages"] += 1
        log.warning(
            "message rejected",
            topic=message.topic.value[:LOGGED_CHARS],
            reason=reason[: 3 * LOGGED_CHARS],
            bytes=len(message.payload),
            retained=message.retain,
        )

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _report_often(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            counts = self._counts()
            if counts != self._reported:
                self._reported = counts
                log.info("totals", **counts)

    def _counts(self) -> dict[str, int]:
        return {**self._totals, "dropped": self._inbox.dropped}
