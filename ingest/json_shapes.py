"""The five JSON shapes → readings. Pure.

1 flat, 2 `values`, 3 an array of 1 and 2, 4 a labelled snapshot, 5 columns. This is the general path:
any shape, any mixture, every fault named. `ingest/fast.py` takes the common case first.
"""

from collections.abc import Iterator
from typing import Any

from ingest import json_collectd
from ingest.answer import MAX_ERRORS
from ingest.json_document import decode
from ingest.readings import Context, Reading, Value
from ingest.times import BadTime
from twin.errors import Invalid, ItemError, TooLarge, Unreadable

TIME_NAMES = ("ts", "timestamp", "time")
MAX_DEPTH = 16
"""Nested objects below this depth are refused rather than flattened."""


def parse(body: bytes, context: Context, max_readings: int) -> list[Reading]:
    """Return a JSON body's readings, faulty ones included.

    Raises Unreadable for broken JSON (with the byte offset) and for an empty body or array, Invalid
    for JSON that cannot be readings at all, TooLarge for too many readings.
    """
    if not body.strip():
        raise Unreadable("The body is empty: send a reading, or an array of readings.")
    document = decode(body)
    if isinstance(document, dict):
        readings = list(_of_object(document, context, max_readings))
    elif isinstance(document, list):
        if not document:
            raise Unreadable("The array is empty: send at least one reading.")
        check_count(len(document), max_readings)
        readings = [item_reading(item, i, context) for i, item in enumerate(document)]
    else:
        raise Invalid("A reading must be a JSON object, or the body an array of them.")
    if not readings:
        raise Unreadable("The columns are empty: send at least one reading.")
    return readings


def check_count(readings: int, most: int) -> None:
    """Raise TooLarge above the bound of readings in a request."""
    if readings > most:
        raise TooLarge(f"A request may hold at most {most} readings; this one has {readings}.")


def _of_object(document: dict[str, Any], context: Context, most: int) -> Iterator[Reading]:
    values = document.get("values")
    if isinstance(values, dict) and _is_columns(document, values):
        return _columns(document, values, context, most)
    groups = _label_groups(document)
    if groups:
        return _snapshot(document, groups, context, most)
    return iter([item_reading(document, 0, context)])


def item_reading(item: Any, index: int, context: Context) -> Reading:
    """Return what shape 1 or 2 says, as reading `index` of the request, with its faults."""
    if not isinstance(item, dict):
        fault = ItemError("a reading must be an object", index=index)
        return Reading(index, "", 0, [], [fault])
    reading = Reading(index, "", context.received_us + index, [], [])
    if json_collectd.is_value_list(item):
        _read_head(reading, item, context)
        json_collectd.read(item, reading)
        return reading
    values = item.get("values")
    if isinstance(values, dict):
        named = set(item) - {"values", "device", *TIME_NAMES}
        reading.faults += [
            ItemError("cannot stand beside 'values'", index=index, key=key[:200])
            for key in sorted(named)[:MAX_ERRORS]
        ]
    else:
        values = {k: v for k, v in item.items() if k != "device" and k not in TIME_NAMES}
    _read_head(reading, item, context)
    _flatten(reading, "", values, 0)
    if not reading.values and not reading.faults:
        reading.faults.append(ItemError("the reading names no key", index=index))
    return reading


def _read_head(reading: Reading, item: dict[str, Any], context: Context) -> None:
    """Read time and device of shapes 1 and 2."""
    names = [name for name in TIME_NAMES if item.get(name) is not None]
    if len(names) > 1:
        fault = f"give one time: {' or '.join(names)}"
        reading.faults.append(ItemError(fault, index=reading.index, key=names[1]))
    elif names:
        try:
            reading.ts_us = context.time_of(item[names[0]], reading.index)
        except BadTime as exc:
            reading.faults.append(ItemError(str(exc), index=reading.index, key=names[0]))
    device = item.get("device")
    if isinstance(device, str):
        reading.device = device
    elif device is not None:
        fault = "the device must be text"
        reading.faults.append(ItemError(fault, index=reading.index, key="device"))


def _flatten(reading: Reading, prefix: str, values: dict[str, Any], depth: int) -> None:
    """Add nested keys joined by dots."""
    for name, value in values.items():
        key = prefix + name
        if isinstance(value, dict) and depth < MAX_DEPTH:
            _flatten(reading, key + ".", value, depth + 1)
        elif isinstance(value, (list, dict)):
            what = "an array is not a value" if isinstance(value, list) else "nested too deeply"
            reading.faults.append(ItemError(what, index=reading.index, key=key[:200]))
        else:
            reading.values.append((key, value))


