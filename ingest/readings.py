"""A reading as a parser hands it on, and what stays the same for all readings of a request."""

from zoneinfo import ZoneInfo

import msgspec

from ingest.times import BadTime, check_range, number_to_us, text_to_us
from twin.errors import ItemError

Value = float | bool | str | None
"""What a key can hold; None = absent."""


class Reading(msgspec.Struct):
    """What one device said at one instant, not yet judged against the schema.

    `index` is its place in the request; `faults` is what the parser found wrong with it.
    """

    index: int
    device: str
    ts_us: int
    values: list[tuple[str, Value]]
    faults: list[ItemError] = []


class Context(msgspec.Struct, frozen=True):
    """What a request's readings share. Times in µs."""

    received_us: int
    zone: ZoneInfo
    ns_per_unit: int | None = None

    def time_of(self, raw: object, index: int) -> int:
        """Return a reading's time; None = when it was received. Raises BadTime."""
        if raw is None:
            return self.received_us + index
        if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
            raise BadTime("the time must be a number or RFC 3339 text")
        ts_us = (
            text_to_us(raw, self.zone)
            if isinstance(raw, str)
            else number_to_us(raw, self.ns_per_unit)
        )
        fault = check_range(ts_us, self.received_us)
        if fault:
            raise BadTime(fault)
        return ts_us
