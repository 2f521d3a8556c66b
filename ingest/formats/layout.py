"""Which column of a table is the time, which the device, and which are keys. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from ingest.options import Options
from twin.errors import Invalid, ItemError

TIME_NAMES = (
    *("ts", "timestamp", "time", "datetime", "date_time", "date"),
    *("zeitstempel", "zeitpunkt", "zeit", "datum"),
)
DEVICE_NAMES = (
    *("device", "device_id", "deviceid", "device_name", "devicename"),
    *("gerät", "geraet", "gerätename"),
)
"""Looked for in this order, whatever their case, with spaces and dashes for the underscore."""
MAX_COLUMNS = 2048
"""More than keys that a datasource may have; a file with more is no table of readings."""
_LISTED = 20


class Layout(msgspec.Struct, frozen=True):
    """Places of columns. `keys` are (place, name); `unnamed` are left out."""

    time: int | None
    device: int | None
    keys: list[tuple[int, str]]
    unnamed: list[int]


def find_layout(header: Sequence[str], options: Options) -> Layout:
    """Return the layout of a header of trimmed names.

    Raises Invalid for a name that stands twice, a column that was asked for and is not there, and a
    table without keys.
    """
    if len(header) > MAX_COLUMNS:
        raise Invalid(f"The table has {len(header)} columns; the most is {MAX_COLUMNS}.")
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        errors = [ItemError("two columns have this name", key=name[:200]) for name in twice]
        raise Invalid(f"Two columns are named '{twice[0][:200]}'; rename one.", errors=errors)
    time = _find(header, options.time_column, TIME_NAMES, "time_column")
    device = _find(header, options.device_column, DEVICE_NAMES, "device_column")
    if time is not None and time == device:
        raise Invalid(f"The column '{header[time][:200]}' cannot be both time and device.")
    heads = (time, device)
    keys = [(i, name) for i, name in enumerate(header) if name and i not in heads]
    if not keys:
        raise Invalid(
            f"There is no column beside time and device; there are: {_listed(header)}. If they are "
            "separated by another character, name it with ?delimiter=."
        )
    return Layout(time, device, keys, [i for i, name in enumerate(header) if not name])


def _find(
    header: Sequence[str], given: str | None, usual: Sequence[str], parameter: str
) -> int | None:
    normal = [_normal(name) for name in header]
    if given is None:
        return next((normal.index(name) for name in usual if name in normal), None)
    if given.strip() in header:
        return header.index(given.strip())
    if given.strip() and _normal(given) in normal:
        return normal.index(_normal(given))
    message = f"There is no column '{given[:200]}'; there are: {_listed(header)}."
    raise Invalid(message, errors=[ItemError(message, key=parameter)])


def _normal(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _listed(header: Sequence[str]) -> str:
    names = [name[:60] for name in header if name]
    more = ", …" if len(names) > _LISTED else ""
    return (", ".join(names[:_LISTED]) + more) or "none with a name"
