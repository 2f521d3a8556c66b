"""Tells everyone that alerts moved: this host by the shared versions, others by NOTIFY."""

import asyncio
from collections.abc import Iterable

import psycopg
import psycopg_pool
import structlog

from twin.ground import Ground
from twin.notify import decode_numbers, encode_numbers

TOPIC = "alerts"
"""Payload: origin and datasource numbers; other hosts bump their own cells."""

log = structlog.get_logger("alerts.announce")


async def announce(ground: Ground, nos: Iterable[int]) -> None:
    """Say that rules or states of datasources changed. Call after the commit."""
    numbers = list(nos)
    for no in numbers:
        ground.versions.bump("alerts", no)
    for payload in encode_numbers(ground.versions.host, numbers):
        await ground.notifier.send(TOPIC, payload)


class Announcer:
    """Announces from writer threads, and passes on what other hosts announce."""

    def __init__(self, ground: Ground) -> None:
        """Follow other hosts; must be made on the event loop."""
        self._ground = ground
        self._loop = asyncio.get_running_loop()
        self._waiting: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        ground.notifier.subscribe(TOPIC, self._on_moved)

    def moved(self, nos: Iterable[int]) -> None:
        """Bump at once, notify soon: changes that come faster than that share a notification."""
        numbers = list(nos)
        for no in numbers:
            self._ground.versions.bump("alerts", no)
        self._loop.call_soon_threadsafe(self._enqueue, numbers)

    def _enqueue(self, numbers: list[int]) -> None:
        self._waiting.update(numbers)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send(), name="alerts announce")

    async def _send(self) -> None:
        while self._waiting:
            numbers, self._waiting = sorted(self._waiting), set()
            try:
                for payload in encode_numbers(self._ground.versions.host, numbers):
                    await self._ground.notifier.send(TOPIC, payload)
            except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests) as exc:
                # Other hosts lost their listener too and hold nothing until it is back.
                log.warning("not announced", reason=type(exc).__name__)

    def _on_moved(self, payload: str) -> None:
        host, numbers = decode_numbers(payload)
        for no in numbers if host != self._ground.versions.host else ():
            self._ground.versions.bump("alerts", no)
