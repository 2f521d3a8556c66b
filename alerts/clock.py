"""What the clock does to alerts: devices fall silent, schedules end.

Every worker's job looks, and each finding is judged under the datasource's lock with the states
as they are in the database then: it happens once, whoever is first.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import psycopg
from psycopg import sql

from alerts.calendar import read_clock
from alerts.held import Change, Outcome, Prepared, transition_of
from alerts.judge import LONG_AGO, NORMAL, SCHEDULE_ENDED, Level, State, Step
from alerts.keeper import Keeper
from alerts.known import KNOWN_FOR_US
from alerts.quiet import NO_DATA, stored_states
from alerts.record import Rule
from alerts.rules import Schedule
from alerts.states import state_key
from twin.clock import now_us, to_datetime
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import Job

INTERVAL_S = 1.0
"""A silence is told at most this much late, and what the database needs to find it."""

_RUNNING = (Level.PENDING, Level.FIRING)


class Watched(msgspec.Struct, frozen=True):
    """A device that a no_data rule watches; stream_id: of the key's page, 0 = none yet."""

    rule: Rule
    device: str
    device_id: int
    stream_id: int
    column: int

    @property
    def name(self) -> tuple[int, int, str]:
        """What tells it from others, and from what the rule asked before."""
        return self.rule.rule_no, self.rule.revision, self.device


class Due(msgspec.Struct):
    """When a datasource has to be looked at next, while its alerts have this version.

    later_us: by rule, its revision and device: before that moment it cannot be silent.
    """

    version: int
    at_us: int
    later_us: dict[tuple[int, int, str], int]


class AlertClock:
    """Finds what is due, and writes it."""

    def __init__(self, ground: Ground, keeper: Keeper, clock: Callable[[], int] = now_us) -> None:
        """Tell the time by `clock`. Nothing is called silent until it had time to speak."""
        self._ground = ground
        self._keeper = keeper
        self._clock = clock
        self._started_us = clock()
        self._sql = load("alerts", "clock")
        self._due: dict[int, Due] = {}

    def job(self) -> Job:
        """Return the job that looks again and again."""
        return Job("alert clock", INTERVAL_S, lambda _ground: self.look(), exclusive=False)

    async def look(self) -> None:
        """Judge every datasource with something due."""
        async with self._ground.pool.connection() as conn:
            rows = await (await conn.execute(self._sql["clocked"])).fetchall()
        now = self._clock()
        due = [no for no, version in rows if self._is_due(no, version, now)]
        self._due = {no: self._due[no] for no, _ in rows if no in self._due}
        if due:
            await asyncio.to_thread(self._judge, due, now)

    def _is_due(self, no: int, version: int, now: int) -> bool:
        due = self._due.get(no)
        return due is None or due.version != version or due.at_us <= now

    def _judge(self, nos: Sequence[int], now: int) -> None:
        info = conninfo(self._ground.database_url, application="twinfeed alert clock")
        schemas = self._keeper.schemas(nos)
        with psycopg.connect(info, autocommit=True) as conn:
            for no in sorted(schemas):
                with conn.transaction():
                    self._keeper.lock(conn, [no])
                    prepared = self._keeper.prepared(schemas[no])
                    outcome = self._outcome(conn, prepared, now)
                    done = self._keeper.write(conn, {no: outcome}) if outcome.changes else None
                if done is not None:
                    done()

    def _outcome(self, conn: Connection, prepared: Prepared, now: int) -> Outcome:
        outcome = Outcome([], {})
        last = self._due.get(prepared.schema.no)
        due = Due(prepared.held.version, now + KNOWN_FOR_US, last.later_us if last else {})
        _end_schedules(prepared, now, outcome, due)
        self._find_silent(conn, prepared, now, outcome, due)
        self._due[prepared.schema.no] = due
        return outcome

    def _find_silent(
        self, conn: Connection, prepared: Prepared, now: int, outcome: Outcome, due: Due
    ) -> None:
        later_us, due.later_us = due.later_us, {}
        watched = []
        for one in _watched(prepared):
            if (at_us := later_us.get(one.name, now)) > now:
                due.later_us[one.name] = at_us
                due.at_us = min(due.at_us, at_us)
            else:
                watched.append(one)
        stored = stored_states(conn, [(w.rule, w.device) for w in watched if not w.device_id])
        newest = _newest(conn, watched, now)
        for one in watched:
            before = prepared.held.states.get(state_key(one.rule.rule_no, one.device_id))
            if before is None:
                before = stored.get((one.rule.rule_no, one.device), NORMAL)
            newest_us = newest.get((one.stream_id, one.column), LONG_AGO)
            self._judge_silence(one, before, newest_us, now, outcome, due)

    def _judge_silence(
        self, one: Watched, before: State, newest_us: int, now: int, outcome: Outcome, due: Due
    ) -> None:
        silence_us = one.rule.definition.spec.silence_us
        schedule = one.rule.definition.spec.schedule
        begun_us, is_open = _opened(schedule, now)
        since_us = max(newest_us, one.rule.asked_us, self._started_us, begun_us) + silence_us
        key = state_key(one.rule.rule_no, one.device_id)
        if before.level is Level.FIRING:
            _wait(due, one, now + silence_us)
            if newest_us > now - silence_us:
                step = Step(before, Level.NORMAL, newest_us, None)
                _add(outcome, key, one.rule, one.device, step)
        elif before.level is Level.NORMAL and is_open:
            if since_us <= now:
                step = Step(before, Level.FIRING, since_us, None, reason=NO_DATA)
                _add(outcome, key, one.rule, one.device, step)
            else:
                _wait(due, one, since_us)


