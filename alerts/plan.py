"""A datasource's rules as arrays, ready to be laid over any batch.

A rule is named by its place in the datasource's list of rules. Rules for one device are *fixed* to
a stream; rules for every device are *broad* and cover all streams of their key's page. Compound
rules look at whole devices, each named by the stream of its page 0 (`alerts/compound.py`).
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.interval import NO_LIMIT, Limit, comparable, limit_of, step_limit
from alerts.rules import Definition, Schedule
from twin.batch import PAGE_SLOTS, Floats, Int32s, Int64s

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]


class Intervals(msgspec.Struct, frozen=True):
    """One interval per rule."""

    low: Floats
    high: Floats
    inverted: Bools

    def hold(self, rule: Ints, value: Floats) -> Bools:
        """Return whether each rule's condition is true of its value; without meaning for NaN."""
        inside = (value >= self.low[rule]) & (value <= self.high[rule])
        held: Bools = inside != self.inverted[rule]
        return held


class Limits(msgspec.Struct, frozen=True):
    """One limit per rule."""

    breach: Intervals
    persists: Intervals


class Broad(msgspec.Struct, frozen=True):
    """The rules for every device whose keys lie in one page, and that page's streams, sorted."""

    rules: Ints
    stream_id: Int32s

    def covers(self, stream_id: Int32s) -> Bools:
        """Return which of the streams are covered."""
        at = np.minimum(np.searchsorted(self.stream_id, stream_id), len(self.stream_id) - 1)
        mine: Bools = self.stream_id[at] == stream_id
        return mine


class Lane(msgspec.Struct, frozen=True):
    """Rules by what they cover; the fixed ones sorted by stream."""

    fixed_stream: Int32s
    fixed_rule: Ints
    broad: list[Broad]

    def __bool__(self) -> bool:
        """Return whether anything is covered."""
        return bool(len(self.fixed_rule) or self.broad)


class Rate(msgspec.Struct, frozen=True):
    """A column whose rate is watched, and the streams, sorted, in which it is."""

    column: int
    stream_id: Int32s


class Compound(msgspec.Struct, frozen=True):
    """The compound rules. Arrays by rule, of parts in turn; column -1 = a part that is never true.

    keys: (page, column) of each column of a frame; length: parts of a rule; shown: the
    column of its own key; stream_id: the streams of the keys' pages, sorted, with device and page.
    """

    lane: Lane
    keys: list[tuple[int, int]]
    columns: list[Ints]
    limits: list[Limits]
    length: Ints
    shown: Ints
    is_any: Bools
    stream_id: Int32s
    device: Int32s
    page: Ints


class Plan(msgspec.Struct, frozen=True):
    """All rules of a datasource, by what judges them. Arrays are by rule.

    column: of a row, from 16 on of its rates; source: the column behind it; page: of the stream by
    which a state is found; ranks: the limits of each severity, the rule's own first.
    """

    column: Ints
    source: Ints
    page: Ints
    for_us: Int64s
    ranks: list[Limits]
    schedule: Ints
    schedules: list[Schedule]
    plain: Lane
    rates: list[Rate]
    compound: Compound | None
    quiet: Lane
    silence_us: Int64s

    @property
    def looks_back(self) -> bool:
        """Whether a rule rests on readings before the batch."""
        return bool(self.rates) or (self.compound is not None and bool(self.compound.lane))


class Schema(msgspec.Struct, frozen=True):
    """What the plan needs to know of a datasource.

    slots: key -> slot; kinds: key -> kind; devices: device -> stream id of each page, 0 = none yet.
    """

    slots: Mapping[str, int]
    kinds: Mapping[str, str | None]
    devices: Mapping[str, Sequence[int]]
    codes: Mapping[str, int]

    def stream(self, device: str, page: int) -> int:
        """Return the stream id of a device's page, or 0."""
        pages = self.devices.get(device, ())
        return pages[page] if page < len(pages) else 0


def make_plan(rules: Sequence[Definition], schema: Schema) -> Plan:
    """Return the plan of rules; one whose key or device is unknown judges nothing."""
    slots = np.array([schema.slots.get(r.key, 0) for r in rules], np.intp)
    source, page = slots % PAGE_SLOTS, slots // PAGE_SLOTS
    simple = [no for no, rule in enumerate(rules) if _is_judged(rule, schema)]
    of = {no: rules[no].spec.condition for no in simple}
    plain = [no for no in simple if of[no] != "no_data"]
    quiet = [no for no in simple if of[no] == "no_data"]
    rating = [no for no in simple if of[no] == "rate_above"]
    joined = [no for no, rule in enumerate(rules) if rule.spec.parts]
    page[joined] = 0
    rated = sorted(set(source[rating].tolist()))
    column = source.copy()
    column[rating] = PAGE_SLOTS + np.searchsorted(rated, source[rating])
    schedules, schedule = _schedules(rules)
    return Plan(
        column=column,
        source=source,
        page=page,
        for_us=np.array([r.spec.for_us for r in rules], np.int64),
        ranks=_ranks(rules, schema),
        schedule=schedule,
        schedules=schedules,
        plain=_lane(rules, plain, page, schema),
        rates=[Rate(c, _rated(rules, rating, source, page, schema, c)) for c in rated],
        compound=_compound(rules, joined, schema) if joined else None,
        quiet=_lane(rules, quiet, page, schema),
        silence_us=np.array([_silence_us(r) for r in rules], np.int64),
    )


