"""A datasource's rules and states as one worker holds them, and their evaluation over a batch.

Immutable: a new one replaces the old once the transaction that made it has committed.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from alerts.calm import Part
from alerts.compound import find_joined
from alerts.evaluate import Active, find_candidates
from alerts.judge import LONG_AGO, NORMAL, Candidate, Ints, Level, State, Step, after, judge
from alerts.plan import Plan, Schema, make_plan
from alerts.record import MAX_ERROR_LENGTH, Rule, Transition
from alerts.states import States, state_key
from alerts.words import Value
from twin.batch import Int32s, Int64s
from twin.schema import DatasourceSchema

RULE_FAILED = "rule failed"


class Held(msgspec.Struct, frozen=True):
    """Rules and states of one datasource at a version of theirs.

    cell: the shared version by which a worker without rules here notices new ones; owner: the
    worker whose memory of newest readings holds; removals: how often readings were deleted; is_part:
    whether these are the states of one batch's devices only.
    """

    version: int
    cell: int
    owner: int | None
    rules: list[Rule]
    states: States
    removals: int = 0
    is_part: bool = False


class Prepared(msgspec.Struct, frozen=True):
    """What is held, laid out for the datasource's present schema.

    rule_no: of the rules, by place; ascending.
    """

    held: Held
    schema: DatasourceSchema
    shape: tuple[int, int, int]
    view: Schema
    plan: Plan
    rule_no: Int64s
    active: Active

    def still_fits(self, held: Held, schema: DatasourceSchema) -> bool:
        """Return whether the plan, if not the states, is that of these rules and this schema."""
        same = self.held.rules is held.rules and self.schema is schema
        return same and self.shape == shape_of(schema)

    def device_id(self, stream_id: int) -> int:
        """Return the stream of page 0 of a stream's device: by it a state is found."""
        device, page = self.schema.streams[stream_id]
        return stream_id if page == 0 else self.schema.devices[device][0]


def shape_of(schema: DatasourceSchema) -> tuple[int, int, int]:
    """Return what moves whenever a schema grows."""
    return schema.keys_version, schema.last_stream_id, len(schema.label_texts)


def prepare(held: Held, schema: DatasourceSchema) -> Prepared:
    """Lay out rules and states for a schema, which another thread may be extending."""
    shape = shape_of(schema)
    keys = schema.keys
    view = Schema(
        slots={name: key.slot for name, key in keys.items()},
        kinds={name: key.kind for name, key in keys.items()},
        devices=schema.devices.copy(),
        codes=schema.label_codes,
    )
    plan = make_plan([rule.definition for rule in held.rules], view)
    rule_no = np.array([rule.rule_no for rule in held.rules], np.int64)
    active = active_states(plan, held.states, rule_no, view)
    return Prepared(held, schema, shape, view, plan, rule_no, active)


def restated(prepared: Prepared, held: Held) -> Prepared:
    """Return the same plan with other states: making a plan of many rules takes a while."""
    active = active_states(prepared.plan, held.states, prepared.rule_no, prepared.view)
    return msgspec.structs.replace(prepared, held=held, active=active)


def active_states(plan: Plan, states: States, rule_no: Int64s, view: Schema) -> Active:
    """Return the states that are not normal, by the rules' places (numbers sorted) and streams."""
    table = states.open()
    number, device = table["key"] >> 32, (table["key"] & 0xFFFFFFFF).astype(np.int32)
    place = np.minimum(np.searchsorted(rule_no, number), max(len(rule_no) - 1, 0))
    mine = rule_no[place] == number if len(rule_no) else np.zeros(len(table), np.bool_)
    table, place, device = table[mine], place[mine], device[mine]
    stream = streams_of(plan.page[place], device, view)
    key = place.astype(np.int64) << 32 | stream
    order = np.argsort(key[stream > 0], kind="stable")
    kept = np.flatnonzero(stream > 0)[order]
    since_us = table["since_us"][kept]
    return Active(
        key=key[kept],
        level=table["level"][kept].astype(np.intp),
        rank=table["rank"][kept].astype(np.intp),
        since_us=since_us,
        due_us=since_us + plan.for_us[place[kept]],
    )


def streams_of(page: Ints, device: Int32s, view: Schema) -> Int32s:
    """Return the streams of devices' pages, 0 where there is none."""
    stream = device.copy()
    if page.any():
        pages = {of[0]: of for of in view.devices.values() if of}
        for i in np.flatnonzero(page).tolist():
            of = pages.get(int(device[i]), ())
            stream[i] = of[page[i]] if page[i] < len(of) else 0
    return stream


