"""What the columns of a table are: the time, the device, and the keys. Pure."""

from collections.abc import Sequence

import msgspec

from twin.importer.errors import ImportFailed

TIME_NAMES = ("ts", "timestamp", "time", "datetime", "date_time", "date")
DEVICE_NAMES = ("device", "device_id", "deviceid", "device_name", "devicename")
"""Looked for in this order, whatever their case, with spaces and dashes for the underscore."""


class Layout(msgspec.Struct, frozen=True):
    """The position of each column; `unnamed` are left out."""

    width: int
    time: int
    device: int | None
    keys: dict[str, int]
    unnamed: list[int]


def find_layout(
    header: Sequence[str], time_column: str | None = None, device_column: str | None = None
) -> Layout:
    """Return the layout of a header. Raises ImportFailed, naming the columns that there are."""
    time = _position(header, time_column, TIME_NAMES, "time")
    if time is None:
        raise ImportFailed(
            f"No column is named like a time ({', '.join(TIME_NAMES)}). "
            f"Name it with --time-column; there are: {_listed(header)}."
        )
    device = _position(header, device_column, DEVICE_NAMES, "device")
    keys: dict[str, int] = {}
    for place, name in enumerate(header):
        if place in (time, device) or not name:
            continue
        if name in keys:
            raise ImportFailed(f"Two columns are named '{name}'; rename one.")
        keys[name] = place
    if not keys:
        raise ImportFailed(
            f"There is no column beside the time and the device; there are: {_listed(header)}. "
            "If they are separated by another character, give it with --delimiter."
        )
    unnamed = [place for place, name in enumerate(header) if not name]
    return Layout(len(header), time, device, keys, unnamed)


def _position(
    header: Sequence[str], given: str | None, usual: Sequence[str], what: str
) -> int | None:
    if given is not None:
        for same in (str.strip, _normal):
            wanted = same(given)
            places = [i for i, name in enumerate(header) if name and same(name) == wanted]
            if places:
                return places[0]
        raise ImportFailed(
            f"There is no column '{given}' for the {what}; there are: {_listed(header)}."
        )
    names = [_normal(name) for name in header]
    return next((names.index(name) for name in usual if name in names), None)


def _normal(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _listed(header: Sequence[str]) -> str:
    return ", ".join(name for name in header if name)
