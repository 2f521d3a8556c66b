"""A datasource's rules and states as one worker holds them, and their evaluation over a batch.

Immutable: a new one replaces the old once the transaction that made it has committed.
"""

from collections.abc import Mapping

import msgspec

from alerts.evaluate import (
    NORMAL,
    Active,
    Candidate,
    State,
    Step,
    active_states,
    after,
    find_candidates,
    judge,
    pair_key,
)
from alerts.payload import Value
from alerts.plan import Plan, Schema, make_plan
from alerts.record import Rule, Transition
from twin.batch import PAGE_SLOTS, Rows
from twin.schema import DatasourceSchema

StateKey = tuple[int, str]
"""(rule_no, device)"""


class Held(msgspec.Struct, frozen=True):
    """Rules and states of one datasource at a version of theirs.

    cell: the shared version by which a worker without rules here notices new ones.
    """

    version: int
    cell: int
    rules: list[Rule]
    states: Mapping[StateKey, State]


class Prepared(msgspec.Struct, frozen=True):
    """What is held, laid out for the datasource's present schema."""

    held: Held
    schema: DatasourceSchema
    shape: tuple[int, int, int]
    view: Schema
    plan: Plan
    place: Mapping[int, int]
    active: Active

    def still_fits(self, held: Held, schema: DatasourceSchema) -> bool:
        """Return whether the plan, if not the states, is that of these rules and this schema."""
        same = self.held.rules is held.rules and self.schema is schema
        return same and self.shape == shape_of(schema)


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
    place = {rule.rule_no: i for i, rule in enumerate(held.rules)}
    active = _active(held, plan, view, place)
    return Prepared(held, schema, shape, view, plan, place, active)


def restated(prepared: Prepared, held: Held) -> Prepared:
    """Return the same plan with other states: making a plan of many rules takes a while."""
    active = _active(held, prepared.plan, prepared.view, prepared.place)
    return msgspec.structs.replace(prepared, held=held, active=active)


def _active(held: Held, plan: Plan, view: Schema, place: Mapping[int, int]) -> Active:
    by_pair = {}
    for (rule_no, device), state in held.states.items():
        rule = place.get(rule_no)
        if rule is None:
            continue
        slot = view.slots.get(held.rules[rule].definition.key)
        stream_id = 0 if slot is None else view.stream(device, slot // PAGE_SLOTS)
        if stream_id:
            by_pair[pair_key(rule, stream_id)] = state
    return active_states(plan, by_pair)


class Suspect(msgspec.Struct, frozen=True):
    """A candidate with what it concerns."""

    candidate: Candidate
    rule: Rule
    device: str
    column: int


def find_suspects(prepared: Prepared, rows: Rows) -> list[Suspect]:
    """Return what in a batch may change a state of this datasource."""
    held, streams = prepared.held, prepared.schema.streams
    return [
        Suspect(c, held.rules[c.rule], streams[c.stream_id][0], int(prepared.plan.column[c.rule]))
        for c in find_candidates(prepared.plan, prepared.active, rows)
    ]


def settle(
    prepared: Prepared, suspects: list[Suspect], newest_us: Mapping[tuple[int, int], int]
) -> tuple[list[Transition], dict[StateKey, State]]:
    """Return the transitions, in order of event time, and the states they lead to.

    `newest_us`: (stream, column) -> the newest reading that was stored before, where there is one.
    """
    transitions: list[Transition] = []
    states: dict[StateKey, State] = {}
    for suspect in suspects:
        c, rule = suspect.candidate, suspect.rule
        key = (rule.rule_no, suspect.device)
        newest = newest_us.get((c.stream_id, suspect.column), -(2**63))
        before = prepared.held.states.get(key, NORMAL)
        steps = judge(c, before, rule.definition.spec.for_us, newest)
        transitions += [_transition(prepared.schema, suspect, step) for step in steps]
        if steps:
            states[key] = after(steps[-1], int(c.ts_us[-1]))
    transitions.sort(key=lambda t: t.ts_us)
    return transitions, states


def _transition(schema: DatasourceSchema, suspect: Suspect, step: Step) -> Transition:
    return Transition(
        rule=suspect.rule,
        device=suspect.device,
        before=step.before,
        level=step.level,
        ts_us=step.ts_us,
        value=step.value,
        shown=shown_value(schema, suspect.rule.definition.key, step.value),
    )


def shown_value(schema: DatasourceSchema, key: str, value: float | None) -> Value:
    """Return a stored value as its key's kind: a text for a code, a boolean for 0 and 1."""
    kind = schema.keys[key].kind if key in schema.keys else None
    if value is None or kind is None or kind == "number":
        return value
    if kind == "boolean":
        return value != 0
    code = int(value)
    return schema.label_texts[code] if 0 <= code < len(schema.label_texts) else None


def with_states(held: Held, version: int, changed: Mapping[StateKey, State]) -> Held:
    """Return what is held after a transaction changed some states."""
    return Held(version, held.cell, held.rules, {**held.states, **changed})
