"""The delivery worker: one per server process, woken by the commit of a transition.

Other workers' transitions are found by polling, so a worker that dies leaves nothing behind.
Invariant: no database connection is held during a call, and no receiver has more than its share of
the calls that run at once.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from types import TracebackType
from typing import Self

import psycopg
import psycopg_pool
import structlog

from alerts.channels import Channels
from alerts.outbox import LEASE_MARGIN_S, Claim, Outbox, Room
from alerts.retry import decide
from twin.clock import now_us
from twin.db.errors import is_away
from twin.ground import Ground
from twin.metrics import (
    ALERT_DELIVERED_SECONDS,
    ALERT_DELIVERIES,
    ALERT_DELIVERY_FAILURES,
    ALERT_DELIVERY_SECONDS,
)
from twin.tasks import end

POLL_S = 1.0
"""How soon retries and what other processes left behind are found."""
GIVE_UP_S = 60.0
"""How often a look is taken at what a receiver was not told for a day."""
WEBHOOK_SHARE = 8
"""A webhook may use one in so many of the calls at once: so many dead receivers delay nobody."""

_dice = random.SystemRandom()

log = structlog.get_logger("alerts.delivery")


class Delivery:
    """Makes deliveries while it is entered as a context."""

    def __init__(self, ground: Ground) -> None:
        """Prepare; must be made on the event loop that will run it."""
        settings = ground.settings
        self._loop = asyncio.get_running_loop()
        lease_s = settings.webhook_timeout_s + LEASE_MARGIN_S
        self._outbox = Outbox(ground, lease_s=lease_s)
        self._channels = Channels(settings)
        self._most = settings.webhook_concurrency
        self._per_webhook = max(1, settings.webhook_concurrency // WEBHOOK_SHARE)
        self._stop_s = settings.webhook_timeout_s + 1
        self._due = asyncio.Event()
        self._look_at = 0.0
        self._retries = True
        self._give_up_at = self._loop.time() + GIVE_UP_S
        self._calls: set[asyncio.Task[None]] = set()
        self._in_flight: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Say that deliveries were committed. Any thread."""
        self._loop.call_soon_threadsafe(self._due.set)

    async def __aenter__(self) -> Self:
        """Start."""
        self._task = asyncio.create_task(self._run(), name="alerts delivery")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Claim nothing more, let the open calls end, close the connections."""
        if self._task is not None:
            await end(self._task)
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._stop_s)
        await self._channels.__aexit__(kind, exc, trace)

    async def _run(self) -> None:
        while True:
            self._due.clear()
            try:
                await self._look()
                while await self._claim():
                    pass
            except Exception as exc:  # whatever it was, deliveries must go on afterwards
                if is_away(exc):
                    log.warning("outbox away")
                else:
                    log.exception("outbox unreadable")
                await asyncio.sleep(POLL_S)
            with contextlib.suppress(TimeoutError):
                pause_s = POLL_S * _dice.uniform(0.8, 1.2)  # workers must not poll in step
                # Not wait_for: until Python 3.12 it can swallow the cancellation that ends this task.
                async with asyncio.timeout(pause_s):
                    await self._due.wait()

    async def _look(self) -> None:
        """Queue what is due by time, not by a transition; each now and then only."""
        if self._loop.time() < self._look_at:
            return
        self._retries = True
        await self._outbox.remind()
        while await self._outbox.shed():
            pass
        if self._loop.time() >= self._give_up_at:
            while await self._outbox.give_up():
                pass
            self._give_up_at = self._loop.time() + GIVE_UP_S
        self._look_at = self._loop.time() + POLL_S

    async def _claim(self) -> bool:
        """Start what is due and fits; return whether there may be more."""
        room = Room(self._most - len(self._calls), self._per_webhook, self._in_flight)
        if room.free <= 0:
            return False
        claims = await self._outbox.claim(room, retries=self._retries)
        self._retries = False
        for claim in claims:
            self._in_flight[claim.target.webhook_id] += 1
            task = asyncio.create_task(self._deliver(claim), name="alerts call")
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        return bool(claims)

    async def _deliver(self, claim: Claim) -> None:
        claimed = time.perf_counter()
        try:
            with ALERT_DELIVERY_SECONDS.time():
                attempt = await self._channels.tell(claim, now_us())
            outcome = decide(
                attempt,
                attempts=claim.attempts,
                age_us=claim.age_us,
                now_us=now_us(),
                chance=_dice.random(),
            )
            ALERT_DELIVERIES.labels(outcome.verdict).inc()
            if outcome.verdict == "delivered":
                passed_s = time.perf_counter() - claimed
                ALERT_DELIVERED_SECONDS.observe(claim.age_us / 1_000_000 + passed_s)
            else:
                ALERT_DELIVERY_FAILURES.labels(outcome.reason).inc()
            await self._outbox.settle(claim, attempt, outcome)
        except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests) as exc:
            # The lease ends and the delivery is made again, with the same id.
            log.warning("outcome not recorded", reason=type(exc).__name__)
        finally:
            webhook_id = claim.target.webhook_id
            self._in_flight[webhook_id] -= 1
            if not self._in_flight[webhook_id]:
                del self._in_flight[webhook_id]
            self._due.set()
