"""Alerts inside the readings' transaction: a reading commits with what it causes, or not at all.

The steps, under the datasources' advisory locks (held until the commit):
1. reload rules and states whose version moved;  2. find the readings that contradict a state;
3. ask the database which of those are late;  4. judge;  5. write states, history and deliveries.
A batch that is foreseen to contradict nothing (`alerts/calm.py`) only makes sure that the versions still
stand, under a shared lock, and writes nothing.
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import psycopg

from alerts.calm import Calm, make_calm
from alerts.faults import find_faulty, without
from alerts.held import Held, Outcome, Prepared, Suspect, find_suspects, prepare, settle
from alerts.keeper import Keeper
from alerts.known import NOTHING
from alerts.lateness import newest_stored
from alerts.memory import Memory
from alerts.quiet import Heard, find_heard, resumed
from alerts.record import LOCK_CLASS
from twin.batch import Foreseen, Rows
from twin.clock import now_us
from twin.db.pool import Connection
from twin.ground import Ground
from twin.metrics import ALERT_EVALUATION_SECONDS
from twin.schema import DatasourceSchema

After = Callable[[], None]


class Found(msgspec.Struct, frozen=True):
    """What in a batch may change states of a datasource."""

    prepared: Prepared
    suspects: list[Suspect]
    heard: list[Heard]


class AlertHook:
    """The BatchHook of the alerts."""

    def __init__(
        self, ground: Ground, wake: Callable[[], None], clock: Callable[[], int] = now_us
    ) -> None:
        """Call `wake` when deliveries were committed. Must be made on the event loop."""
        self.keeper = Keeper(ground, wake)
        self._memory = Memory()
        self._clock = clock
        self._ground = ground
        self._calm: dict[int, tuple[Prepared, Calm | None]] = {}

    def wants(self, datasource_no: int) -> bool:
        """Return whether a datasource has rules, or may have got some since this worker looked."""
        return self.keeper.wants(datasource_no)

    def foresee(self, rows: Rows, datasource_nos: Sequence[int]) -> Foreseen | None:
        """Return the versions at which no state changes, None if one may."""
        versions = []
        for no in datasource_nos:
            schema = self._ground.schemas.by_no(no)
            if schema is None or not self.keeper.is_current(no):
                return None
            prepared = self.keeper.prepared(schema)
            calm = self._calm_of(prepared)
            if calm is None or not calm.holds(rows):
                return None
            versions.append(prepared.held.version)
        return Foreseen(LOCK_CLASS, list(datasource_nos), versions)

    def _calm_of(self, prepared: Prepared) -> Calm | None:
        no = prepared.schema.no
        last, calm = self._calm.get(no, (None, None))
        if last is None or last.plan is not prepared.plan or last.active is not prepared.active:
            states = prepared.held.states
            calm = make_calm(prepared.plan, prepared.active, states, prepared.rule_no)
            self._calm[no] = prepared, calm
        return calm

    def apply(
        self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]
    ) -> Callable[[], None] | None:
        """Judge a batch and write what it causes; return what to do once that is committed."""
        with ALERT_EVALUATION_SECONDS.time():
            return self._apply(conn, rows, datasource_nos)

    def _apply(self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]) -> After | None:
        schemas = self.keeper.schemas(datasource_nos)
        nos = sorted(schemas)
        self.keeper.lock(conn, nos)
        after: list[After] = []
        outcomes: dict[int, Outcome] = {}
        found: dict[int, Found] = {}
        for no in nos:
            held = self.keeper.held(no)
            if held is None or not held.rules:
                continue
            one = found[no] = self._found(conn, schemas[no], held, rows, after)
            if one.heard:
                outcomes[no] = resumed(conn, one.prepared, one.heard)
        if suspects := [s for one in found.values() for s in one.suspects]:
            newest_us = _newest_stored(conn, rows, suspects)
            for no, one in found.items():
                if one.suspects:
                    _merge(outcomes, no, settle(one.prepared, one.suspects, newest_us))
        outcomes = {no: outcome for no, outcome in outcomes.items() if outcome.changes}
        if outcomes:
            judged = {no: one.prepared.held for no, one in found.items()}
            after.append(self.keeper.write(conn, outcomes, judged))
        return (lambda: _run(after)) if after else None

    def _found(
        self,
        conn: Connection,
        schema: DatasourceSchema,
        held: Held,
        rows: Rows,
        after: list[After],
    ) -> Found:
        """Return what in a batch may change a state; rules that make it raise are disabled."""
        try:
            return self._look(conn, self.keeper.prepared(schema), rows, after)
        except psycopg.Error:
            raise
        except Exception:
            faulty = find_faulty(held, partial(self._try, schema, rows))
            if not faulty:
                raise
        after.append(self.keeper.disable(conn, schema.no, faulty))
        return self._look(conn, prepare(without(held, faulty), schema), rows, after)

    def _try(self, schema: DatasourceSchema, rows: Rows, held: Held) -> None:
        prepared = prepare(held, schema)
        find_suspects(prepared, rows, NOTHING)
        find_heard(prepared, rows, self._clock())

    def _look(self, conn: Connection, prepared: Prepared, rows: Rows, after: list[After]) -> Found:
        """Return what may change a state; `after` learns what to do once that is committed."""
        known, before = NOTHING, self._memory.before(conn, prepared, rows)
        if before is not None:
            known, committed = before
            if prepared.held.owner != self._memory.owner:
                self.keeper.take_over(conn, prepared.schema.no, self._memory.owner)
            after.append(committed)
        suspects = find_suspects(prepared, rows, known)
        return Found(prepared, suspects, find_heard(prepared, rows, self._clock()))


def _merge(outcomes: dict[int, Outcome], no: int, outcome: Outcome) -> None:
    if no in outcomes:
        transitions = outcomes[no].transitions + outcome.transitions
        outcome = Outcome(transitions, outcomes[no].changes | outcome.changes)
    outcomes[no] = outcome


def _run(steps: Sequence[After]) -> None:
    for step in steps:
        step()


def _newest_stored(
    conn: Connection, rows: Rows, suspects: list[Suspect]
) -> dict[tuple[int, int], int]:
    """Return the newest stored reading by (stream, column), where one may be later."""
    first_us: dict[int, dict[int, int]] = {}
    for suspect in suspects:
        c = suspect.candidate
        if c.newest_us is None:
            streams = first_us.setdefault(suspect.column, {})
            streams[c.stream_id] = min(int(c.ts_us[0]), streams.get(c.stream_id, int(c.ts_us[0])))
    return {
        (stream_id, column): newest_us
        for column, streams in sorted(first_us.items())
        for stream_id, newest_us in newest_stored(conn, rows, column, streams).items()
    }
