"""The background jobs of the alerts: they end what nobody else does, and drop what is past keeping.

A device of which nothing is stored any more has no alerts. Whoever deletes readings counts that in the
same transaction (`removals`), so a job that looks later misses none.
"""

from collections.abc import Awaitable, Callable

from alerts.announce import announce
from alerts.closing import Ending, bump, close, close_deleted, end, lock, prune, rules_of
from alerts.held import RULE_FAILED
from twin.clock import now_us
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import Job

READINGS_DELETED = "readings deleted"
INTERVAL_S = 5.0
MAX_ENDED = 1000
"""States that end in one transaction: the datasource is locked meanwhile."""


async def close_vanished(ground: Ground) -> None:
    """End the alerts of devices whose readings were all deleted, and watch them no more."""

    async def sweep(conn: AsyncConnection, no: int, number: int) -> bool:
        sql = load("alerts", "rules")
        cursor = await conn.execute(sql["vanished"], {"no": no, "most": MAX_ENDED})
        states = await cursor.fetchall()
        if len(states) < MAX_ENDED:
            await conn.execute(sql["swept"], {"no": no, "number": number})
        if states:
            ending = Ending(READINGS_DELETED, now_us(), ground.settings.public_url or "")
            under_way = [state for state in states if state[2] != "normal"]
            await end(conn, await rules_of(conn, no), under_way, ending, None)
            numbers = [state[0] for state in states]
            values = {"rules": numbers, "devices": [state[1] for state in states]}
            await conn.execute(sql["forget_some"], values)
            await conn.execute(sql["revise"], [sorted(set(numbers))])
        return bool(states)

    await _each(ground, "thinned", sweep)


async def close_failed(ground: Ground) -> None:
    """End the alerts of rules that were disabled because they failed."""

    async def sweep(conn: AsyncConnection, no: int) -> bool:
        failed = await conn.execute(load("alerts", "rules")["failed_rules"], [no])
        numbers = {rule_no for (rule_no,) in await failed.fetchall()}
        rules = [rule for rule in await rules_of(conn, no) if rule.rule_no in numbers]
        url = ground.settings.public_url or ""
        await close(conn, rules, RULE_FAILED, at_us=now_us(), external_url=url)
        return True

    await _each(ground, "failed", sweep)


async def _each(ground: Ground, query: str, sweep: Callable[..., Awaitable[bool]]) -> None:
    """Lock and sweep each datasource that a query finds; let workers know where states ended."""
    moved = []
    async with ground.pool.everyone() as conn:
        cursor = await conn.execute(load("alerts", "rules")[query])
        for no, *more in await cursor.fetchall():
            async with conn.transaction():
                await lock(conn, no)
                if await sweep(conn, no, *more):
                    await bump(conn, [no])
                    moved.append(no)
    if moved:
        await announce(ground, moved)


def jobs() -> list[Job]:
    """Return the background jobs of the alerts."""
    return [
        Job("alerts of deleted datasources", INTERVAL_S, close_deleted),
        Job("alerts of deleted readings", INTERVAL_S, close_vanished),
        Job("alerts of failed rules", INTERVAL_S, close_failed),
        Job("old deliveries and alert history", 3600.0, prune),
    ]
