"""Dry runs: the transitions that a rule would have made of what is stored. Nothing is written.

The readings are taken in order of time, so none is late; nothing before the range is known.
"""

import asyncio
from datetime import datetime
from itertools import pairwise

import msgspec
import numpy as np

from alerts.check import check
from alerts.held import shown_value
from alerts.judge import NORMAL, Level, State, Step
from alerts.known import NOTHING
from alerts.plan import Schema
from alerts.quiet import NO_DATA
from alerts.replay import Played, Replay
from alerts.rules import Definition, NewRule, defined
from alerts.store import kinds_of
from alerts.words import Value
from twin.batch import PAGE_SLOTS, Rows
from twin.clock import to_datetime, to_us
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Invalid, ItemError
from twin.ground import Ground
from twin.principal import Principal
from twin.schema import DatasourceSchema

MAX_READINGS = 100_000
"""Rows that a dry run reads: some 100 MB while they are decoded, and a second or two."""
MAX_SHOWN = 1000
"""Transitions in an answer."""


class DryRun(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/alerts/dry_run: a rule as it would be created, over [from, to)."""

    rule: NewRule
    from_: datetime = msgspec.field(name="from")
    to: datetime


class DryTransition(msgspec.Struct, kw_only=True):
    """A transition that the rule would have made."""

    device: str
    ts: datetime
    previous_state: str
    state: str
    severity: str | None
    value: Value
    reason: str | None


class DryRunResult(msgspec.Struct, kw_only=True):
    """The first transitions in order of time, how many there are, and the rows that were read."""

    transitions: list[DryTransition]
    total: int
    rows: int


async def run_dry(ground: Ground, principal: Principal, asked: DryRun) -> DryRunResult:
    """Return what a rule would have done. Raises NotFound, Invalid (rule, range, too many rows)."""
    schema = await ground.schemas.get_for(principal, asked.rule.datasource_id)
    rule = defined(asked.rule)
    check(rule, kinds_of(schema))
    if asked.from_.tzinfo is None or asked.to.tzinfo is None or asked.to <= asked.from_:
        raise _invalid("to", "from and to must be times with an offset, to after from.")
    if rule.spec.condition == "no_data" and rule.spec.schedule is not None:
        raise _invalid("rule.schedule", "A dry run of no_data takes no schedule.")
    rows = await _rows(ground, schema, rule, asked)
    played = await asyncio.to_thread(_played, rule, schema, rows, to_us(asked.to))
    played.sort(key=lambda one: (one.step.ts_us, one.stream_id))
    shown = [_shown(rule, schema, one) for one in played[:MAX_SHOWN]]
    return DryRunResult(transitions=shown, total=len(played), rows=len(rows))


async def _rows(ground: Ground, schema: DatasourceSchema, rule: Definition, asked: DryRun) -> Rows:
    pages = {schema.keys[key].slot // PAGE_SLOTS for key in rule.keys if key in schema.keys}
    streams = [
        stream_id
        for stream_id, (device, page) in schema.streams.items()
        if page in pages and rule.device in (None, device)
    ]
    values = {"streams": streams, "from": asked.from_, "to": asked.to, "most": MAX_READINGS + 1}
    with driver_errors():
        async with ground.pool.bound(schema) as conn:
            cursor = await conn.execute(load("alerts", "clock")["stored"], values)
            found = await cursor.fetchall()
    if len(found) > MAX_READINGS:
        message = f"The range holds more than {MAX_READINGS} rows: ask for a shorter one."
        raise _invalid("from", message)
    table = np.array([row[2:] for row in found], np.float64).reshape(-1, PAGE_SLOTS)
    stream_id = np.array([row[0] for row in found], np.int32)
    return Rows(stream_id, np.array([row[1] for row in found], np.int64), table)


def _played(rule: Definition, schema: DatasourceSchema, rows: Rows, to_: int) -> list[Played]:
    view = Schema(
        slots={name: key.slot for name, key in schema.keys.items()},
        kinds=kinds_of(schema),
        devices=schema.devices.copy(),
        codes=schema.label_codes,
    )
    if rule.spec.condition == "no_data":
        return _silences(rule, schema, rows, to_)
    return Replay([rule], view).play(rows, NOTHING, {})


def _silences(rule: Definition, schema: DatasourceSchema, rows: Rows, to_: int) -> list[Played]:
    """Return the gaps of each device after its first reading."""
    if rule.key not in schema.keys:
        return []
    silence_us, column = rule.spec.silence_us, schema.keys[rule.key].slot % PAGE_SLOTS
    found = []
    for stream_id in np.unique(rows.stream_id).tolist():
        mine = (rows.stream_id == stream_id) & ~np.isnan(rows.values[:, column])
        times = [*rows.ts_us[mine].tolist(), to_]
        for last, following in pairwise(times):
            if following - last >= silence_us:
                begun = State(Level.FIRING, last + silence_us, last)
                step = Step(NORMAL, Level.FIRING, begun.since_us, None, reason=NO_DATA)
                found.append(Played(0, stream_id, step))
                if following != to_:
                    found.append(Played(0, stream_id, Step(begun, Level.NORMAL, following, None)))
    return found


def _shown(rule: Definition, schema: DatasourceSchema, played: Played) -> DryTransition:
    step, is_rate = played.step, rule.spec.condition == "rate_above"
    severities = rule.spec.severities
    return DryTransition(
        device=schema.streams[played.stream_id][0],
        ts=to_datetime(step.ts_us),
        previous_state=step.before.level.name.lower(),
        state=step.level.name.lower(),
        severity=severities[step.rank] if step.level is Level.FIRING else None,
        value=step.value if is_rate else shown_value(schema, rule.key, step.value),
        reason=step.reason,
    )


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, errors=[ItemError(message=message, key=field)])
