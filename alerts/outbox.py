"""The outbox's side in the database: notices become deliveries, which are claimed by lease and settled.

Invariant: a notice is told by one delivery, made in the transaction that takes the notice; whoever
makes the call after that makes it with the same id and the same body.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from alerts.forming import MAX_ALERTS, Call, Notice, form
from alerts.record import LOCK_CLASS
from alerts.retry import GAVE_UP, GIVE_UP_AFTER_US, Attempt, Outcome
from alerts.targeting import Target, target_of
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.ground import Ground

MAX_WAITING = 20_000
"""Notices that wait for one webhook; beyond, the oldest become dead letters. All of them are looked at
for what may go, so that one alert that is stuck hides no other: some 50 ms when it comes to that."""
SHED = f"Given up: more than {MAX_WAITING:,} alerts waited."
SHED_AT_ONCE = 1000
LEASE_MARGIN_S = 5.0
"""How much longer than the longest call a claim lives: what a killed worker held waits so long."""
MAX_REMINDED = 1000
"""Alerts told again in one transaction: their datasources are locked meanwhile."""
BREAK_AFTER = 5
"""Failures in a row that open a receiver's circuit."""
FIRST_OPEN_S = 5.0
LONGEST_OPEN_S = 300.0
"""An open circuit is tried after these times, doubling: a receiver is missed five minutes at most."""


class Claim(msgspec.Struct, frozen=True):
    """A delivery that is ours to attempt until its lease ends."""

    delivery_no: int
    delivery_id: str
    target: Target
    kind: str
    body: str
    attempts: int
    age_us: int


class Room(msgspec.Struct, frozen=True):
    """How many calls may begin now: in all, for a webhook, and what each has under way already."""

    free: int
    per_webhook: int
    in_flight: Mapping[str, int]