class Suspect(msgspec.Struct, frozen=True):
    """A candidate with what it concerns. column: where its readings' times are stored."""

    candidate: Candidate
    rule: Rule
    device: str
    device_id: int
    column: int

    @property
    def key(self) -> int:
        """The number of the state."""
        return state_key(self.rule.rule_no, self.device_id)


def find_suspects(prepared: Prepared, part: Part) -> list[Suspect]:
    """Return what in a batch may change a state of this datasource."""
    plan, active = prepared.plan, prepared.active
    found = find_candidates(plan, active, part.rows, part.rates)
    if plan.compound is not None:
        found += find_joined(plan, active, part.rows, part.known)
    streams = prepared.schema.streams
    return [
        Suspect(
            candidate=c,
            rule=prepared.held.rules[c.rule],
            device=streams[c.stream_id][0],
            device_id=prepared.device_id(c.stream_id),
            column=int(plan.source[c.rule]),
        )
        for c in found
    ]


class Change(msgspec.Struct, frozen=True):
    """A state that a batch leads to; error: what judging raised."""

    rule: Rule
    device: str
    state: State
    error: str | None = None


class Outcome(msgspec.Struct):
    """What a batch causes: transitions in order of event time, states by key, errors."""

    transitions: list[Transition]
    changes: dict[int, Change]


def settle(
    prepared: Prepared, suspects: list[Suspect], newest_us: Mapping[tuple[int, int], int]
) -> Outcome:
    """Return what suspects come to.

    `newest_us`: (stream, column) -> the newest reading that was stored before, where there is one.
    A rule that raises is disabled for the device, which ends its alert.
    """
    outcome = Outcome([], {})
    for suspect in suspects:
        c = suspect.candidate
        before = prepared.held.states.get(suspect.key) or NORMAL
        newest = c.newest_us
        if newest is None:
            newest = newest_us.get((c.stream_id, suspect.column), LONG_AGO)
        try:
            steps = judge(c, before, suspect.rule.definition.spec.for_us, newest)
            made = [_transition(prepared.schema, suspect, step) for step in steps]
        except Exception as exc:
            _disable(outcome, suspect, before, exc)
            continue
        outcome.transitions += made
        if steps:
            state = after(steps[-1], int(c.ts_us[-1]))
            outcome.changes[suspect.key] = Change(suspect.rule, suspect.device, state)
    outcome.transitions.sort(key=lambda t: t.ts_us)
    return outcome


def _disable(outcome: Outcome, suspect: Suspect, before: State, exc: Exception) -> None:
    ts_us = int(suspect.candidate.ts_us[-1])
    error = described(exc)
    state = State(Level.DISABLED, ts_us, ts_us)
    outcome.changes[suspect.key] = Change(suspect.rule, suspect.device, state, error)
    if before.level in (Level.PENDING, Level.FIRING):
        step = Step(before, Level.NORMAL, ts_us, None, reason=RULE_FAILED)
        outcome.transitions.append(transition_of(suspect.rule, suspect.device, step, None))


def described(exc: Exception) -> str:
    """Return what is shown of an exception."""
    return f"{type(exc).__name__}: {exc}"[:MAX_ERROR_LENGTH]


def _transition(schema: DatasourceSchema, suspect: Suspect, step: Step) -> Transition:
    rule = suspect.rule
    is_rate = rule.definition.spec.condition == "rate_above"
    shown = step.value if is_rate else shown_value(schema, rule.definition.key, step.value)
    return transition_of(rule, suspect.device, step, shown)


def transition_of(rule: Rule, device: str, step: Step, shown: Value) -> Transition:
    """Return a step of a rule for a device as a transition."""
    was_firing = step.before.level is Level.FIRING
    before = rule.severity(step.before.rank) if was_firing else None
    ends = was_firing and step.level is not Level.FIRING
    return Transition(
        rule=rule,
        device=device,
        before=step.before,
        level=step.level,
        ts_us=step.ts_us,
        value=step.value,
        shown=shown,
        severity=before if ends and before else rule.severity(step.rank),
        before_severity=before,
        reason=step.reason,
    )


def shown_value(schema: DatasourceSchema, key: str, value: float | None) -> Value:
    """Return a stored value as its key's kind: a text for a code, a boolean for 0 and 1."""
    if value is not None and np.isnan(value):
        return None
    kind = schema.keys[key].kind if key in schema.keys else None
    if value is None or kind is None or kind == "number":
        return value
    if kind == "boolean":
        return value != 0
    code = int(value)
    return schema.label_texts[code] if 0 <= code < len(schema.label_texts) else None


def with_states(held: Held, version: int, changes: Mapping[int, Change]) -> Held:
    """Return what is held after a transaction changed some states."""
    changed = {key: change.state for key, change in changes.items() if key > 0}
    return msgspec.structs.replace(held, version=version, states=held.states.changed(changed))
