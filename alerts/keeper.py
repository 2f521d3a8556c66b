"""What a worker holds of rules and states, kept in step with the database, and what it writes there.

Runs on a writer's connection, under the datasources' advisory locks. Invariant: nothing is adopted
before the transaction that made it has committed.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import msgspec
import psycopg

from alerts.announce import Announcer
from alerts.held import Change, Held, Outcome, Prepared, prepare, restated, with_states
from alerts.judge import Level
from alerts.loader import Loader
from alerts.loading import FEW, count_newer, load_newer, load_of_streams
from alerts.notices import notices
from alerts.record import (
    LOCK_CLASS,
    RULES_STEP,
    STATES_STEP,
    Rule,
    Transition,
    history,
    level_name,
    same_rules,
)
from alerts.states import States, no_states
from twin.batch import Int32s
from twin.clock import to_datetime
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import NotFound
from twin.ground import Ground
from twin.metrics import ALERT_RULE_FAILURES, ALERT_TRANSITIONS
from twin.schema import DatasourceSchema

SCHEMA_WAIT_S = 5.0
"""How long a writer waits for a schema that this worker had to forget."""


class Keeper:
    """The rules and states of the datasources that this worker meets."""

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
        self._parts: dict[int, Held] = {}
        self._loader = Loader(self._load)

    def wants(self, no: int) -> bool:
        """Return whether a datasource has rules, or may have got some since this worker looked."""
        held = self._held.get(no)
        if held is None or held.rules or not self._ground.notifier.connected:
            return True
        return held.cell != self._cell(no)

    def is_current(self, no: int) -> bool:
        """Return whether what is held of a datasource is the newest, as far as is known here."""
        held = self._held.get(no)
        return held is not None and self._ground.notifier.connected and held.cell == self._cell(no)

    def schemas(self, nos: Iterable[int]) -> dict[int, DatasourceSchema]:
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

    def lock(
        self, conn: Connection, nos: Sequence[int], streams: Int32s | None = None
    ) -> dict[int, Held]:
        """Lock datasources, in ascending order, until the commit; return what they stand at.

        Before any write of alerts, so all that is loaded is committed. Of a datasource with many
        states that are not held yet only those of `streams` are read, and without streams it is left
        out, while a thread loads them all.
        """
        conn.execute(self._sql["lock_datasources"], {"lock_class": LOCK_CLASS, "nos": list(nos)})
        cells = {no: self._cell(no) for no in nos}
        found = conn.execute(self._sql["versions"], {"nos": list(nos)}).fetchall()
        standing = {}
        for no, version, owner, removals in found:
            held = self._held.get(no)
            if held is None or held.version != version:
                since = -1 if held is None else held.version
                if count_newer(conn, no, since) > FEW:
                    self._loader.begin(no)
                    if streams is None:
                        continue
                    part = self._part(conn, no, version, streams)
                    now = {"owner": owner, "removals": removals}
                    standing[no] = msgspec.structs.replace(part, **now)
                    continue
                held = self._reloaded(conn, held, no, version, cells[no])
            now = {"cell": cells[no], "owner": owner, "removals": removals}
            standing[no] = msgspec.structs.replace(held, **now)
            self._adopt(no, standing[no])
        return standing

    def prepared(self, schema: DatasourceSchema, held: Held | None = None) -> Prepared:
        """Return rules and states, those last adopted unless given, laid out for a schema."""
        held = held or self._held[schema.no]
        prepared = self._prepared.get(schema.no)
        if prepared is None or not prepared.still_fits(held, schema):
            prepared = prepare(held, schema)
        elif prepared.held is not held:
            same = prepared.held.states is held.states
            prepared = (
                msgspec.structs.replace(prepared, held=held) if same else restated(prepared, held)
            )
        self._prepared[schema.no] = prepared
        return prepared

    def disable(self, conn: Connection, no: int, faulty: Mapping[int, str]) -> Callable[[], None]:
        """Disable rules of a locked datasource until they are changed, given what they raised.

        Returns what to do once that is committed.
        """
        count = self._disable(conn, faulty)
        conn.execute(self._sql["bump_versions"], {"nos": [no], "step": RULES_STEP})
        return partial(self._disabled, no, count)

    def _disable(self, conn: Connection, faulty: Mapping[int, str]) -> int:
        values = {"rules": list(faulty), "errors": list(faulty.values())}
        return len(conn.execute(self._sql["disable_rules"], values).fetchall())

    def _disabled(self, no: int, count: int) -> None:
        ALERT_RULE_FAILURES.inc(count)
        self._announcer.moved([no])

    def write(
        self, conn: Connection, outcomes: Mapping[int, Outcome], judged: Mapping[int, Held]
    ) -> Callable[[], None]:
        """Write what batches caused, by datasource; return what to do once that is committed.

        judged: by what they were judged.
        """
        step = {"nos": sorted(outcomes), "step": STATES_STEP}
        versions: dict[int, int] = dict(conn.execute(self._sql["bump_versions"], step).fetchall())
        changes = [
            (no, change) for no, outcome in outcomes.items() for change in outcome.changes.values()
        ]
        conn.execute(self._sql["save_states"], _columns(changes, versions))
        transitions = [t for outcome in outcomes.values() for t in outcome.transitions]
        for query, parameters in history(transitions) + notices(transitions, self._external_url):
            conn.execute(query, parameters)
        held = {
            no: with_states(judged[no], versions[no], outcome.changes)
            for no, outcome in outcomes.items()
            if not judged[no].is_part
        }
        failures = sum(change.error is not None for _, change in changes)
        return partial(self._committed, held, sorted(outcomes), transitions, failures)

    def take_over(self, conn: Connection, no: int, owner: int) -> None:
        """Say that this worker's memory of newest readings holds from this commit on."""
        conn.execute(self._sql["take_over"], {"no": no, "owner": owner})

    def _committed(
        self,
        held: Mapping[int, Held],
        nos: Sequence[int],
        transitions: Sequence[Transition],
        failures: int,
    ) -> None:
        """Adopt what was committed, and tell."""
        with self._adopting:
            for no, new in held.items():
                if self._held[no].version < new.version:
                    self._held[no] = new
        for transition in transitions:
            ALERT_TRANSITIONS.labels(level_name(transition.level)).inc()
        ALERT_RULE_FAILURES.inc(failures)
        self._announcer.moved(nos)
        if transitions:
            self._wake()

    def _cell(self, no: int) -> int:
        return self._ground.versions.read("alerts", no) ^ self._ground.versions.epoch

    def _adopt(self, no: int, held: Held) -> None:
        with self._adopting:
            self._held[no] = held

    def _reloaded(
        self, conn: Connection, held: Held | None, no: int, version: int, cell: int
    ) -> Held:
        """Return a datasource's rules and states, of what is held only what moved read anew."""
        if held is not None and same_rules(held.version, version):
            states = self._newer_states(conn, held, held.rules, [])
            return Held(version, cell, None, held.rules, states)
        rules = self._rules(conn, no)
        if held is None:
            held = Held(-1, cell, None, [], no_states())
        had = {rule.rule_no: rule.revision for rule in held.rules}
        anew = [rule for rule in rules if had.get(rule.rule_no) != rule.revision]
        same = [rule.rule_no for rule in rules if had.get(rule.rule_no) == rule.revision]
        known = msgspec.structs.replace(held, states=held.states.kept(same))
        return Held(version, cell, None, rules, self._newer_states(conn, known, rules, anew))

    def _rules(self, conn: Connection, no: int) -> list[Rule]:
        """Return the rules that can be read; the others are disabled."""
        rows = conn.execute(self._sql["rules"], {"nos": [no]}).fetchall()
        rules = [Rule.from_row(row) for row in rows]
        if unread := {rule.rule_no: rule.fault for rule in rules if rule.fault}:
            ALERT_RULE_FAILURES.inc(self._disable(conn, unread))
        return [rule for rule in rules if not rule.fault]

    def _newer_states(
        self, conn: Connection, held: Held, rules: Sequence[Rule], anew: Sequence[Rule]
    ) -> States:
        """Return the states held, with those written since, and all of the rules `anew`."""
        if not rules:
            return no_states()
        newer = load_newer(conn, rules[0].datasource_no, held.version, rules, anew)
        return held.states.with_newer(newer)

    def _part(self, conn: Connection, no: int, version: int, streams: Int32s) -> Held:
        """Return a datasource's rules and the states of some streams' devices."""
        last = self._parts.get(no)
        same = last is not None and same_rules(last.version, version)
        rules = last.rules if last is not None and same else self._rules(conn, no)
        states = States(load_of_streams(conn, no, rules, streams), {})
        self._parts[no] = part = Held(version, 0, None, rules, states, is_part=True)
        return part

    def _load(self, no: int) -> None:
        """Load all of a datasource's rules and states, beside its batches."""
        info = conninfo(self._ground.database_url, application="twinfeed alert states")
        with psycopg.connect(info, autocommit=True) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            cell = self._cell(no)
            with conn.transaction():
                rows = conn.execute(self._sql["versions"], {"nos": [no]}).fetchall()
                held = self._reloaded(conn, None, no, int(rows[0][1]), cell)
        with self._adopting:
            if no not in self._held or self._held[no].version < held.version:
                self._held[no] = held
        self._parts.pop(no, None)


def _columns(
    changes: Sequence[tuple[int, Change]], versions: Mapping[int, int]
) -> dict[str, list[object]]:
    """Return the parameters of the query `save_states`."""
    states = [change.state for _, change in changes]
    return {
        "datasources": [no for no, _ in changes],
        "versions": [versions[no] for no, _ in changes],
        "rules": [change.rule.rule_no for _, change in changes],
        "devices": [change.device for _, change in changes],
        "states": ["normal" if s.level is Level.DISABLED else level_name(s.level) for s in states],
        "severities": [
            change.rule.severity(change.state.rank) if change.state.level is Level.FIRING else None
            for _, change in changes
        ],
        "errors": [change.error for _, change in changes],
        "since": [to_datetime(s.since_us) for s in states],
        "last": [to_datetime(s.last_us) for s in states],
        "values": [s.value for s in states],
    }
