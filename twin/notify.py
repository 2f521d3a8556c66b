"""LISTEN and NOTIFY: how workers and hosts tell each other that something changed.

One listening connection per worker. While it is lost, `connected` is false and every cache that
relies on it is empty and off (callbacks of `on_lost`); once it is back, caches may fill again. What
cannot be understood is logged and ends nothing: every cache is emptied then too.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

from twin.db.pool import AsyncConnection, AsyncPool
from twin.tasks import end

DATA_TOPIC = "data"
"""Payload: host and the datasource numbers whose data moved."""
RETRY_S = 0.5
KEEPALIVE_S = 5.0
"""How often an idle listener asks the database whether it is still there."""
START_TIMEOUT_S = 5.0
"""A start does not wait longer for a database that is away; listening begins when it is back."""
MAX_PAYLOAD = 7000
"""PostgreSQL allows 8,000 bytes a notification."""

log = structlog.get_logger("twin.notify")


class Notifier:
    """Sends and receives (topic, payload) pairs through the database."""

    def __init__(self, conninfo: str, pool: AsyncPool) -> None:
        """Listen with a connection of its own to `conninfo`; send through `pool`."""
        self._conninfo = conninfo
        self._pool = pool
        self._callbacks: dict[str, list[Callable[[str], None]]] = defaultdict(list)
        self._lost: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    def subscribe(self, topic: str, callback: Callable[[str], None]) -> None:
        """Call back with the payload of every notification of a topic, also our own."""
        self._callbacks[topic].append(callback)

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Call back when notifications may have been missed: forget what relied on them."""
        self._lost.append(callback)

    async def send(self, topic: str, payload: str = "") -> None:
        """Notify every worker of every host, in a transaction of its own."""
        async with self._pool.everyone() as conn:
            await send_on(conn, topic, payload)

    async def start(self) -> None:
        """Connect and listen. Returns once listening, or at once when the database is away."""
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._run(ready), name="notify")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                await ready.wait()

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            await end(self._task)
        self._drop()

    async def _run(self, ready: asyncio.Event) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(self._conninfo, autocommit=True) as conn:
                    await conn.execute(await _listen(conn))
                    self.connected = True
                    ready.set()
                    await self._receive(conn)
            except Exception as exc:
                if self.connected or not isinstance(exc, psycopg.Error | OSError):
                    log.warning("listener lost", reason=type(exc).__name__)
            self._drop()
            await asyncio.sleep(RETRY_S)

    async def _receive(self, conn: AsyncConnection) -> None:
        while True:
            async for note in conn.notifies(timeout=KEEPALIVE_S):
                self._told(*note.payload.partition(" ")[::2])
            await conn.execute("SELECT 1")

    def _told(self, topic: str, payload: str) -> None:
        for callback in self._callbacks.get(topic, ()):
            try:
                callback(payload)
            except Exception as exc:
                log.warning("notification not understood", topic=topic, reason=repr(exc))
                self._forget()

    def _drop(self) -> None:
        self.connected = False
        self._forget()

    def _forget(self) -> None:
        for callback in self._lost:
            callback()


async def send_on(conn: AsyncConnection, topic: str, payload: str = "") -> None:
    """Notify on a connection: delivered when its transaction commits."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError("notification too long")
    await conn.execute("SELECT tell(%s)", [f"{topic} {payload}"])


async def _listen(conn: AsyncConnection) -> sql.Composed:
    row = await (await conn.execute("SELECT channel FROM home")).fetchone()
    if row is None:
        raise LookupError("home is empty")
    return sql.SQL("LISTEN {}").format(sql.Identifier(row[0]))


def encode_numbers(origin: str, numbers: list[int]) -> list[str]:
    """Return payloads that carry an origin and numbers, each within PostgreSQL's bound."""
    step = 600  # ten digits and a comma each stay below MAX_PAYLOAD
    return [
        json.dumps([origin, numbers[i : i + step]], separators=(",", ":"))
        for i in range(0, len(numbers), step)
    ]


def decode_numbers(payload: str) -> tuple[str, list[int]]:
    """Return what `encode_numbers` was given."""
    origin, numbers = json.loads(payload)
    return str(origin), [int(n) for n in numbers]