def _is_judged(rule: Definition, schema: Schema) -> bool:
    known = rule.spec.condition is not None and rule.key in schema.slots
    return known and comparable(rule.spec, schema.kinds.get(rule.key))


def _silence_us(rule: Definition) -> int:
    return rule.spec.silence_us if rule.spec.condition == "no_data" else 0


def _schedules(rules: Sequence[Definition]) -> tuple[list[Schedule], Ints]:
    """Return the different schedules, and for each rule the place of its own or -1."""
    found: list[Schedule] = []
    place: dict[bytes, int] = {}
    places = []
    for rule in rules:
        schedule = rule.spec.schedule
        if schedule is None:
            places.append(-1)
            continue
        text = msgspec.json.encode(schedule)
        if text not in place:
            place[text] = len(found)
            found.append(schedule)
        places.append(place[text])
    return found, np.array(places, np.intp)


def _ranks(rules: Sequence[Definition], schema: Schema) -> list[Limits]:
    most = max((len(r.spec.escalation) for r in rules), default=0)
    ranks = [_limits([limit_of(r.spec, schema.codes) for r in rules])]
    for rank in range(most):
        steps = [
            step_limit(r.spec, r.spec.escalation[rank])
            if rank < len(r.spec.escalation)
            else NO_LIMIT
            for r in rules
        ]
        ranks.append(_limits(steps))
    return ranks


def _limits(limits: Sequence[Limit]) -> Limits:
    breach, persists = [x.breach for x in limits], [x.persists for x in limits]
    made = [
        Intervals(
            np.array([i.low for i in intervals], np.float64),
            np.array([i.high for i in intervals], np.float64),
            np.array([i.inverted for i in intervals], np.bool_),
        )
        for intervals in (breach, persists)
    ]
    return Limits(*made)


def _lane(rules: Sequence[Definition], nos: Iterable[int], page: Ints, schema: Schema) -> Lane:
    fixed: list[tuple[int, int]] = []
    broad: dict[int, list[int]] = {}
    for no in nos:
        device = rules[no].device
        if device is None:
            broad.setdefault(int(page[no]), []).append(no)
        elif stream_id := schema.stream(device, int(page[no])):
            fixed.append((stream_id, no))
    fixed.sort()
    found = []
    for of_page, some in sorted(broad.items()):
        streams = _streams(schema, of_page)
        if len(streams):
            found.append(Broad(np.array(some, np.intp), streams))
    return Lane(
        np.array([stream for stream, _ in fixed], np.int32),
        np.array([no for _, no in fixed], np.intp),
        found,
    )


def _streams(schema: Schema, page: int) -> Int32s:
    found = [s[page] for s in schema.devices.values() if page < len(s) and s[page]]
    return np.sort(np.array(found, np.int32))


def _rated(
    rules: Sequence[Definition],
    rating: Sequence[int],
    source: Ints,
    page: Ints,
    schema: Schema,
    column: int,
) -> Int32s:
    """Return the streams in which the rate of a column is watched."""
    lane = _lane(rules, [no for no in rating if source[no] == column], page, schema)
    return np.unique(np.concatenate([lane.fixed_stream, *(b.stream_id for b in lane.broad)]))


def _compound(rules: Sequence[Definition], joined: Sequence[int], schema: Schema) -> Compound:
    asked = {key for no in joined for key in rules[no].keys if key in schema.slots}
    keys = sorted(divmod(schema.slots[key], PAGE_SLOTS) for key in asked)
    place = {key: keys.index(divmod(schema.slots[key], PAGE_SLOTS)) for key in asked}
    columns, limits = [], []
    for turn in range(max(len(rules[no].spec.parts) for no in joined)):
        column = np.full(len(rules), -1, np.intp)
        of_turn = [NO_LIMIT] * len(rules)
        for no in joined:
            part = next(iter(rules[no].spec.parts[turn : turn + 1]), None)
            if part and comparable(part, schema.kinds.get(part.key)):
                column[no] = place[part.key]
                of_turn[no] = limit_of(part, schema.codes)
        columns.append(column)
        limits.append(_limits(of_turn))
    pages = sorted({page for page, _ in keys})
    streams = sorted(
        (stream, of[0], page)
        for of in schema.devices.values()
        for page, stream in enumerate(of)
        if stream and page in pages
    )
    table = np.array(streams, np.int32).reshape(-1, 3)
    return Compound(
        lane=_lane(rules, joined, np.zeros(len(rules), np.intp), schema),
        keys=keys,
        columns=columns,
        limits=limits,
        length=np.array([len(r.spec.parts) for r in rules], np.intp),
        shown=np.array([place.get(r.key, -1) for r in rules], np.intp),
        is_any=np.array([r.spec.any is not None for r in rules], np.bool_),
        stream_id=table[:, 0],
        device=table[:, 1],
        page=table[:, 2].astype(np.intp),
    )
