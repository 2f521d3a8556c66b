"""What a gap at the begin of a window is filled from: the newest bucket before it that has a value.

It is the bucket that the same answer would show, had its window begun earlier.
"""

from collections.abc import Sequence

from widgets.fill import Before
from widgets.question import Question
from widgets.run import Reader
from widgets.subject import Subject
from widgets.window import Window

CARRYING = ("previous", "linear")
"""The ways to fill that look before the window."""


async def carried(
    subject: Subject, streams: Sequence[int], window: Window, reader: Reader
) -> Before | None:
    """Return that bucket's begin in µs and value, of some streams, or None without one."""
    column, from_us = subject.key.column, window.from_us
    newest = await reader.newest(tuple(streams), column, 0, from_us, from_us, subject.party)
    if not newest:
        return None
    start_us = window.grid.floor(newest[0].ts_us)
    end_us = min(window.grid.after(start_us), from_us)
    question = Question(tuple(streams), column, subject.agg, start_us, end_us, "whole")
    rows = await reader.groups(question)
    return (start_us, subject.present(rows.value[0])) if rows else None
