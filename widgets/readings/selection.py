"""Which readings are asked for, checked. Pure: a schema and the texts of a query string go in.

Invariant: a selection that left this module names keys and devices that exist, and a stretch of time
that is not empty.
"""

import hashlib
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from twin.errors import Invalid, ItemError
from twin.moments import MAX_US, MIN_US, parse_moment
from twin.schema import DataKey, DatasourceSchema
from widgets.subject import check_device, find_key

TIME, DEVICE = "ts", "device"
"""The first two columns of every form."""


class Selection(msgspec.Struct, frozen=True):
    """Readings of [from_us, to_us) with the columns of `keys`.

    `device`: None for all. `is_narrowed`: keys were named, so readings without any of them are left
    out; otherwise `keys` are all the datasource had, and every reading counts.
    """

    schema: DatasourceSchema
    keys: tuple[DataKey, ...]
    is_narrowed: bool
    device: str | None
    from_us: int
    to_us: int

    @property
    def names(self) -> list[str]:
        """The columns' names: time, device, then the keys."""
        return column_names([key.key for key in self.keys])

    @property
    def fingerprint(self) -> str:
        """What tells this selection from others: a cursor belongs to one."""
        keys = [key.key for key in self.keys] if self.is_narrowed else None
        told = (str(self.schema.id), keys, self.device, self.from_us, self.to_us)
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]

    def pages(self) -> list[int]:
        """Return the pages that hold the keys; the first is the one whose rows are the readings."""
        held = sorted({key.page for key in self.keys})
        if self.is_narrowed and len(held) == 1:
            return held
        return [0, *(page for page in held if page)]

    def streams(self, pages: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the streams of every device on `pages`, ordered; 0 where it has none.

        Devices without a stream on the first page are left out: they hold no reading.
        """
        devices = self.schema.devices
        asked = devices if self.device is None else [d for d in (self.device,) if d in devices]
        found = [tuple(self.schema.stream(device, page) for page in pages) for device in asked]
        return sorted(streams for streams in found if streams[0])


def select(
    schema: DatasourceSchema,
    from_: str | None,
    to: str | None,
    keys: Iterable[str],
    device: str | None,
) -> Selection:
    """Return what a query string selects. Raises Invalid naming the parameter."""
    zone = ZoneInfo(schema.timezone)
    from_us = MIN_US if from_ is None else _moment("from", from_, zone)
    to_us = MAX_US if to is None else _moment("to", to, zone)
    if from_us >= to_us:
        raise _invalid("from" if from_ is not None else "to", "from must lie before to")
    check_device(schema, device)
    named = _named(schema, keys)
    found = [find_key(schema, "keys", name) for name in named] or list(schema.keys.values())
    return Selection(schema, tuple(found), bool(named), device, from_us, to_us)


def column_names(keys: Iterable[str]) -> list[str]:
    """Return the names of a table's columns; a key that is called like one before it gets a number."""
    names = [TIME, DEVICE]
    taken = {TIME, DEVICE}
    for key in keys:
        name, number = key, 1
        while name in taken:
            number += 1
            name = f"{key}_{number}"
        taken.add(name)
        names.append(name)
    return names


def _named(schema: DatasourceSchema, texts: Iterable[str]) -> list[str]:
    """Return the keys that `keys=` names: given several times, or several divided by commas."""
    names: dict[str, None] = {}
    for text in texts:
        whole = text in schema.keys  # a key may hold a comma itself
        for name in [text] if whole else [part.strip() for part in text.split(",")]:
            if name:
                names[name] = None
    return list(names)


def _moment(name: str, text: str, zone: ZoneInfo) -> int:
    try:
        return parse_moment(text, zone)
    except ValueError as exc:
        raise _invalid(name, f"{name} {exc}") from None


def _invalid(field: str, problem: str) -> Invalid:
    return Invalid(f"{problem}.", errors=[ItemError(key=field, message=problem)])