def _label_groups(document: dict[str, Any]) -> dict[str, tuple[list[str], dict[str, list[Value]]]]:
    """Return the groups of shape 4 by name: labels and columns; empty when it is not shape 4.

    Every entry beside time and device must be a group: one array of strings and one or more arrays
    of numbers, all of equal length.
    """
    groups = {}
    for name, group in document.items():
        if name == "device" or name in TIME_NAMES:
            continue
        arrays = list(group.values()) if isinstance(group, dict) else []
        if not arrays or not all(isinstance(a, list) and a for a in arrays):
            return {}
        texts = [k for k, a in group.items() if all(isinstance(x, str) for x in a)]
        is_numeric = all(
            all(x is None or (isinstance(x, (int, float)) and not isinstance(x, bool)) for x in a)
            for k, a in group.items()
            if k not in texts
        )
        same = len({len(a) for a in arrays}) == 1
        if len(texts) != 1 or len(arrays) < 2 or not is_numeric or not same:
            return {}
        columns = {f"{name}.{k}": a for k, a in group.items() if k != texts[0]}
        groups[name] = (group[texts[0]], columns)
    return groups


def _snapshot(
    document: dict[str, Any],
    groups: dict[str, tuple[list[str], dict[str, list[Value]]]],
    context: Context,
    most: int,
) -> Iterator[Reading]:
    if document.get("device") is not None:
        message = "The labels of a labelled snapshot are its devices: leave 'device' out."
        raise Invalid(message, errors=[ItemError(message, key="device")])
    check_count(sum(len(labels) for labels, _ in groups.values()), most)
    head = Reading(0, "", context.received_us, [], [])
    _read_head(head, document, context)
    is_timed = any(document.get(name) is not None for name in TIME_NAMES)
    index = 0
    for labels, columns in groups.values():
        for row, label in enumerate(labels):
            values = [(key, column[row]) for key, column in columns.items()]
            faults = [ItemError(f.message, index=index, key=f.key) for f in head.faults]
            ts_us = head.ts_us if is_timed else head.ts_us + index
            yield Reading(index, label, ts_us, values, faults)
            index += 1


def _is_columns(document: dict[str, Any], values: dict[str, Any]) -> bool:
    heads = [document.get(name) for name in (*TIME_NAMES, "device")]
    return any(isinstance(x, list) for x in (*heads, *values.values()))


def _columns(
    document: dict[str, Any], values: dict[str, Any], context: Context, most: int
) -> Iterator[Reading]:
    """Read shape 5: every array of equal length, null = absent."""
    flat: dict[str, Any] = {}
    _flatten_columns(flat, "", values, 0)
    names = [name for name in TIME_NAMES if document.get(name) is not None]
    times = document[names[0]] if names else None
    device = document.get("device")
    errors = [
        ItemError("cannot stand beside 'values'", key=key[:200])
        for key in sorted(set(document) - {"values", "device", *TIME_NAMES})
    ]
    arrays = {**flat}
    if times is not None:
        arrays[names[0]] = times
    if device is not None and not isinstance(device, str):
        arrays["device"] = device
    errors += [
        ItemError("must be an array, as the other columns are", key=key[:200])
        for key, array in arrays.items()
        if not isinstance(array, list)
    ]
    lengths = {key: len(a) for key, a in arrays.items() if isinstance(a, list)}
    rows = max(lengths.values(), default=0)
    errors += [
        ItemError(f"has {n} values where others have {rows}", key=key[:200])
        for key, n in lengths.items()
        if n != rows
    ]
    if len(names) > 1:
        errors.append(ItemError(f"give one time: {' or '.join(names)}", key=names[1]))
    if errors:
        raise Invalid("The columns do not fit together.", errors=errors[:100])
    check_count(rows, most)
    for i in range(rows):
        row: dict[str, Any] = {key: column[i] for key, column in flat.items()}
        head = {"device": device if isinstance(device, str) or device is None else device[i]}
        if times is not None:
            head[names[0]] = times[i]
        reading = Reading(i, "", context.received_us + i, [], [])
        _read_head(reading, head, context)
        _flatten(reading, "", row, MAX_DEPTH)
        yield reading


def _flatten_columns(flat: dict[str, Any], prefix: str, values: dict[str, Any], depth: int) -> None:
    for name, value in values.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            _flatten_columns(flat, f"{prefix}{name}.", value, depth + 1)
        else:
            flat[prefix + name] = value
