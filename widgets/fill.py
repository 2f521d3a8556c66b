"""Buckets without a value: left out, shown as null, or filled.

Pure. A series is a mapping from bucket begin to value; several series share their labels.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeGuard

from widgets.answers import Value

Before = tuple[int, Value]
"""A time at the first label or before it, and the value there."""


def labels_of(starts: Sequence[int], series: Sequence[Mapping[int, Value]], fill: str) -> list[int]:
    """Return the bucket begins to show: all, or with ``none`` those where a series has one."""
    if fill != "none":
        return list(starts)
    if len(series) == 1:
        return [start_us for start_us in starts if start_us in series[0]]
    return [start_us for start_us in starts if any(start_us in values for values in series)]


def filled(
    labels: Sequence[int], values: Mapping[int, Value], fill: str, before: Before | None = None
) -> list[Value]:
    """Return one value per label; gaps as `fill` says (``linear`` leaves text as null).

    `before`: what a gap at the begin is filled from.
    """
    shown = [values.get(start_us) for start_us in labels]
    if fill == "previous":
        return _carried(shown, None if before is None else before[1])
    if fill == "linear":
        if before is None or not _is_number(before[1]):
            return _interpolated(labels, shown)
        if labels[0] == before[0]:
            return _interpolated(labels, [before[1], *shown[1:]])
        return _interpolated([before[0], *labels], [before[1], *shown])[1:]
    return shown


def _carried(shown: list[Value], last: Value) -> list[Value]:
    result = []
    for value in shown:
        last = value if value is not None else last
        result.append(last)
    return result


def _interpolated(labels: Sequence[int], shown: list[Value]) -> list[Value]:
    result = list(shown)
    known = [i for i, value in enumerate(shown) if value is not None]
    for left, right in pairwise(known):
        low, high = shown[left], shown[right]
        if not (_is_number(low) and _is_number(high)):
            continue
        length_us = labels[right] - labels[left]
        for i in range(left + 1, right):
            result[i] = low + (high - low) * ((labels[i] - labels[left]) / length_us)
    return result


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