class Outbox:
    """Claims and settles deliveries. Holds a connection only while it does."""

    def __init__(self, ground: Ground, *, lease_s: float) -> None:
        """Lease claims for `lease_s`."""
        self._pool = ground.pool
        self._vault = ground.vault
        self._lease_s = lease_s
        self._url = ground.settings.public_url or ""
        self._sql = load("alerts", "outbox")
        self._queue = load("alerts", "notices")

    async def claim(self, room: Room, *, retries: bool) -> list[Claim]:
        """Claim what is to be told now, oldest first; with `retries` also what is to be told again."""
        async with self._pool.everyone() as conn, conn.transaction():
            values: dict[str, Any] = {
                "per_webhook": room.per_webhook,
                "lease_s": self._lease_s,
                "looked_at": MAX_WAITING,
                "max_alerts": MAX_ALERTS,
                "probing": [],
            }
            claims: list[Claim] = []
            in_flight = dict(room.in_flight)
            if retries:
                cursor = await conn.execute(self._queue["probe"], values)
                probing = [webhook_id for (webhook_id,) in await cursor.fetchall()]
                values |= {"probing": probing, "free": room.free}
                claims = await self._again(conn, values | {"in_flight": json.dumps(in_flight)})
                for claim in claims:
                    id_ = claim.target.webhook_id
                    in_flight[id_] = in_flight.get(id_, 0) + 1
                    values["probing"] = [one for one in values["probing"] if one != id_]
            values["in_flight"] = json.dumps(in_flight)
            return claims + await self._new(conn, values, room.free - len(claims))

    async def _again(self, conn: AsyncConnection, values: dict[str, Any]) -> list[Claim]:
        rows = await (await conn.execute(self._sql["claim"], values)).fetchall()
        targets = await self._targets(conn, {row[2] for row in rows})
        return [
            Claim(no, id_, targets[webhook_id], *rest)
            for no, id_, webhook_id, *rest in sorted(rows)
        ]

    async def _new(self, conn: AsyncConnection, values: dict[str, Any], free: int) -> list[Claim]:
        """Take notices from the queue and make the deliveries that carry them."""
        if free <= 0:
            return []
        rows = await (await conn.execute(self._queue["take"], values)).fetchall()
        found = [(Notice(*row[:-1]), row[-1]) for row in sorted(rows)]
        silenced = [notice.notice_no for notice, _ in found if notice.silenced]
        if silenced:
            await conn.execute(self._queue["hold"], [silenced])
        told = [notice for notice, _ in found if not notice.silenced]
        if not told:
            return []
        targets = await self._targets(conn, {notice.webhook_id for notice in told})
        slots = {notice.webhook_id: slots for notice, slots in found}
        calls = form(told, targets, slots, free, self._url)
        made = await self._make(conn, calls, "pending")
        await self._carry(conn, calls, made)
        return [
            Claim(no, id_, call.target, call.kind, call.body, 1, call.age_us)
            for call, (no, id_) in zip(calls, made, strict=True)
        ]

    async def _targets(self, conn: AsyncConnection, ids: set[str]) -> dict[str, Target]:
        if not ids:
            return {}
        cursor = await conn.execute(self._queue["targets"], [list(ids)])
        return {row[0]: target_of(row, self._vault) for row in await cursor.fetchall()}

    async def _make(
        self, conn: AsyncConnection, calls: Sequence[Call], state: str, error: str | None = None
    ) -> list[tuple[int, str]]:
        values = {
            "webhooks": [call.target.webhook_id for call in calls],
            "kinds": [call.kind for call in calls],
            "counts": [len(call.notices) for call in calls],
            "bodies": [call.body for call in calls],
            "ages_us": [call.age_us for call in calls],
            "state": state,
            "error": error,
            "lease_s": self._lease_s,
        }
        return await (await conn.execute(self._queue["make_deliveries"], values)).fetchall()

    async def _carry(
        self, conn: AsyncConnection, calls: Sequence[Call], made: list[tuple[int, str]]
    ) -> None:
        pairs = [
            (notice.notice_no, no)
            for call, (no, _) in zip(calls, made, strict=True)
            for notice in call.notices
        ]
        values = {"notices": [n for n, _ in pairs], "deliveries": [d for _, d in pairs]}
        await conn.execute(self._queue["carry"], values)

    async def settle(self, claim: Claim, attempt: Attempt, outcome: Outcome) -> None:
        """Record how an attempt ended, when the next is due, and whether the receiver is there."""
        values = {
            "delivery_no": claim.delivery_no,
            "attempts": claim.attempts,
            "state": "pending" if outcome.verdict == "retry" else outcome.verdict,
            "status": attempt.status,
            "error": outcome.error,
            "pause_us": outcome.pause_us,
            "is_alive": outcome.is_alive,
            "break_after": BREAK_AFTER,
            "first_open_s": FIRST_OPEN_S,
            "longest_open_s": LONGEST_OPEN_S,
        }
        async with self._pool.everyone() as conn:
            await conn.execute(self._sql["settle"], values)

    async def remind(self) -> int:
        """Queue repeats, and what silences that ended held back. Returns how many are queued."""
        values: dict[str, Any] = {"most": MAX_REMINDED}
        async with self._pool.everyone() as conn:
            cursor = await conn.execute(self._queue["reminders_due"], values)
            nos = [no for (no,) in await cursor.fetchall()]
            if not nos:
                return 0
            values["nos"] = nos
            async with conn.transaction():
                locks = {"lock_class": LOCK_CLASS, "nos": nos}
                await conn.execute(load("alerts", "evaluation")["lock_datasources"], locks)
                repeated = await conn.execute(self._queue["repeat"], values)
                released = await conn.execute(self._queue["release"], values)
                return repeated.rowcount + released.rowcount

    async def give_up(self) -> int:
        """End what a receiver with an open circuit was not told for a day. Returns how many ended."""
        values = {
            "day_us": GIVE_UP_AFTER_US,
            "max_alerts": MAX_ALERTS,
            "error": GAVE_UP,
        }
        async with self._pool.everyone() as conn, conn.transaction():
            await conn.execute(self._sql["give_up"], values)
            return await self._bury(conn, "take_expired", values, GAVE_UP)

    async def shed(self) -> int:
        """End the oldest of what waits for a webhook beyond the bound. Returns how many ended."""
        values = {"most_waiting": MAX_WAITING, "at_once": SHED_AT_ONCE}
        async with self._pool.everyone() as conn, conn.transaction():
            return await self._bury(conn, "take_surplus", values, SHED)

    async def _bury(
        self, conn: AsyncConnection, query: str, values: Mapping[str, Any], error: str
    ) -> int:
        """Make dead letters of the notices that a query takes."""
        cursor = await conn.execute(self._queue[query], values)
        notices = [Notice(*row[:-1]) for row in sorted(await cursor.fetchall())]
        if not notices:
            return 0
        targets = await self._targets(conn, {notice.webhook_id for notice in notices})
        slots = dict.fromkeys(targets, len(notices))
        calls = form(notices, targets, slots, len(notices), self._url)
        made = await self._make(conn, calls, "failed", error)
        await self._carry(conn, calls, made)
        await conn.execute(self._queue["drop_carried"], [[no for no, _ in made]])
        return len(notices)
