"""Ends the alerts of rules that are changed, switched off or deleted, and of deleted datasources.

Runs in the transaction of the change, under the datasource's lock: receivers are told that the
alert is resolved, and the history says why.
"""

from collections.abc import Sequence

from alerts.announce import announce
from alerts.evaluate import Level, State
from alerts.held import shown_value
from alerts.notices import notices
from alerts.payload import Value
from alerts.record import LOCK_CLASS, RULES_STEP, Rule, Transition, history
from alerts.rules import kind_of
from twin.clock import now_us
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import Job
from twin.schema import DatasourceSchema

RULE_CHANGED = "rule changed"
RULE_DISABLED = "rule disabled"
RULE_DELETED = "rule deleted"
DATASOURCE_DELETED = "datasource deleted"
KEEP_DELIVERIES_DAYS = 30
KEEP_EVENTS_DAYS = 730

_LEVELS = {"pending": Level.PENDING, "firing": Level.FIRING}


async def lock(conn: AsyncConnection, no: int) -> None:
    """Hold a datasource's evaluation until the transaction ends."""
    sql = load("alerts", "rules")
    await conn.execute(sql["lock_datasource"], {"lock_class": LOCK_CLASS, "no": no})


async def bump(conn: AsyncConnection, nos: Sequence[int]) -> None:
    """Let every worker reload the rules and states of datasources, which are locked."""
    values = {"nos": list(nos), "step": RULES_STEP}
    await conn.execute(load("alerts", "evaluation")["bump_versions"], values)


async def close(
    conn: AsyncConnection,
    rules: Sequence[Rule],
    reason: str,
    *,
    at_us: int,
    external_url: str,
    schema: DatasourceSchema | None = None,
) -> None:
    """Take all states of rules back to normal and record it. The caller holds the lock."""
    sql = load("alerts", "rules")
    by_no = {rule.rule_no: rule for rule in rules}
    cursor = await conn.execute(sql["open_states"], [list(by_no)])
    transitions = []
    for rule_no, device, level, since_us, last_us, value in await cursor.fetchall():
        rule = by_no[rule_no]
        transitions.append(
            Transition(
                rule=rule,
                device=device,
                before=State(_LEVELS[level], since_us, last_us, value),
                level=Level.NORMAL,
                ts_us=at_us,
                value=value,
                shown=_shown(rule, schema, value),
                reason=reason,
            )
        )
    for query, values in history(transitions) + notices(transitions, external_url):
        await conn.execute(query, values)
    await conn.execute(sql["forget_states"], [list(by_no)])


def _shown(rule: Rule, schema: DatasourceSchema | None, value: float | None) -> Value:
    """Return a value for people; without a schema only numbers can be told."""
    if schema is not None:
        return shown_value(schema, rule.definition.key, value)
    return value if kind_of(rule.definition.spec.threshold) == "number" else None


async def close_datasource(
    conn: AsyncConnection, no: int, *, at_us: int, external_url: str
) -> None:
    """End all alerts of a datasource that is being deleted, in the caller's transaction."""
    await lock(conn, no)
    cursor = await conn.execute(load("alerts", "rules")["rules_of_datasource"], [no])
    rules = [Rule.from_row(row) for row in await cursor.fetchall()]
    if rules:
        await close(conn, rules, DATASOURCE_DELETED, at_us=at_us, external_url=external_url)
        await bump(conn, [no])


async def close_deleted(ground: Ground) -> None:
    """End the alerts of datasources that were deleted."""
    async with ground.pool.connection() as conn:
        cursor = await conn.execute(load("alerts", "rules")["deleted_datasources"])
        nos = [no for (no,) in await cursor.fetchall()]
        for no in nos:
            async with conn.transaction():
                await close_datasource(
                    conn, no, at_us=now_us(), external_url=ground.settings.public_url or ""
                )
    if nos:
        await announce(ground, nos)


async def prune(ground: Ground) -> None:
    """Drop finished deliveries, history and silences that are past keeping."""
    sql = load("alerts", "outbox")
    async with ground.pool.connection() as conn:
        await conn.execute(sql["prune_deliveries"], [KEEP_DELIVERIES_DAYS])
        await conn.execute(sql["prune_events"], [KEEP_EVENTS_DAYS])
        await conn.execute(load("alerts", "silences")["prune_silences"], [KEEP_DELIVERIES_DAYS])
        await conn.execute(load("alerts", "notices")["forget_told"])


def jobs() -> list[Job]:
    """Return the background jobs of the alerts."""
    return [
        Job("alerts of deleted datasources", 5.0, close_deleted),
        Job("old deliveries and alert history", 3600.0, prune),
    ]
