"""What the cells of a column are: numbers, booleans or text. Pure.

A column has one kind over the whole file, that of most of its cells. A cell that does not fit is an
error of its row, never a reason to send the column as something else.
"""

import math
import re
from typing import Literal

Kind = Literal["number", "boolean", "text"]
Value = float | bool | str

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_BOOLEANS = {"true": True, "false": False}


class CellError(ValueError):
    """A cell cannot be taken; the message says why."""


def kind_of(text: str) -> Kind:
    """Return the kind of a cell that is not empty. NaN and infinity are bad numbers."""
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return "number"
    return "boolean" if text.lower() in _BOOLEANS else "text"


class Tally:
    """How many cells of each kind a column has."""

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = {"text": 0, "number": 0, "boolean": 0}

    def add(self, text: str) -> None:
        """Count a cell that is not empty."""
        self._counts[kind_of(text)] += 1

    def kind(self) -> Kind:
        """Return the most frequent kind; text when none is ahead of it."""
        return max(self._counts, key=lambda kind: self._counts[kind])


def value_of(text: str, kind: Kind) -> Value:
    """Return a cell's value as `kind`. Raises CellError."""
    if kind == "text":
        return text
    if kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise CellError(f"'{text[:40]}' is not true or false, as most of the column is")
        return _BOOLEANS[text.lower()]
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif not _NOT_FINITE.fullmatch(text):
        raise CellError(f"'{text[:40]}' is not a number, as most of the column is")
    raise CellError(f"'{text[:40]}' is not a finite number")


def time_of(text: str) -> int | float | str:
    """Return a time cell as it is sent: a number as a number, text as it is. Raises CellError.

    Integers stay integers: nanoseconds since 1970 are more than a double holds.
    """
    if not text:
        raise CellError("the time is empty")
    if not _NUMBER.fullmatch(text):
        return text
    if text.isdigit() and len(text) <= _LONGEST_TIME:
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise CellError(f"the time '{text[:40]}' is out of range")
    return number


_LONGEST_TIME = 19
"""Digits of the largest 64-bit integer."""