def _wait(due: Due, one: Watched, at_us: int) -> None:
    due.later_us[one.name] = at_us
    due.at_us = min(due.at_us, at_us)


def _add(outcome: Outcome, key: int, rule: Rule, device: str, step: Step) -> None:
    outcome.transitions.append(transition_of(rule, device, step, None))
    state = State(step.level, step.ts_us, step.ts_us)
    # Devices without a stream have no number: any that is the rule's own and no device's will do.
    place = key if key & 0xFFFFFFFF else -len(outcome.changes) - 1
    outcome.changes[place] = Change(rule, device, state)


def _opened(schedule: Schedule | None, now: int) -> tuple[int, bool]:
    """Return since when a schedule is open, and whether it is."""
    if schedule is None:
        return LONG_AGO, True
    read = read_clock(schedule, np.array([now], np.int64))
    return int(read.began_us[0]), bool(read.is_open[0])


def _end_schedules(prepared: Prepared, now: int, outcome: Outcome, due: Due) -> None:
    """End what is pending or firing since before its rule's schedule last ended."""
    moment = np.array([now], np.int64)
    ended = [int(read_clock(s, moment).ended_us[0]) for s in prepared.plan.schedules]
    if ended:
        due.at_us = min(due.at_us, now + round(INTERVAL_S * 1_000_000))
    places = {int(no): place for place, no in enumerate(prepared.rule_no)} if ended else {}
    for row in prepared.held.states.open() if ended else ():
        key = int(row["key"])
        place = places.get(key >> 32)
        state = prepared.held.states.get(key)
        if place is None or state is None or state.level not in _RUNNING:
            continue
        schedule = int(prepared.plan.schedule[place])
        if schedule < 0 or state.since_us >= ended[schedule]:
            continue
        device_id = key & 0xFFFFFFFF
        device = prepared.schema.streams[device_id][0]
        step = Step(state, Level.NORMAL, ended[schedule], None, reason=SCHEDULE_ENDED)
        _add(outcome, key, prepared.held.rules[place], device, step)


def _watched(prepared: Prepared) -> list[Watched]:
    """Return the devices that no_data rules watch: those with a state, and those named."""
    rules = {
        rule.rule_no: rule
        for rule in prepared.held.rules
        if rule.definition.spec.condition == "no_data"
    }
    table = prepared.held.states.table()
    mine = np.isin(table["key"] >> 32, list(rules))
    found = [
        (rules[key >> 32], prepared.schema.streams[key & 0xFFFFFFFF][0])
        for key in table["key"][mine].tolist()
    ]
    named = [(r, r.definition.device) for r in rules.values() if r.definition.device is not None]
    pairs = {(rule.rule_no, device): (rule, device) for rule, device in [*found, *named]}
    return [_placed(prepared, rule, device) for rule, device in pairs.values()]


def _placed(prepared: Prepared, rule: Rule, device: str) -> Watched:
    slot = prepared.view.slots.get(rule.definition.key)
    page, column = (0, 0) if slot is None else divmod(slot, 16)
    stream_id = 0 if slot is None else prepared.view.stream(device, page)
    return Watched(rule, device, prepared.view.stream(device, 0), stream_id, column)


def _newest(conn: Connection, watched: Sequence[Watched], now: int) -> dict[tuple[int, int], int]:
    """Return the newest reading by (stream, column) that is at most the threshold ahead of now."""
    by_column: dict[int, dict[int, int]] = {}
    for one in watched:
        if one.stream_id:
            until = now + one.rule.definition.spec.silence_us
            streams = by_column.setdefault(one.column, {})
            streams[one.stream_id] = max(until, streams.get(one.stream_id, until))
    found = {}
    text = load("alerts", "clock")["newest"].decode()
    for column, streams in by_column.items():
        query = sql.SQL(text).format(column=sql.Identifier(f"v{column}"))
        values = {
            "streams": list(streams),
            "until": [to_datetime(us) for us in streams.values()],
            "lowest": to_datetime(now - KNOWN_FOR_US),
        }
        for stream_id, ts_us in conn.execute(query, values):
            found[stream_id, column] = ts_us
    return found
