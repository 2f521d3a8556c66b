"""`no_data`: which devices are watched, and when they are silent.

A device is silent at a moment when none of its readings of the key has a time within the rule's
threshold of it, before or after: so a late reading does not end a silence that it does not fill, and a
device whose clock is ahead does not hide for long. A rule for every device watches those that it has
heard since it was made, or just before; a rule for one device watches it from the start.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from alerts.evaluate import pairs
from alerts.held import Change, Outcome, Prepared, transition_of
from alerts.judge import NORMAL, Level, State, Step
from alerts.record import Rule
from alerts.states import state_key
from twin.batch import Int64s, Rows
from twin.db.pool import Connection
from twin.db.queries import load

NO_DATA = "no data"


class Heard(msgspec.Struct, frozen=True):
    """A device that sent a key in time, of a rule that is firing for it or does not watch it yet."""

    rule: Rule
    device: str
    device_id: int
    ts_us: int


def find_heard(prepared: Prepared, rows: Rows, now_us: int) -> list[Heard]:
    """Return what in a batch ends a silence or begins a watch."""
    plan = prepared.plan
    found: dict[tuple[int, int], int] = {}
    if not plan.quiet:
        return []
    device_id = _device_ids(prepared, rows)
    firing = prepared.active.key[prepared.active.level == Level.FIRING]
    for rule, row in pairs(plan.quiet, rows.stream_id):
        ts_us = rows.ts_us[row]
        in_time = np.abs(now_us - ts_us) < plan.silence_us[rule]
        alive = in_time & ~np.isnan(rows.values[row, plan.source[rule]])
        rule, row, ts_us = rule[alive], row[alive], ts_us[alive]
        is_firing = np.isin(rule.astype(np.int64) << 32 | rows.stream_id[row], firing)
        states = prepared.rule_no[rule] << 32 | device_id[row]
        for i in np.flatnonzero(is_firing | ~prepared.held.states.has(states)).tolist():
            found[int(rule[i]), int(rows.stream_id[row[i]])] = int(ts_us[i])
    return [
        Heard(
            rule=prepared.held.rules[rule],
            device=prepared.schema.streams[stream_id][0],
            device_id=prepared.device_id(stream_id),
            ts_us=ts_us,
        )
        for (rule, stream_id), ts_us in found.items()
    ]


def _device_ids(prepared: Prepared, rows: Rows) -> Int64s:
    streams, place = np.unique(rows.stream_id, return_inverse=True)
    ids = [prepared.device_id(s) if s in prepared.schema.streams else 0 for s in streams.tolist()]
    return np.array(ids, np.int64)[place]


def resumed(conn: Connection, prepared: Prepared, heard: Sequence[Heard]) -> Outcome:
    """Return what the return of devices comes to: an end of their silence, or only a watch.

    Asks for states that the worker cannot hold: those of devices that had never sent anything.
    """
    stored = stored_states(conn, [(h.rule, h.device) for h in heard])
    outcome = Outcome([], {})
    for one in heard:
        key = state_key(one.rule.rule_no, one.device_id)
        before = prepared.held.states.get(key)
        if before is None:
            before = stored.get((one.rule.rule_no, one.device), NORMAL)
        if before.level is Level.FIRING:
            step = Step(before, Level.NORMAL, one.ts_us, None)
            outcome.transitions.append(transition_of(one.rule, one.device, step, None))
        if before.level is not Level.DISABLED:
            state = State(Level.NORMAL, one.ts_us, one.ts_us)
            outcome.changes[key] = Change(one.rule, one.device, state)
    outcome.transitions.sort(key=lambda t: t.ts_us)
    return outcome


def stored_states(
    conn: Connection, wanted: Sequence[tuple[Rule, str]]
) -> Mapping[tuple[int, str], State]:
    """Return the states in the database of rules for devices, where there are any."""
    values = {"rules": [r.rule_no for r, _ in wanted], "devices": [d for _, d in wanted]}
    rows = conn.execute(load("alerts", "evaluation")["states_of"], values).fetchall()
    return {
        (rule_no, device): State(Level[state.upper()], since_us, since_us)
        for rule_no, device, state, since_us in rows
    }
