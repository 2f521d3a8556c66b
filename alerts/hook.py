"""Alerts inside the readings' transaction: a reading commits with what it causes, or not at all.

The steps, under the datasources' advisory locks (held until the commit):
1. reload rules and states whose version moved;  2. find the readings that contradict a state;
3. ask the database which of those are late;  4. judge;  5. write states, history and deliveries.
A batch without contradictions does two short statements and writes nothing.
"""

from collections.abc import Callable, Sequence

from alerts.held import Outcome, Prepared, Suspect, find_suspects, settle
from alerts.keeper import Keeper
from alerts.known import NOTHING
from alerts.lateness import newest_stored
from alerts.memory import Memory
from alerts.quiet import find_heard, resumed
from twin.batch import Rows
from twin.clock import now_us
from twin.db.pool import Connection
from twin.ground import Ground
from twin.metrics import ALERT_EVALUATION_SECONDS

After = Callable[[], None]


class AlertHook:
    """The BatchHook of the alerts."""

    def __init__(
        self, ground: Ground, wake: Callable[[], None], clock: Callable[[], int] = now_us
    ) -> None:
        """Call `wake` when deliveries were committed. Must be made on the event loop."""
        self.keeper = Keeper(ground, wake)
        self._memory = Memory()
        self._clock = clock

    def wants(self, datasource_no: int) -> bool:
        """Return whether a datasource has rules, or may have got some since this worker looked."""
        return self.keeper.wants(datasource_no)

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
        found: list[tuple[Prepared, list[Suspect]]] = []
        for no in nos:
            held = self.keeper.held(no)
            if held is None or not held.rules:
                continue
            prepared = self.keeper.prepared(schemas[no])
            suspects = self._suspects(conn, prepared, rows, after)
            if suspects:
                found.append((prepared, suspects))
            heard = find_heard(prepared, rows, self._clock())
            if heard:
                outcomes[no] = resumed(conn, prepared, heard)
        if found:
            newest_us = _newest_stored(conn, rows, [s for _, some in found for s in some])
            for prepared, suspects in found:
                _merge(outcomes, prepared.schema.no, settle(prepared, suspects, newest_us))
        outcomes = {no: outcome for no, outcome in outcomes.items() if outcome.changes}
        if outcomes:
            after.append(self.keeper.write(conn, outcomes))
        return (lambda: _run(after)) if after else None

    def _suspects(
        self, conn: Connection, prepared: Prepared, rows: Rows, after: list[After]
    ) -> list[Suspect]:
        """Return what may change a state; `after` learns what to do once that is committed."""
        no, held = prepared.schema.no, prepared.held
        owned = held.owner == self._memory.owner
        before = self._memory.before(conn, no, prepared.plan, rows, owned=owned)
        if before is None:
            return find_suspects(prepared, rows, NOTHING)
        if not owned:
            self.keeper.take_over(conn, no, self._memory.owner)
        known, committed = before
        after.append(committed)
        return find_suspects(prepared, rows, known)


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
