"""Until when a window that slides with the clock stays the same.

Pure but for a bounded memory. Both ends of a sliding window only move forward, so a window that is
the same at two moments is the same between them: halving finds the moment at which it moves, whatever
grid, zone or range it has.
"""

from zoneinfo import ZoneInfo

from twin.clock import DAY_US, SECOND_US
from widgets.cache import NEVER_US
from widgets.spec import WidgetSpec
from widgets.window import Extent, resolve

MAX_KEPT = 10_000
"""Remembered windows per worker; past it they are forgotten together."""


class SteadyWindows:
    """Finds the moment at which a window moves on, once for all who ask about the same window."""

    def __init__(self, max_points: int) -> None:
        """Resolve with this bound on the number of buckets."""
        self._max_points = max_points
        self._kept: dict[tuple[bytes, str], tuple[object, int]] = {}

    def until(
        self, extent: Extent | None, spec: WidgetSpec, coded: bytes, zone: ZoneInfo, now_us: int
    ) -> int:
        """Return until when (µs, exclusive) a spec has the extent that it has at `now_us`.

        `coded`: the spec as bytes.
        """
        if extent is None or spec.to is not None:
            return NEVER_US
        kept = self._kept.get((coded, zone.key))
        if kept is not None and kept[0] == extent.key:
            return kept[1]
        until_us = moves_at(extent, spec, zone, now_us, self._max_points)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[coded, zone.key] = extent.key, until_us
        return until_us


def moves_at(extent: Extent, spec: WidgetSpec, zone: ZoneInfo, now_us: int, max_points: int) -> int:
    """Return the moment (µs) from which on a spec without `to` has another extent.

    It may be up to a millisecond early. An extent ends with the bucket that holds now, so it moves
    at its end at the latest; one that is over (yesterday) within two days.
    """
    same_us = now_us
    other_us = extent.to_us if extent.to_us > now_us else now_us + 2 * DAY_US
    while other_us - same_us > SECOND_US // 1000:
        # The end comes first for most windows: look just before it once, then halve.
        probe_us = other_us - 1 if other_us == extent.to_us else (same_us + other_us) // 2
        if resolve(spec, zone, probe_us, None, max_points).key == extent.key:
            if probe_us == extent.to_us - 1:
                return extent.to_us
            same_us = probe_us
        else:
            other_us = probe_us
    return same_us + 1
