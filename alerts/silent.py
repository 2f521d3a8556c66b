"""What `no_data` rules watch, in arrays: a pass over 100,000 devices must not hold up the server.

Pure, but for the question for the newest readings. Invariant: an entry is not looked at before
`later_us`, when at the earliest it can change its state without a reading.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
from psycopg import sql

from alerts.calendar import read_clock
from alerts.held import Prepared, streams_of
from alerts.judge import LONG_AGO, NORMAL, Ints, Level, State, Step
from alerts.known import KNOWN_FOR_US
from alerts.plan import Plan
from alerts.quiet import NO_DATA
from alerts.record import Rule
from alerts.states import States
from twin.batch import Int32s, Int64s
from twin.clock import to_datetime
from twin.db.pool import Connection
from twin.db.queries import load

Bools = npt.NDArray[np.bool_]


class Watch(msgspec.Struct, frozen=True):
    """What is watched, sorted by `key` (as states are; 0 for a named device that never sent anything).

    place, revision: of the rule; stream_id: of its key's page, 0 = none yet; level, since_us: of the
    state; is_held: whether that is known here, and not only in the database; later_us: see above.
    """

    plan: Plan
    states: States
    key: Int64s
    place: Ints
    revision: Int64s
    stream_id: Int32s
    level: Ints
    since_us: Int64s
    is_held: Bools
    later_us: Int64s


class Silence(msgspec.Struct, frozen=True):
    """A step that the clock found, of the state with a key."""

    rule: Rule
    device: str
    key: int
    step: Step


def watched(prepared: Prepared, last: Watch | None) -> Watch:
    """Return the devices that rules watch: those with a state, and those named."""
    if last is not None and last.plan is prepared.plan and last.states is prepared.held.states:
        return last
    rules, view = prepared.held.rules, prepared.view
    table = prepared.held.states.table()
    quiet = np.flatnonzero(prepared.plan.silence_us > 0)
    mine = np.isin(table["key"] >> 32, prepared.rule_no[quiet])
    named = [
        rules[at].rule_no << 32 | view.stream(device, 0)
        for at in quiet.tolist()
        if (device := rules[at].definition.device) is not None
    ]
    key = np.unique(np.concatenate([table["key"][mine], np.array(named, np.int64)]))
    place = np.searchsorted(prepared.rule_no, key >> 32)
    known = np.array([rule.definition.key in view.slots for rule in rules], np.bool_)
    device_id = np.where(known[place], key & 0xFFFFFFFF, 0).astype(np.int32)
    revision = np.array([rule.revision for rule in rules], np.int64)[place]
    level = np.full(len(key), int(Level.NORMAL), np.intp)
    held_at = np.searchsorted(key, table["key"][mine])
    level[held_at] = table["level"][mine]
    since_us = np.zeros(len(key), np.int64)
    since_us[held_at] = table["since_us"][mine]
    is_held = np.zeros(len(key), np.bool_)
    is_held[held_at] = True
    later_us = np.full(len(key), LONG_AGO)
    if last is not None and len(last.key):
        at = np.minimum(np.searchsorted(last.key, key), len(last.key) - 1)
        same = (last.key[at] == key) & (last.revision[at] == revision)
        same &= (last.level[at] == level) & (last.since_us[at] == since_us)
        later_us[same] = last.later_us[at[same]]
    stream_id = streams_of(prepared.plan.page[place], device_id, view)
    return Watch(
        plan=prepared.plan,
        states=prepared.held.states,
        key=key,
        place=place,
        revision=revision,
        stream_id=stream_id,
        level=level,
        since_us=since_us,
        is_held=is_held,
        later_us=later_us,
    )


def unheld(prepared: Prepared, watch: Watch, look: Ints) -> dict[int, tuple[Rule, str]]:
    """Return by place those at `look` whose state only the database can tell."""
    places = look[~watch.is_held[look]].tolist()
    return {at: (_rule(prepared, watch, at), _device(prepared, watch, at)) for at in places}


def newest(conn: Connection, prepared: Prepared, watch: Watch, look: Ints, now_us: int) -> Int64s:
    """Return of the entries at `look` the newest reading at most the threshold ahead, or LONG_AGO."""
    found = np.full(len(look), LONG_AGO)
    column = prepared.plan.source[watch.place[look]]
    until_us = now_us + prepared.plan.silence_us[watch.place[look]]
    until = {us: to_datetime(us) for us in np.unique(until_us).tolist()}
    text = load("alerts", "clock")["newest"].decode()
    for one in np.unique(column).tolist():
        mine = np.flatnonzero((column == one) & (watch.stream_id[look] > 0))
        query = sql.SQL(text).format(column=sql.Identifier(f"v{one}"))
        values = {
            "streams": watch.stream_id[look[mine]].tolist(),
            "until": [until[us] for us in until_us[mine].tolist()],
            "lowest": to_datetime(now_us - KNOWN_FOR_US),
        }
        if rows := conn.execute(query, values).fetchall():
            table = np.array(rows, np.int64)
            found[mine[table[:, 0]]] = table[:, 1]
    return found


def find_silences(
    prepared: Prepared,
    watch: Watch,
    look: Ints,
    newest_us: Int64s,
    now_us: int,
    *,
    started_us: int,
    stored: Mapping[int, State],
) -> tuple[Watch, list[Silence]]:
    """Return the watch looked at, and the steps that were found.

    newest_us: by `look`; started_us: when the server began to watch; stored: states by place that only
    the database could tell.
    """
    level = watch.level.copy()
    level[list(stored)] = [int(state.level) for state in stored.values()]
    plan, place = prepared.plan, watch.place[look]
    silence_us, schedule = plan.silence_us[place], plan.schedule[place]
    began_us, is_open = _openings(prepared, now_us)
    asked_us = np.array([rule.asked_us for rule in prepared.held.rules], np.int64)[place]
    heard_us = np.maximum.reduce([newest_us, asked_us, began_us[schedule]])
    since_us = np.maximum(heard_us, started_us) + silence_us
    firing = level[look] == Level.FIRING
    calm = (level[look] == Level.NORMAL) & is_open[schedule]
    later_us = watch.later_us.copy()
    later_us[look] = np.where(firing, now_us + silence_us, np.where(calm, since_us, LONG_AGO))
    falls = np.flatnonzero(calm & (since_us <= now_us)).tolist()
    returns = np.flatnonzero(firing & (newest_us > now_us - silence_us)).tolist()
    steps = [(int(look[at]), Level.FIRING, int(since_us[at])) for at in falls]
    steps += [(int(look[at]), Level.NORMAL, int(newest_us[at])) for at in returns]
    found = [_silence(prepared, watch, stored, *step) for step in steps]
    return msgspec.structs.replace(watch, later_us=later_us), found


def _silence(
    prepared: Prepared, watch: Watch, stored: Mapping[int, State], at: int, level: Level, ts_us: int
) -> Silence:
    key = int(watch.key[at])
    before = stored.get(at) or prepared.held.states.get(key) or NORMAL
    reason = NO_DATA if level is Level.FIRING else None
    made = Step(before, level, ts_us, None, reason=reason)
    return Silence(_rule(prepared, watch, at), _device(prepared, watch, at), key, made)


def _rule(prepared: Prepared, watch: Watch, at: int) -> Rule:
    return prepared.held.rules[int(watch.place[at])]


def _device(prepared: Prepared, watch: Watch, at: int) -> str:
    device_id = int(watch.key[at]) & 0xFFFFFFFF
    if device_id:
        return prepared.schema.streams[device_id][0]
    return _rule(prepared, watch, at).definition.device or ""


def next_us(watch: Watch, now_us: int) -> int:
    """Return when something has to be looked at next; what waits for a schedule has its own clock."""
    coming = watch.later_us[watch.later_us > now_us]
    return int(coming.min()) if len(coming) else now_us + KNOWN_FOR_US


def _openings(prepared: Prepared, now_us: int) -> tuple[Int64s, Bools]:
    """Return when each schedule began and whether it is open; the last is of rules without one."""
    moment = np.array([now_us], np.int64)
    clocks = [read_clock(schedule, moment) for schedule in prepared.plan.schedules]
    began_us = np.array([*(int(c.began_us[0]) for c in clocks), LONG_AGO], np.int64)
    return began_us, np.array([*(bool(c.is_open[0]) for c in clocks), True], np.bool_)
