"""What the clock does to alerts: devices fall silent, schedules end.

Every worker's job looks, and each finding is judged under the datasource's lock with the states
as they are in the database then: it happens once, whoever is first.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np
import psycopg
import structlog

from alerts.calendar import read_clock
from alerts.faults import find_faulty
from alerts.held import Change, Held, Outcome, Prepared, prepare, transition_of
from alerts.judge import SCHEDULE_ENDED, Level, State, Step
from alerts.keeper import Keeper
from alerts.known import KNOWN_FOR_US
from alerts.quiet import stored_states
from alerts.record import Rule
from alerts.silent import Watch, find_silences, newest, next_us, unheld, watched
from twin.clock import now_us
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import Job
from twin.schema import DatasourceSchema

INTERVAL_S = 1.0
"""A silence is told at most this much late, and what the database needs to find it."""

_RUNNING = (Level.PENDING, Level.FIRING)

log = structlog.get_logger("alerts.clock")


class Due(msgspec.Struct):
    """When a datasource has to be looked at next, while its alerts have this version.

    watch: what no_data rules watch, as it was left.
    """

    version: int
    at_us: int
    watch: Watch | None


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
        async with self._ground.pool.everyone() as conn:
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
                try:
                    self._judge_one(conn, schemas[no], now)
                except psycopg.Error:
                    raise
                except Exception:  # of one datasource: the others have a clock too
                    log.exception("alert clock", datasource_no=no)
                    self._disable(conn, schemas[no], now)

    def _judge_one(self, conn: Connection, schema: DatasourceSchema, now: int) -> None:
        done = None
        with conn.transaction():
            standing = self._keeper.lock(conn, [schema.no])
            if schema.no not in standing:
                return  # its states are being loaded
            outcome, due = self._outcome(conn, self._keeper.prepared(schema), now)
            if outcome.changes:
                done = self._keeper.write(conn, {schema.no: outcome}, standing)
        self._due[schema.no] = due
        if done is not None:
            done()

    def _disable(self, conn: Connection, schema: DatasourceSchema, now: int) -> None:
        """Disable the rules that raise by themselves."""
        with conn.transaction():
            held = self._keeper.lock(conn, [schema.no]).get(schema.no)
            faulty = {} if held is None else find_faulty(held, partial(_try, schema, now))
            done = self._keeper.disable(conn, schema.no, faulty) if faulty else None
        if done is not None:
            done()

    def _outcome(self, conn: Connection, prepared: Prepared, now: int) -> tuple[Outcome, Due]:
        outcome = Outcome([], {})
        last = self._due.get(prepared.schema.no)
        due = Due(prepared.held.version, now + KNOWN_FOR_US, last.watch if last else None)
        _end_schedules(prepared, now, outcome, due)
        self._find_silent(conn, prepared, now, outcome, due)
        return outcome, due

    def _find_silent(
        self, conn: Connection, prepared: Prepared, now: int, outcome: Outcome, due: Due
    ) -> None:
        if not prepared.plan.silence_us.any():
            due.watch = None
            return
        watch = watched(prepared, due.watch)
        look = np.flatnonzero(watch.later_us <= now)
        asked = unheld(prepared, watch, look)
        found = stored_states(conn, list(asked.values()))
        names = {at: (rule.rule_no, device) for at, (rule, device) in asked.items()}
        stored = {at: found[name] for at, name in names.items() if name in found}
        newest_us = newest(conn, prepared, watch, look, now)
        due.watch, silences = find_silences(
            prepared, watch, look, newest_us, now, started_us=self._started_us, stored=stored
        )
        due.at_us = min(due.at_us, next_us(due.watch, now))
        for one in silences:
            _add(outcome, one.key, one.rule, one.device, one.step)


def _try(schema: DatasourceSchema, now: int, held: Held) -> None:
    prepared = prepare(held, schema)
    _end_schedules(prepared, now, Outcome([], {}), Due(0, now, None))
    if prepared.plan.silence_us.any():
        watched(prepared, None)


def _add(outcome: Outcome, key: int, rule: Rule, device: str, step: Step) -> None:
    outcome.transitions.append(transition_of(rule, device, step, None))
    state = State(step.level, step.ts_us, step.ts_us)
    # Devices without a stream have no number: any that is the rule's own and no device's will do.
    place = key if key & 0xFFFFFFFF else -len(outcome.changes) - 1
    outcome.changes[place] = Change(rule, device, state)


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
