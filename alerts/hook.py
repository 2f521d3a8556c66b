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

from alerts.calm import Part, stirred, whole
from alerts.calms import Calms
from alerts.faults import find_faulty, without
from alerts.held import Held, Outcome, Prepared, Suspect, find_suspects, prepare, settle
from alerts.keeper import Keeper
from alerts.known import NOTHING, Known
from alerts.lateness import newest_stored
from alerts.memory import NOT_NEEDED, Memory
from alerts.quiet import Heard, find_heard, resumed
from alerts.record import LOCK_CLASS
from twin.batch import Ending, Foreseen, Rows
from twin.clock import now_us
from twin.db.pool import Connection
from twin.ground import Ground
from twin.metrics import ALERT_EVALUATION_SECONDS
from twin.schema import DatasourceSchema

FORESEEN_ROWS = 256
"""A batch with more is not foreseen from memory: others would wait for it while its rows are written."""


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
        self._calms = Calms()

    def wants(self, datasource_no: int) -> bool:
        """Return whether a datasource has rules, or may have got some since this worker looked."""
        return self.keeper.wants(datasource_no)

    def foresee(self, rows: Rows, datasource_nos: Sequence[int]) -> Foreseen | None:
        """Return the versions at which no state changes, None if one may."""
        foreseen = Foreseen(LOCK_CLASS, [], [], [], [], None)
        endings: list[Ending] = []
        is_calm = False
        try:
            is_calm = all(self._foresee(rows, no, foreseen, endings) for no in datasource_nos)
        finally:
            if not is_calm:
                _all_undone(endings)
        if not is_calm:
            return None
        ending = _joined(endings) if endings else None
        return msgspec.structs.replace(foreseen, ending=ending)

    def _foresee(self, rows: Rows, no: int, foreseen: Foreseen, endings: list[Ending]) -> bool:
        """Return whether a batch changes nothing of a datasource; add at which version, and so on."""
        schema = self._ground.schemas.by_no(no)
        if schema is None or not self.keeper.is_current(no):
            return False
        prepared = self.keeper.prepared(schema)
        before = NOT_NEEDED
        if prepared.plan.looks_back:
            remembered = (
                self._memory.remembered(prepared, rows) if len(rows) <= FORESEEN_ROWS else None
            )
            if remembered is None:
                return False
            before = remembered
            endings.append(before.ending)
        try:
            found = self._judged(prepared, rows, before.known)
        except Exception:  # a rule that raises is found when the batch is judged in full
            return False
        if found.suspects or found.heard:
            return False
        held = prepared.held
        foreseen.nos.append(no)
        foreseen.versions.append(held.version)
        foreseen.owners.append(before.owner)
        foreseen.removals.append(None if before.owner is None else held.removals)
        return True

    def apply(self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]) -> Ending | None:
        """Judge a batch and write what it causes; return what to do once that is committed."""
        endings: list[Ending] = []
        try:
            with ALERT_EVALUATION_SECONDS.time():
                self._apply(conn, rows, datasource_nos, endings)
        except BaseException:
            _all_undone(endings)
            raise
        return _joined(endings) if endings else None

    def _apply(
        self, conn: Connection, rows: Rows, datasource_nos: Sequence[int], endings: list[Ending]
    ) -> None:
        schemas = self.keeper.schemas(datasource_nos)
        nos = sorted(schemas)
        standing = self.keeper.lock(conn, nos, rows.stream_id)
        outcomes: dict[int, Outcome] = {}
        found: dict[int, Found] = {}
        for no in nos:
            held = standing.get(no)
            if held is None or not held.rules:
                continue
            one = found[no] = self._found(conn, schemas[no], held, rows, endings)
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
            endings.append(_after(self.keeper.write(conn, outcomes, judged)))

    def _found(
        self,
        conn: Connection,
        schema: DatasourceSchema,
        held: Held,
        rows: Rows,
        endings: list[Ending],
    ) -> Found:
        """Return what in a batch may change a state; rules that make it raise are disabled."""
        try:
            return self._look(conn, self.keeper.prepared(schema, held), rows, endings)
        except psycopg.Error:
            raise
        except Exception:
            faulty = find_faulty(held, partial(self._try, schema, rows))
            if not faulty:
                raise
        endings.append(_after(self.keeper.disable(conn, schema.no, faulty)))
        return self._look(conn, prepare(without(held, faulty), schema), rows, endings)

    def _try(self, schema: DatasourceSchema, rows: Rows, held: Held) -> None:
        prepared = prepare(held, schema)
        self._sought(prepared, whole(prepared.plan, rows, NOTHING))

    def _judged(self, prepared: Prepared, rows: Rows, known: Known) -> Found:
        calm = None if prepared.held.is_part else self._calms.of(prepared)
        part = stirred(prepared.plan, calm, rows, known)
        return Found(prepared, [], []) if part is None else self._sought(prepared, part)

    def _sought(self, prepared: Prepared, part: Part) -> Found:
        heard = find_heard(prepared, part.rows, self._clock())
        return Found(prepared, find_suspects(prepared, part), heard)

    def _look(
        self, conn: Connection, prepared: Prepared, rows: Rows, endings: list[Ending]
    ) -> Found:
        """Return what may change a state; `endings` learn what the transaction's end has to tell."""
        before = self._memory.before(conn, prepared, rows)
        try:
            found = self._judged(prepared, rows, before.known)
        except BaseException:
            before.ending.undone()
            raise
        endings.append(before.ending)
        if before.owner is not None and prepared.held.owner != before.owner:
            self.keeper.take_over(conn, prepared.schema.no, before.owner)
        return found


def _merge(outcomes: dict[int, Outcome], no: int, outcome: Outcome) -> None:
    if no in outcomes:
        transitions = outcomes[no].transitions + outcome.transitions
        outcome = Outcome(transitions, outcomes[no].changes | outcome.changes)
    outcomes[no] = outcome


def _after(committed: Callable[[], None]) -> Ending:
    return Ending(committed, lambda: None)


def _joined(endings: Sequence[Ending]) -> Ending:
    return Ending(partial(_all_committed, endings), partial(_all_undone, endings))


def _all_committed(endings: Sequence[Ending]) -> None:
    for ending in endings:
        ending.committed()


def _all_undone(endings: Sequence[Ending]) -> None:
    for ending in endings:
        ending.undone()


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
