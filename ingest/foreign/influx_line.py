"""InfluxDB line protocol → readings: the general path, every form and every fault. Pure.

`measurement,tag=a,tag2=b field=1,field2="x" 1700000000000000000`. Tags become the device, the
measurement prefixes the key. Source of the grammar: InfluxDB's line protocol reference, and where that
is silent InfluxDB 1.8. Every repetition is possessive, so that no input is read twice.
"""

import re
from collections.abc import Iterator

import msgspec

from ingest.foreign.names import device_name
from ingest.readings import Reading, Value
from ingest.times import check_range
from twin.errors import ItemError, TooLarge

_MEASUREMENT = rb"(?:[^\\, \n]|\\[, ]|\\)++"
_NAME = rb"(?:[^\\,= \n]|\\[,= ]|\\)++"
_TAG = rb"," + _NAME + rb"=" + _NAME
_STRING = rb'"(?:[^"\\]|\\.)*+"'
_FIELD = _NAME + rb"=(?:" + _STRING + rb'|[^," \n\r]++)'
SERIES = re.compile(rb"(" + _MEASUREMENT + rb")((?:" + _TAG + rb")*+)", re.DOTALL)
_LINE = re.compile(
    rb"[ \t]*+(?![#\r\n])(" + _MEASUREMENT + rb"(?:" + _TAG + rb")*+) ++"
    rb"(" + _FIELD + rb"(?:," + _FIELD + rb")*+)(?: ++(-?[0-9]++))?[ \t]*+\r?(?:\n|\Z)",
    re.DOTALL,
)
_SKIPPED = re.compile(rb"[ \t\r]*+(?:#[^\n]*+)?(?:\n|\Z)")
_ONE_TAG = re.compile(rb",(" + _NAME + rb")=(" + _NAME + rb")", re.DOTALL)
_ONE_FIELD = re.compile(rb",?(" + _NAME + rb")=(" + _STRING + rb'|[^," \n\r]++)', re.DOTALL)
_MEASUREMENT_ESCAPE = re.compile(rb"\\([, ])")
_NAME_ESCAPE = re.compile(rb"\\([,= ])")
_STRING_ESCAPE = re.compile(rb'\\(["\\])')
_FLOAT = re.compile(rb"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_INTEGER = re.compile(rb"-?[0-9]{1,20}")
_BOOLEANS: dict[bytes, Value] = {
    **dict.fromkeys((b"t", b"T", b"true", b"True", b"TRUE"), True),
    **dict.fromkeys((b"f", b"F", b"false", b"False", b"FALSE"), False),
}
_INT64, _UINT64 = range(-(2**63), 2**63), range(2**64)
_MAX_DIGITS = 20
"""A time with more digits is out of range in any unit."""
_SHOWN = 200
AUTO_UNITS = ((5 * 10**9, 10**9), (5 * 10**12, 10**6), (5 * 10**15, 1000))
"""InfluxDB 3's `auto`: (below, nanoseconds per unit); from the last on nanoseconds."""


class Malformed(ValueError):
    """A line, or a part of one, that is not line protocol; the message says why."""


class Lines(msgspec.Struct):
    """What a body holds. `index` of readings and faults is the line's number, from 1."""

    readings: list[Reading]
    malformed: list[ItemError]


class Units(msgspec.Struct, frozen=True):
    """How a request's times are read. `ns_per_unit` None: by their size."""

    received_us: int
    ns_per_unit: int | None = 1

    def to_us(self, raw: int) -> int:
        """Return a time as µs."""
        return raw * (self.ns_per_unit or auto_unit(raw)) // 1000


def auto_unit(raw: int) -> int:
    """Return the nanoseconds per unit of a time of this size."""
    return next((unit for below, unit in AUTO_UNITS if abs(raw) < below), 1)


def parse(body: bytes, units: Units, max_lines: int, max_device_length: int) -> Lines:
    """Return a body's readings, and its malformed lines by number.

    Lines without a time are at the time of receipt; the second of one series 1 µs later, and so on,
    so that measurements of one device meet and no line is lost. Raises TooLarge.
    """
    found = Lines([], [])
    series = _Series(max_device_length)
    untimed: dict[bytes, int] = {}
    for number, match, line in _lines(body):
        if len(found.readings) + len(found.malformed) >= max_lines:
            raise TooLarge(f"A request may hold at most {max_lines} lines.")
        try:
            if match is None:
                raise Malformed(_reason(line))
            name, fields, raw = match.groups()
            measurement, device = series.of(name)
            values = _values(measurement, fields)
            if raw is None:
                ts_us = units.received_us + untimed.get(name, 0)
                untimed[name] = untimed.get(name, 0) + 1
            else:
                ts_us = units.to_us(_time(raw))
        except Malformed as exc:
            found.malformed.append(ItemError(_message(line, str(exc)), index=number))
            continue
        reading = Reading(number, device, ts_us, values, [])
        fault = check_range(ts_us, units.received_us)
        if fault:
            reading.faults.append(ItemError(f"{fault} (line {number})", index=number))
        found.readings.append(reading)
    return found


def split_series(name: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Return measurement and tags of a series. Raises Malformed."""
    match = SERIES.fullmatch(name)
    if match is None:
        raise Malformed("invalid tag format")
    raw, tags = match.groups()
    measurement = _text(_MEASUREMENT_ESCAPE.sub(rb"\1", raw))
    pairs = [(_name(key), _name(value)) for key, value in _ONE_TAG.findall(tags)]
    if len({key for key, _ in pairs}) < len(pairs):
        raise Malformed("duplicate tags")
    return measurement, pairs


def field_names(measurement: str, fields: bytes) -> list[str]:
    """Return the keys of a line's fields, in order. Raises Malformed."""
    return [f"{measurement}.{_name(key)}" for key, _ in _ONE_FIELD.findall(fields)]


class _Series:
    """The series of a request, each read once."""

    def __init__(self, max_device_length: int) -> None:
        self._known: dict[bytes, tuple[str, str]] = {}
        self._most = max_device_length

    def of(self, name: bytes) -> tuple[str, str]:
        """Return measurement and device."""
        known = self._known.get(name)
        if known is None:
            measurement, tags = split_series(name)
            known = self._known[name] = measurement, device_name(tags, self._most)
        return known


def _lines(body: bytes) -> Iterator[tuple[int, re.Match[bytes] | None, bytes]]:
    """Return (number, match, text) of each line that is not blank or a comment."""
    place, number = 0, 1
    while place < len(body):
        match = _LINE.match(body, place)
        if match is None:
            skipped = _SKIPPED.match(body, place)
            if skipped is not None:
                place, number = skipped.end(), number + 1
                continue
            newline = body.find(b"\n", place)
            end = newline + 1 if newline >= 0 else len(body)
        else:
            end = match.end()
        line = body[place:end]
        yield number, match, line
        number += line.count(b"\n")  # a string may hold some
        place = end


def _values(measurement: str, fields: bytes) -> list[tuple[str, Value]]:
    return [(f"{measurement}.{_name(key)}", _value(raw)) for key, raw in _ONE_FIELD.findall(fields)]


def _value(raw: bytes) -> Value:
    if _FLOAT.fullmatch(raw):
        return float(raw)
    if raw[:1] == b'"':
        return _text(_STRING_ESCAPE.sub(rb"\1", raw[1:-1]))
    if raw in _BOOLEANS:
        return _BOOLEANS[raw]
    bounds = {b"i": _INT64, b"u": _UINT64}.get(raw[-1:])
    if bounds is not None and _INTEGER.fullmatch(raw[:-1]):
        number = int(raw[:-1])
        if number not in bounds:
            raise Malformed(f"unable to parse integer {_show(raw)}: value out of range")
        return float(number)
    if raw[:1].isdigit() or raw[:1] in (b"-", b"+", b"."):
        raise Malformed("invalid number")
    raise Malformed("invalid boolean")


def _time(raw: bytes) -> int:
    if len(raw) > _MAX_DIGITS:
        raise Malformed("bad timestamp")
    return int(raw)


def _name(raw: bytes) -> str:
    return _text(_NAME_ESCAPE.sub(rb"\1", raw) if b"\\" in raw else raw)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise Malformed("not UTF-8") from exc


def _reason(line: bytes) -> str:
    """Return what is wrong with a line that does not match."""
    line = line.strip(b" \t\r\n")
    series = re.match(rb"(?:[^\\ ]|\\.|\\)++", line, re.DOTALL)
    name = series.group() if series else b""
    if name[:1] in (b"", b","):
        return "missing measurement"
    fault = _tag_fault(name)
    if fault:
        return fault
    rest = line[len(name) :].lstrip(b" ")
    if not rest:
        return "missing fields"
    first = re.match(_FIELD + rb"(?:," + _FIELD + rb")*+", rest, re.DOTALL)
    if first is None or rest[first.end() : first.end() + 1] not in (b"", b" "):
        return _field_fault(rest[first.end() :].lstrip(b",") if first else rest)
    return "bad timestamp"


def _tag_fault(name: bytes) -> str | None:
    if SERIES.fullmatch(name):
        return None
    for part in re.split(rb"(?<!\\),", name)[1:]:
        key, equals, value = part.partition(b"=")
        if not key:
            return "missing tag key"
        if not equals or not value:
            return "missing tag value"
    return "invalid tag format"


def _field_fault(rest: bytes) -> str:
    key, equals, value = rest.partition(b"=")
    if not key:
        return "missing field key"
    if not equals:
        return "invalid field format"
    if value[:1] == b'"':
        return "invalid field format" if value.count(b'"') > 1 else "unbalanced quotes"
    return "missing field value" if value[:1] in (b"", b",", b" ") else "invalid field format"


def _message(line: bytes, reason: str) -> str:
    return f"unable to parse '{_show(line.rstrip())}': {reason}"


def _show(raw: bytes) -> str:
    return raw[:_SHOWN].decode(errors="replace")
