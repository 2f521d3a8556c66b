"""When a rule judges: the windows of a schedule, in the local time of its zone.

A window belongs to the day on which it begins, and ends on the next day when `to` is not after
`from`. A time that the clock skips counts as much later as the clock is put on; of an hour that
comes twice a begin is the first and an end the second. Windows that touch are one.
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.judge import LONG_AGO
from alerts.rules import DAYS, Schedule
from twin.batch import Int64s
from twin.clock import to_us

Bools = npt.NDArray[np.bool_]

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_KEPT_DAYS = 65_536
_REACH = 8
"""Days looked back for the end of the window before: a schedule has at least one day a week."""


class Clock(msgspec.Struct, frozen=True):
    """What a schedule says of some moments: is it open, when did a window last begin and end."""

    is_open: Bools
    began_us: Int64s
    ended_us: Int64s


def schedule_fault(schedule: Schedule) -> tuple[str, str] | None:
    """Return (field, what it must be) of what is wrong first, or None."""
    if schedule.timezone is None or not _is_zone(schedule.timezone):
        return "timezone", "must be given and be an IANA time zone, such as Europe/Berlin."
    days = schedule.days
    if not days or set(days) - set(DAYS) or len(set(days)) < len(days):
        return "days", f"must be some of {', '.join(DAYS)}, each once."
    if not _TIME.fullmatch(schedule.from_) or schedule.from_ == "24:00":
        return "from", 'must be a time of day from "00:00" to "23:59".'
    if not _TIME.fullmatch(schedule.to):
        return "to", 'must be a time of day from "00:00" to "24:00".'
    if schedule.from_ == schedule.to:
        return "to", "must differ from schedule.from; 00:00 to 24:00 is the whole day."
    return None


def read_clock(schedule: Schedule, ts_us: Int64s) -> Clock:
    """Return what a schedule says of each moment (µs); LONG_AGO for no begin or end before it."""
    long_ago = np.full(len(ts_us), LONG_AGO)
    if len(schedule.days) == len(DAYS) and (schedule.from_, schedule.to) == ("00:00", "24:00"):
        return Clock(np.ones(len(ts_us), np.bool_), long_ago, long_ago)
    days = np.unique(ts_us // _DAY_US)
    wanted = np.unique(days[:, None] + np.arange(-_REACH, 2)).tolist()
    begins, ends = _merged(_windows(schedule, wanted))
    if not len(begins):
        return Clock(np.zeros(len(ts_us), np.bool_), long_ago, long_ago)
    at = np.searchsorted(begins, ts_us, "right") - 1
    last = np.searchsorted(ends, ts_us, "right") - 1
    return Clock(
        is_open=(at >= 0) & (ts_us < ends[np.maximum(at, 0)]),
        began_us=np.where(at >= 0, begins[np.maximum(at, 0)], LONG_AGO),
        ended_us=np.where(last >= 0, ends[np.maximum(last, 0)], LONG_AGO),
    )


def _windows(schedule: Schedule, days: list[int]) -> list[tuple[int, int]]:
    key = (schedule.timezone or "UTC", tuple(schedule.days), schedule.from_, schedule.to)
    found = (_window(*key, day) for day in days)
    return [window for window in found if window is not None]


def _merged(windows: list[tuple[int, int]]) -> tuple[Int64s, Int64s]:
    """Join windows, in order, that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for begin, end in windows:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    table = np.array(joined, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@lru_cache(maxsize=_KEPT_DAYS)
def _window(
    zone: str, days: tuple[str, ...], from_: str, to: str, day: int
) -> tuple[int, int] | None:
    """Return the window that begins on a local day, counted from 1970, in µs."""
    local = _EPOCH + timedelta(days=day)
    if DAYS[local.weekday()] not in days:
        return None
    end = local if to > from_ else local + timedelta(days=1)
    begin_us = _moment(zone, local, from_, fold=0)
    end_us = max(_moment(zone, end, to, fold=0), _moment(zone, end, to, fold=1))
    return (begin_us, end_us) if begin_us < end_us else None


def _moment(zone: str, day: date, time: str, *, fold: int) -> int:
    hour, minute = map(int, time.split(":"))
    if hour == 24:
        day, hour = day + timedelta(days=1), 0
    tz = ZoneInfo(zone)
    return to_us(datetime(day.year, day.month, day.day, hour, minute, tzinfo=tz, fold=fold))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
