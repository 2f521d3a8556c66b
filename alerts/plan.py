"""A datasource's rules as arrays, ready to be laid over any batch.

A rule is named by its place in the datasource's list of rules. Rules for one device are *fixed* to
a stream; rules for every device are *broad* and cover all streams of their key's page.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.interval import Interval, breach, comparable, persists
from alerts.rules import Definition
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


class Broad(msgspec.Struct, frozen=True):
    """The rules for every device whose keys lie in one page, and that page's streams, sorted."""

    rules: Ints
    stream_id: Int32s

    def covers(self, stream_id: Int32s) -> Bools:
        """Return which of the streams are covered."""
        at = np.minimum(np.searchsorted(self.stream_id, stream_id), len(self.stream_id) - 1)
        mine: Bools = self.stream_id[at] == stream_id
        return mine


class Plan(msgspec.Struct, frozen=True):
    """All rules of a datasource. Arrays by rule, then the fixed ones sorted by stream."""

    column: Ints
    for_us: Int64s
    breach: Intervals
    persists: Intervals
    fixed_stream: Int32s
    fixed_rule: Ints
    broad: list[Broad]


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
    fixed: list[tuple[int, int]] = []
    broad: dict[int, list[int]] = {}
    for no, rule in enumerate(rules):
        slot = schema.slots.get(rule.key)
        if slot is None or not comparable(rule.spec, schema.kinds.get(rule.key)):
            continue
        page = slot // PAGE_SLOTS
        if rule.device is None:
            broad.setdefault(page, []).append(no)
        elif stream_id := schema.stream(rule.device, page):
            fixed.append((stream_id, no))
    fixed.sort()
    return Plan(
        column=np.array([schema.slots.get(r.key, 0) % PAGE_SLOTS for r in rules], np.intp),
        for_us=np.array([r.spec.for_us for r in rules], np.int64),
        breach=_intervals([breach(r.spec, schema.codes) for r in rules]),
        persists=_intervals([persists(r.spec, schema.codes) for r in rules]),
        fixed_stream=np.array([stream for stream, _ in fixed], np.int32),
        fixed_rule=np.array([no for _, no in fixed], np.intp),
        broad=_broad(broad, schema),
    )


def _intervals(intervals: list[Interval]) -> Intervals:
    return Intervals(
        np.array([i.low for i in intervals], np.float64),
        np.array([i.high for i in intervals], np.float64),
        np.array([i.inverted for i in intervals], np.bool_),
    )


def _broad(by_page: dict[int, list[int]], schema: Schema) -> list[Broad]:
    found = []
    for page, rules in sorted(by_page.items()):
        streams = sorted(s[page] for s in schema.devices.values() if page < len(s) and s[page])
        if streams:
            found.append(Broad(np.array(rules, np.intp), np.array(streams, np.int32)))
    return found
