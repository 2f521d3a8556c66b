"""A slow, obvious evaluator: rule by rule, device by device, reading by reading, in plain Python.

It remembers every reading that was ever sent, and looks all of them through again each time.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.rules import DAYS, Definition, Spec
from support.timelines import Row

WEEK_S = 7 * 86_400
Told = tuple[int, str, float, str]
"""(rule, device, seconds, new state with its severity)."""
Store = dict[str, dict[float, dict[str, float]]]


def obvious(rules: Sequence[Definition], batches: Sequence[Sequence[Row]]) -> list[Told]:
    """Return all transitions, sorted."""
    devices = sorted({device for batch in batches for device, _, _ in batch})
    return sorted(
        (no, device, seconds, state)
        for no, rule in enumerate(rules)
        for device in devices
        if rule.device in (None, device)
        for seconds, state in _Course(rule).play(
            [[(at, values) for d, at, values in batch if d == device] for batch in batches]
        )
    )


class _Course:
    """One rule for one device."""

    def __init__(self, rule: Definition) -> None:
        self.rule, self.spec = rule, rule.spec
        self.state, self.since, self.rank = "normal", 0.0, 0
        self.stored: dict[float, dict[str, float]] = {}
        self.told: list[tuple[float, str]] = []

    def play(
        self, batches: Sequence[Sequence[tuple[float, Mapping[str, float]]]]
    ) -> list[tuple[float, str]]:
        judged = -math.inf
        for batch in batches:
            own: dict[float, dict[str, float]] = {}
            for at, values in batch:
                mine = {k: v for k, v in values.items() if k in self.rule.keys}
                own.setdefault(at, {}).update(mine)
            # What was stored before, apart from what this batch says again.
            late = max(
                (
                    at
                    for at, values in self.stored.items()
                    for key in values
                    if key not in own.get(at, {})
                ),
                default=-math.inf,
            )
            for at, values in own.items():
                self.stored.setdefault(at, {}).update(values)
            times = sorted(at for at, values in own.items() if values)
            changed = False
            for at in times:
                if at >= max(late, judged):
                    changed |= self.read(at)
            if changed:
                judged = times[-1]
        return self.told

    def read(self, at: float) -> bool:
        before = len(self.told)
        end = last_end(self.spec, at)
        if self.state != "normal" and end is not None and self.since < end:
            self.go(end, "normal")
        if is_open(self.spec, at):
            self.judge(at)
        return len(self.told) > before

    def judge(self, at: float) -> None:
        begins, goes_on = self.asks(at)
        if begins is None or goes_on is None:
            return
        if self.state == "firing":
            if not goes_on[0]:
                self.go(at, "normal")
                return
            rank = max(
                r for r in range(len(begins)) if begins[r] or (r <= self.rank and goes_on[r])
            )
            if rank != self.rank:
                self.rank = rank
                self.tell(at)
        elif not begins[0]:
            if self.state == "pending":
                self.go(at, "normal")
        elif self.state == "normal" and self.spec.for_seconds:
            self.go(at, "pending")
        elif self.state == "normal" or at - self.since >= self.spec.for_seconds:
            self.rank = max(r for r in range(len(begins)) if begins[r])
            self.go(at, "firing")

    def go(self, at: float, state: str) -> None:
        self.state, self.since = state, at
        self.tell(at)

    def tell(self, at: float) -> None:
        severity = f" {self.spec.severities[self.rank]}" if self.state == "firing" else ""
        self.told.append((at, self.state + severity))

    def asks(self, at: float) -> tuple[list[bool] | None, list[bool] | None]:
        """Return for each rank whether it would begin, and whether it would go on."""
        if self.spec.parts:
            values = [self.known(part.key, at) for part in self.spec.parts]
            combine = any if self.spec.any is not None else all
            pairs = list(zip(self.spec.parts, values, strict=True))
            return (
                [combine(v is not None and holds(p, v, p.threshold) for p, v in pairs)],
                [combine(v is not None and holds(p, v, clear_of(p)) for p, v in pairs)],
            )
        value = self.stored[at].get(self.rule.key)
        if self.spec.condition == "rate_above":
            value = None if value is None else self.rate(at, value)
        if value is None:
            return None, None
        steps: list[Any] = [self.spec, *self.spec.escalation]
        return (
            [holds(self.spec, value, step.threshold) for step in steps],
            [holds(self.spec, value, clear_of(step)) for step in steps],
        )

    def known(self, key: str, at: float) -> float | None:
        times = [t for t, values in self.stored.items() if at - WEEK_S <= t <= at and key in values]
        return self.stored[max(times)][key] if times else None

    def rate(self, at: float, value: float) -> float | None:
        key = self.rule.key
        times = [t for t, values in self.stored.items() if at - WEEK_S <= t < at and key in values]
        if not times:
            return None
        before = self.stored[max(times)][key]
        rise = value if value < before else value - before
        return rise / (at - max(times)) * 60


def clear_of(question: Any) -> Any:
    return question.threshold if question.clear_threshold is None else question.clear_threshold


def holds(question: Any, value: float, limit: Any) -> bool:
    high = question.threshold_high if question.threshold_high is not None else math.inf
    return {
        "greater_than": value > limit,
        "rate_above": value > limit,
        "greater_or_equal": value >= limit,
        "less_than": value < limit,
        "less_or_equal": value <= limit,
        "equal_to": value == limit,
        "not_equal_to": value != limit,
        "between": limit <= value <= high,
        "outside": value < limit or value > high,
    }[question.condition]


def windows(spec: Spec, at: float) -> list[tuple[float, float]]:
    """Return the schedule's windows of the days around a moment, in seconds."""
    schedule = spec.schedule
    assert schedule is not None
    zone = ZoneInfo(schedule.timezone or "")
    today = datetime.fromtimestamp(at, UTC).date()
    found = []
    for ago in range(9, -2, -1):
        day = today - timedelta(days=ago)
        if DAYS[day.weekday()] in schedule.days:
            later = schedule.to <= schedule.from_
            begin = datetime.fromisoformat(f"{day}T{schedule.from_}").replace(tzinfo=zone)
            end_day = day + timedelta(days=1) if later or schedule.to == "24:00" else day
            to = "00:00" if schedule.to == "24:00" else schedule.to
            end = datetime.fromisoformat(f"{end_day}T{to}").replace(tzinfo=zone)
            found.append((begin.timestamp(), end.timestamp()))
    return found


def is_open(spec: Spec, at: float) -> bool:
    if spec.schedule is None:
        return True
    return any(begin <= at < end for begin, end in windows(spec, at))


def last_end(spec: Spec, at: float) -> float | None:
    """Return when the schedule last stopped being open, at or before a moment."""
    if spec.schedule is None:
        return None
    ends = [end for _, end in windows(spec, at) if end <= at and not is_open(spec, end)]
    return max(ends, default=None)
