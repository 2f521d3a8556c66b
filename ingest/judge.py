"""Judging readings against a datasource's schema. Pure.

A reading is accepted or rejected whole, with every bad key named. A rejected one leaves no trace: what
the accepted ones need and the schema lacks is returned as `wanted`, to be learned before they are
judged again.
"""

import math
from collections import defaultdict

import msgspec

from ingest.block import Block, PageRows, empty_page
from ingest.readings import Reading, Value
from twin.batch import PAGE_SLOTS
from twin.errors import ItemError
from twin.schema import DatasourceSchema, Kind, Wanted
from twin.settings import Settings


class Verdict(msgspec.Struct):
    """Which readings are accepted, what is wrong with the others, and what has to be learned."""

    accepted: list[Reading]
    rejected: int
    errors: list[ItemError]
    wanted: Wanted


def judge(readings: list[Reading], schema: DatasourceSchema, limits: Settings) -> Verdict:
    """Judge readings in order; what earlier accepted ones introduce counts for later ones."""
    court = _Court(schema, limits)
    accepted, errors, rejected = [], [], 0
    for reading in readings:
        faults = court.faults(reading)
        if reading.faults:
            faults = [*reading.faults, *faults]
        if faults:
            rejected += 1
            errors.extend(faults)
        else:
            court.admit(reading)
            accepted.append(reading)
    return Verdict(accepted, rejected, errors, court.wanted)


class _Court:
    """Holds what the accepted readings of a request have introduced so far."""

    def __init__(self, schema: DatasourceSchema, limits: Settings) -> None:
        self.schema = schema
        self.limits = limits
        self.wanted = Wanted()
        self.new_keys: set[str] = set()
        self.new_devices: set[str] = set()

    def faults(self, reading: Reading) -> list[ItemError]:
        """Return everything that is wrong with a reading."""
        found = []
        is_named = any(fault.key == "device" for fault in reading.faults)
        fault = None if is_named else self._device_fault(reading.device)
        if fault:
            found.append(ItemError(fault, index=reading.index, key="device"))
        new_keys: dict[str, Kind] = {}
        new_labels: set[str] = set()
        for key, value in reading.values:
            fault = self._value_fault(key, value, new_keys, new_labels)
            if fault:
                found.append(ItemError(fault, index=reading.index, key=key[:200]))
        return found

    def admit(self, reading: Reading) -> None:
        """Want what an accepted reading needs and the schema lacks."""
        schema, wanted = self.schema, self.wanted
        if not schema.stream(reading.device, 0):
            wanted.streams[(reading.device, 0)] = None
            if reading.device not in schema.devices:
                self.new_devices.add(reading.device)
        for key, value in reading.values:
            if value is None:
                continue
            known = schema.keys.get(key)
            if known is None or known.kind is None:
                wanted.kinds.setdefault(key, kind_of(value))
                if known is None:
                    self.new_keys.add(key)
            if known is not None and known.page and not schema.stream(reading.device, known.page):
                wanted.streams[(reading.device, known.page)] = None
            if isinstance(value, str) and value not in schema.label_codes:
                wanted.labels[value] = None

    def _device_fault(self, device: str) -> str | None:
        if device in self.schema.devices or device in self.new_devices:
            return None
        fault = text_fault(device, self.limits.max_device_length)
        if fault:
            return f"the device name {fault}"
        most = self.limits.max_devices
        if len(self.schema.devices) + len(self.new_devices) >= most:
            return f"the datasource has {most} devices, the most it may have"
        return None

    def _value_fault(
        self, key: str, value: Value, new_keys: dict[str, Kind], new_labels: set[str]
    ) -> str | None:
        if value is None:
            return None  # as if it were absent
        known = self.schema.keys.get(key)
        if known is None and key not in self.new_keys:
            fault = self._key_fault(key, new_keys)
            if fault:
                return fault
        kind = kind_of(value)
        fixed = (known.kind if known else None) or self.wanted.kinds.get(key) or new_keys.get(key)
        if fixed is not None and fixed != kind:
            return f"is a {fixed}, not a {kind}"
        if known is None and key not in self.new_keys:
            new_keys[key] = kind
        if isinstance(value, str):
            return self._label_fault(value, new_labels)
        return None if _is_finite(value) else "must be a finite number"

    def _key_fault(self, key: str, new_keys: dict[str, Kind]) -> str | None:
        if not key:
            return "a key must not be empty"
        fault = text_fault(key, self.limits.max_key_length)
        if fault:
            return f"the key {fault}"
        most = self.limits.max_keys
        taken = len(self.schema.keys) + len(self.new_keys) + len(new_keys)
        if key not in new_keys and taken >= most:
            return f"the datasource has {most} keys, the most it may have"
        return None

    def _label_fault(self, text: str, new_labels: set[str]) -> str | None:
        if text in self.schema.label_codes or text in self.wanted.labels:
            return None
        fault = text_fault(text, self.limits.max_label_length)
        if fault:
            return f"the text {fault}"
        new_labels.add(text)
        most = self.limits.max_labels
        taken = len(self.schema.label_texts) + len(self.wanted.labels) + len(new_labels)
        if taken > most:
            return f"the datasource has {most} distinct texts, the most it may have"
        return None


def kind_of(value: float | bool | str) -> Kind:
    """Return the kind of a value."""
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def to_block(accepted: list[Reading], schema: DatasourceSchema) -> Block:
    """Return the rows of accepted readings; the schema has learned all they need."""
    cells: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    slots = set()
    for row, reading in enumerate(accepted):
        for key, value in reading.values:
            if value is None:
                continue
            slot = schema.keys[key].slot
            number = schema.label_codes[value] if isinstance(value, str) else value
            cells[slot // PAGE_SLOTS].append((row, slot % PAGE_SLOTS, float(number)))
            slots.add(slot)
    pages = PageRows(schema.no)
    for page in sorted({0, *cells}):
        # Page 0 always: its row counts, orders and joins the reading.
        rows = range(len(accepted)) if page == 0 else sorted({row for row, _, _ in cells[page]})
        place = {row: i for i, row in enumerate(rows)}
        values = empty_page(len(rows))
        for row, column, number in cells[page]:
            values[place[row], column] = number
        pages.add(
            [schema.devices[accepted[row].device][page] for row in rows],
            [accepted[row].ts_us for row in rows],
            values,
        )
    return pages.block(frozenset(slots))


def text_fault(text: str, most: int) -> str | None:
    """Return what is wrong with a name or label, or None."""
    if len(text) > most:
        return f"is {len(text)} characters long, the most is {most}"
    if "\x00" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the doubles
        return False
