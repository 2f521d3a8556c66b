"""What an answer must be, worked out in plain Python from the readings themselves."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import quantiles

Point = tuple[str, int, float]
"""Device, time in µs, value."""


def by_bucket(
    points: Iterable[Point], starts: Sequence[int], from_us: int, end_us: int
) -> dict[int, list[Point]]:
    """Return the points of [from, end) by the begin of their bucket, each list by time."""
    found: dict[int, list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda p: p[1]):
        if from_us <= point[1] < end_us:
            found[max(s for s in starts if s <= point[1])].append(point)
    return dict(found)


def percentile(values: Sequence[float], hundredth: int) -> float:
    """Return the interpolated percentile of one or more values."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[hundredth - 1]


AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "sum": sum,
    "count": len,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "median": lambda values: percentile(values, 50),
    "p95": lambda values: percentile(values, 95),
    "p99": lambda values: percentile(values, 99),
}
"""Of the values of a bucket in the order of their times."""


def rises(points: Iterable[Point]) -> list[tuple[Point, float, float]]:
    """Return each point that has one of its device before it, its rise, and the seconds between."""
    last: dict[str, Point] = {}
    found = []
    for point in sorted(points, key=lambda p: p[1]):
        device, ts_us, value = point
        if device in last:
            _, before_us, before = last[device]
            rise = value - before if value >= before else value
            found.append((point, rise, (ts_us - before_us) / 1e6))
        last[device] = point
    return found


def filled(
    labels: Sequence[int],
    values: Sequence[float | None],
    fill: str,
    before: tuple[int, float] | None,
) -> list[float | None]:
    """Return values with their gaps filled; `before`: the time and value ahead of the labels."""
    if fill == "null":
        return list(values)
    known = [(t, v) for t, v in zip(labels, values, strict=True) if v is not None]
    known = ([before] if before is not None else []) + known
    result: list[float | None] = []
    for label, value in zip(labels, values, strict=True):
        left = [point for point in known if point[0] <= label]
        right = [point for point in known if point[0] > label]
        if value is not None or not left:
            result.append(value)
        elif fill == "previous":
            result.append(left[-1][1])
        elif right:
            (t0, v0), (t1, v1) = left[-1], right[0]
            result.append(v0 + (v1 - v0) * (label - t0) / (t1 - t0))
        else:
            result.append(left[-1][1] if left[-1][0] == label else None)
    return result
