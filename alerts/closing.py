"""Ends the alerts of rules that are changed, switched off or deleted, and of deleted datasources.

Runs in the transaction of the change, under the datasource's lock: receivers are told that the
alert is resolved, and the history says why.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from alerts.announce import announce
from alerts.held import shown_value, transition_of
from alerts.judge import Level, State, Step
from alerts.notices import notices
from alerts.record import LOCK_CLASS, RULES_STEP, Rule, history
from alerts.rules import kind_of
from alerts.words import Value
from twin.clock import now_us
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.ground import Ground
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
    numbers = [rule.rule_no for rule in rules]
    cursor = await conn.execute(sql["open_states"], [numbers])
    ending = Ending(reason, at_us, external_url)
    await end(conn, rules, await cursor.fetchall(), ending, schema)
    await conn.execute(sql["forget_states"], [numbers])


class Ending(msgspec.Struct, frozen=True):
    """Why and when states end, and the base of the links in what is told."""

    reason: str
    at_us: int
    external_url: str


async def end(
    conn: AsyncConnection,
    rules: Sequence[Rule],
    states: Sequence[Sequence[Any]],
    ending: Ending,
    schema: DatasourceSchema | None,
) -> None:
    """Record and tell that states end: rows as of the query `open_states`."""
    by_no = {rule.rule_no: rule for rule in rules}
    transitions = []
    for rule_no, device, *stored in states:
        rule = by_no[rule_no]
        before = _state(rule, stored)
        step = Step(before, Level.NORMAL, ending.at_us, before.value, reason=ending.reason)
        shown = _shown(rule, schema, before.value)
        transitions.append(transition_of(rule, device, step, shown))
    for query, values in history(transitions) + notices(transitions, ending.external_url):
        await conn.execute(query, values)


def _state(rule: Rule, stored: Sequence[Any]) -> State:
    """Return the state in a row of the query `open_states`."""
    level, since_us, last_us, value, severity = stored
    return State(_LEVELS[level], since_us, last_us, value, rule.rank(severity))


async def rename_severity(
    conn: AsyncConnection, rule: Rule, old: Rule, *, at_us: int, external_url: str
) -> None:
    """Give the firing alerts of a rule, otherwise unchanged, its new severity, and record it."""
    if rule.severity(0) == old.severity(0):
        return
    sql = load("alerts", "rules")
    transitions = []
    cursor = await conn.execute(sql["open_states"], [[rule.rule_no]])
    for _, device, *stored in await cursor.fetchall():
        state = _state(old, stored)
        if state.level is Level.FIRING and state.rank == 0:
            step = Step(state, Level.FIRING, at_us, state.value, reason=RULE_CHANGED)
            made = transition_of(rule, device, step, state.value)
            transitions.append(msgspec.structs.replace(made, before_severity=old.severity(0)))
    for query, values in history(transitions) + notices(transitions, external_url):
        await conn.execute(query, values)
    values = {"rule_no": rule.rule_no, "old": old.severity(0), "new": rule.severity(0)}
    await conn.execute(sql["rename_severity"], values)


def _shown(rule: Rule, schema: DatasourceSchema | None, value: float | None) -> Value:
    """Return a value for people; without a schema only numbers can be told."""
    if schema is not None:
        return shown_value(schema, rule.definition.key, value)
    return value if kind_of(rule.definition.spec.threshold) == "number" else None


async def rules_of(conn: AsyncConnection, no: int) -> list[Rule]:
    """Return all rules of a datasource."""
    cursor = await conn.execute(load("alerts", "rules")["rules_of_datasource"], [no])
    return [Rule.from_row(row) for row in await cursor.fetchall()]


async def close_datasource(
    conn: AsyncConnection, no: int, *, at_us: int, external_url: str
) -> None:
    """End all alerts of a datasource that is being deleted, in the caller's transaction."""
    await lock(conn, no)
    rules = await rules_of(conn, no)
    if rules:
        await close(conn, rules, DATASOURCE_DELETED, at_us=at_us, external_url=external_url)
        await bump(conn, [no])


async def close_deleted(ground: Ground) -> None:
    """End the alerts of datasources that were deleted."""
    async with ground.pool.everyone() as conn:
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
    async with ground.pool.everyone() as conn:
        await conn.execute(sql["prune_deliveries"], [KEEP_DELIVERIES_DAYS])
        await conn.execute(sql["prune_events"], [KEEP_EVENTS_DAYS])
        await conn.execute(load("alerts", "silences")["prune_silences"], [KEEP_DELIVERIES_DAYS])
        await conn.execute(load("alerts", "notices")["forget_told"])
