"""Deleting some of a datasource's readings: a stretch of time, a device, a key."""

from collections.abc import Iterable
from typing import NoReturn
from zoneinfo import ZoneInfo

import msgspec

from twin.db.errors import driver_errors
from twin.deletion import delete_readings
from twin.errors import Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.jobs import session
from twin.moments import MAX_US, MIN_US, parse_moment
from twin.notify import DATA_TOPIC, encode_numbers
from twin.schema import DatasourceSchema

BOUNDS = ("from", "to", "device", "key")
"""What a request may name."""


class Removal(msgspec.Struct, frozen=True):
    """What to delete: [from_us, to_us), of one device or all, whole readings or one slot's values."""

    from_us: int
    to_us: int
    pages: dict[int, list[int]]
    slot: int | None


def check_bounds(pairs: Iterable[tuple[str, str]]) -> None:
    """Raise Invalid for a parameter that bounds nothing here, and for one that is given twice."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name not in BOUNDS:
            _refuse(name, f"is not known here; what is: {', '.join(BOUNDS)}")
        if name in seen:
            _refuse(name, "is given twice")
        seen.add(name)


def plan_removal(
    schema: DatasourceSchema,
    from_: str | None,
    to: str | None,
    device: str | None,
    key: str | None,
) -> Removal:
    """Return what a request wants deleted; what it does not name has no bound.

    Raises Invalid for a time, NotFound for a device or key that the datasource does not have.
    """
    zone = ZoneInfo(schema.timezone)
    from_us = MIN_US if from_ is None else _moment("from", from_, zone)
    to_us = MAX_US if to is None else _moment("to", to, zone)
    if to_us < from_us:
        _refuse("to", "must not be before 'from'")
    if device is not None and device not in schema.devices:
        raise NotFound(f"This datasource has no device '{device[:200]}'.")
    if key is not None and key not in schema.keys:
        raise NotFound(f"This datasource has no key '{key[:200]}'.")
    pages: dict[int, list[int]] = {}
    for stream_id, (owner, page) in schema.streams.items():
        if device is None or owner == device:
            pages.setdefault(page, []).append(stream_id)
    return Removal(from_us, to_us, pages, None if key is None else schema.keys[key].slot)


async def remove_readings(ground: Ground, schema: DatasourceSchema, removal: Removal) -> int:
    """Delete, and let every worker and host know. Returns how many readings or values went."""
    with driver_errors():
        async with session(ground, "removal") as conn:
            removed = await delete_readings(
                conn,
                ground.capabilities.home,
                removal.pages,
                removal.from_us,
                removal.to_us,
                removal.slot,
            )
        ground.versions.bump("data", schema.no)
        for payload in encode_numbers(ground.versions.host, [schema.no]):
            await ground.notifier.send(DATA_TOPIC, payload)
    return removed


def _moment(name: str, text: str, zone: ZoneInfo) -> int:
    try:
        return parse_moment(text, zone)
    except ValueError as exc:
        _refuse(name, str(exc))


def _refuse(name: str, reason: str) -> NoReturn:
    raise Invalid(f"The parameter '{name}' {reason}.", errors=[ItemError(reason, key=name)])
