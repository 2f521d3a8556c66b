"""The outbox's side in the database: deliveries are claimed by lease and settled once."""

import json
from collections.abc import Mapping

import msgspec
import structlog

from alerts.retry import Attempt, Outcome
from twin.db.queries import load
from twin.ground import Ground

log = structlog.get_logger("alerts.outbox")

LOOKED_AT = 1000
"""Deliveries of one webhook that a claim looks at: what lies behind waits until these move."""
LEASE_MARGIN_S = 30.0
"""How much longer than the longest call a claim lives."""


class Claim(msgspec.Struct, frozen=True):
    """A delivery that is ours to attempt until its lease ends."""

    delivery_no: int
    delivery_id: str
    webhook_id: str
    body: str
    attempts: int
    age_us: int
    url: str
    secret: str | None


class Outbox:
    """Claims and settles deliveries. Holds a connection only while it does."""

    def __init__(self, ground: Ground, *, lease_s: float) -> None:
        """Lease claims for `lease_s`."""
        self._pool = ground.pool
        self._vault = ground.vault
        self._lease_s = lease_s
        self._sql = load("alerts", "outbox")

    async def claim(self, free: int, per_webhook: int, in_flight: Mapping[str, int]) -> list[Claim]:
        """Claim up to `free` deliveries, oldest first; `in_flight`: this worker's, by webhook."""
        values = {
            "free": free,
            "per_webhook": per_webhook,
            "in_flight": json.dumps(dict(in_flight)),
            "lease_s": self._lease_s,
            "looked_at": LOOKED_AT,
        }
        async with self._pool.connection() as conn:
            cursor = await conn.execute(self._sql["claim"], values)
            rows = await cursor.fetchall()
        claims = [claim for row in rows if (claim := self._opened(Claim(*row))) is not None]
        return sorted(claims, key=lambda claim: claim.delivery_no)

    def _opened(self, claim: Claim) -> Claim | None:
        """Return a claim with its webhook's secret, or None while no key of ours opens that.

        The lease then ends by itself, and a server that has the key makes the delivery.
        """
        if claim.secret is None:
            return claim
        try:
            return msgspec.structs.replace(claim, secret=self._vault.open(claim.secret))
        except ValueError:
            log.error("webhook secret cannot be opened", webhook_id=claim.webhook_id)
            return None

    async def settle(self, claim: Claim, attempt: Attempt, outcome: Outcome) -> None:
        """Record how an attempt ended and, for a retry, when the next is due."""
        values = {
            "delivery_no": claim.delivery_no,
            "attempts": claim.attempts,
            "state": "pending" if outcome.verdict == "retry" else outcome.verdict,
            "status": attempt.status,
            "error": outcome.error,
            "pause_us": outcome.pause_us,
        }
        async with self._pool.connection() as conn:
            await conn.execute(self._sql["settle"], values)
