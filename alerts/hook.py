"""Alerts inside the readings' transaction: a reading commits with what it causes, or not at all.

The steps, under the datasources' advisory locks (held until the commit):
1. reload rules and states whose version moved;  2. find the readings that contradict a state;
3. ask the database which of those are late;  4. judge;  5. write states, history and deliveries.
A batch without contradictions does two short statements and writes nothing.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from alerts.announce import Announcer
from alerts.evaluate import Level, State
from alerts.held import (
    Held,
    Prepared,
    StateKey,
    Suspect,
    find_suspects,
    prepare,
    restated,
    settle,
    with_states,
)
from alerts.lateness import newest_stored
from alerts.notices import notices
from alerts.record import (
    LOCK_CLASS,
    STATES_STEP,
    Rule,
    Transition,
    history,
    level_name,
    same_rules,
)
from twin.batch import Rows
from twin.clock import to_datetime
from twin.db.pool import Connection
from twin.db.queries import load
from twin.errors import NotFound
from twin.ground import Ground
from twin.metrics import ALERT_EVALUATION_SECONDS, ALERT_TRANSITIONS
from twin.schema import DatasourceSchema

SCHEMA_WAIT_S = 5.0
"""How long a writer waits for a schema that this worker had to forget."""

_LEVELS = {level_name(level): level for level in Level}


class AlertHook:
    """The BatchHook of the alerts."""

    def __init__(self, ground: Ground, wake: Callable[[], None]) -> None:
        """Call `wake` when deliveries were committed. Must be made on the event loop."""
        self._ground = ground
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._announcer = Announcer(ground)
        self._external_url = ground.settings.public_url or ""
        self._sql = load("alerts", "evaluation")
        self._held: dict[int, Held] = {}
        self._prepared: dict[int, Prepared] = {}
        self._adopting = threading.Lock()

    def wants(self, datasource_no: int) -> bool:
        """Return whether a datasource has rules, or may have got some since this worker looked."""
        held = self._held.get(datasource_no)
        if held is None or held.rules or not self._ground.notifier.connected:
            return True
        return held.cell != self._cell(datasource_no)

    def apply(
        self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]
    ) -> Callable[[], None] | None:
        """Judge a batch and write what it causes; return what to do once that is committed."""
        with ALERT_EVALUATION_SECONDS.time():
            return self._apply(conn, rows, datasource_nos)

    def _apply(
        self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]
    ) -> Callable[[], None] | None:
        schemas = self._schemas(datasource_nos)
        nos = sorted(schemas)
        conn.execute(self._sql["lock_datasources"], {"lock_class": LOCK_CLASS, "nos": nos})
        self._load(conn, nos)
        found: list[tuple[Prepared, list[Suspect]]] = []
        for no in nos:
            if self._held[no].rules:
                prepared = self._prepare(self._held[no], schemas[no])
                if suspects := find_suspects(prepared, rows):
                    found.append((prepared, suspects))
        if not found:
            return None
        newest_us = self._newest_stored(conn, rows, [s for _, some in found for s in some])
        transitions: list[Transition] = []
        changed: dict[int, dict[StateKey, State]] = {}
        for prepared, suspects in found:
            steps, states = settle(prepared, suspects, newest_us)
            if steps:
                transitions += steps
                changed[prepared.schema.no] = states
        if not transitions:
            return None
        versions = self._write(conn, transitions, changed)
        held = {no: with_states(self._held[no], versions[no], changed[no]) for no in changed}
        return partial(self._committed, held, transitions)

    def _committed(self, held: Mapping[int, Held], transitions: Sequence[Transition]) -> None:
        """Adopt what was committed, and tell."""
        with self._adopting:
            for no, new in held.items():
                if self._held[no].version < new.version:
                    self._held[no] = new
        for transition in transitions:
            ALERT_TRANSITIONS.labels(level_name(transition.level)).inc()
        self._announcer.moved(held)
        self._wake()

    def _cell(self, no: int) -> int:
        return self._ground.versions.read("alerts", no) ^ self._ground.versions.epoch

    def _schemas(self, nos: Iterable[int]) -> dict[int, DatasourceSchema]:
        """Return the schemas of datasources that still exist. Before any lock is taken."""
        found = {}
        for no in nos:
            schema = self._ground.schemas.by_no(no)
            if schema is None:  # forgotten since the request was read
                wanted = self._ground.schemas.get_no(no)
                try:
                    schema = asyncio.run_coroutine_threadsafe(wanted, self._loop).result(
                        SCHEMA_WAIT_S
                    )
                except NotFound:
                    continue
            found[no] = schema
        return found

    def _prepare(self, held: Held, schema: DatasourceSchema) -> Prepared:
        prepared = self._prepared.get(schema.no)
        if prepared is None or not prepared.still_fits(held, schema):
            prepared = prepare(held, schema)
        elif prepared.held is not held:
            prepared = restated(prepared, held)
        self._prepared[schema.no] = prepared
        return prepared

    def _load(self, conn: Connection, nos: list[int]) -> None:
        """Reload what moved. Under the locks and before any write, so all of it is committed."""
        cells = {no: self._cell(no) for no in nos}
        versions: dict[int, int] = dict(
            conn.execute(self._sql["versions"], {"nos": nos}).fetchall()
        )
        moved = [
            no for no in nos if (held := self._held.get(no)) is None or held.version != versions[no]
        ]
        for no in nos:
            if no not in moved and self._held[no].cell != cells[no]:
                held = self._held[no]
                self._adopt(no, Held(held.version, cells[no], held.rules, held.states))
        if not moved:
            return
        rules = self._load_rules(conn, versions, moved)
        states: dict[int, dict[StateKey, State]] = {no: {} for no in moved}
        for no, rule_no, device, level, *rest in conn.execute(self._sql["states"], {"nos": moved}):
            states[no][rule_no, device] = State(_LEVELS[level], *rest)
        for no in moved:
            self._adopt(no, Held(versions[no], cells[no], rules[no], states[no]))

    def _load_rules(
        self, conn: Connection, versions: Mapping[int, int], moved: list[int]
    ) -> dict[int, list[Rule]]:
        """Return the rules of datasources, the lists held where only states changed."""
        rules = {
            no: held.rules
            for no in moved
            if (held := self._held.get(no)) and same_rules(held.version, versions[no])
        }
        fresh: dict[int, list[Rule]] = {no: [] for no in moved if no not in rules}
        if fresh:
            for row in conn.execute(self._sql["rules"], {"nos": list(fresh)}):
                fresh[row[4]].append(Rule.from_row(row))
        return rules | fresh

    def _adopt(self, no: int, held: Held) -> None:
        with self._adopting:
            self._held[no] = held

    def _newest_stored(
        self, conn: Connection, rows: Rows, suspects: list[Suspect]
    ) -> dict[tuple[int, int], int]:
        """Return the newest stored reading by (stream, column), where one may be later."""
        first_us: dict[int, dict[int, int]] = {}
        for suspect in suspects:
            c = suspect.candidate
            first_us.setdefault(suspect.column, {})[c.stream_id] = int(c.ts_us[0])
        return {
            (stream_id, column): newest_us
            for column, streams in sorted(first_us.items())
            for stream_id, newest_us in newest_stored(conn, rows, column, streams).items()
        }

    def _write(
        self,
        conn: Connection,
        transitions: list[Transition],
        changed: Mapping[int, Mapping[StateKey, State]],
    ) -> dict[int, int]:
        """Write everything the batch caused; return the new versions."""
        states = [(key, state) for some in changed.values() for key, state in some.items()]
        values = {
            "rules": [rule_no for (rule_no, _), _ in states],
            "devices": [device for (_, device), _ in states],
            "states": [level_name(s.level) for _, s in states],
            "since": [to_datetime(s.since_us) for _, s in states],
            "last": [to_datetime(s.last_us) for _, s in states],
            "values": [s.value for _, s in states],
        }
        conn.execute(self._sql["save_states"], values)
        for query, parameters in history(transitions) + notices(transitions, self._external_url):
            conn.execute(query, parameters)
        step = {"nos": sorted(changed), "step": STATES_STEP}
        cursor = conn.execute(self._sql["bump_versions"], step)
        return dict(cursor.fetchall())
