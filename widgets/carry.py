"""What a gap at the begin of a window is filled from: the newest bucket before it that has a value.

It is the bucket that the same answer would show, had its window begun earlier. An answer as of a moment
before the window looks back from that moment.
"""

from collections.abc import Sequence

from widgets.fill import Before
from widgets.question import Question
from widgets.run import Reader
from widgets.subject import Subject
from widgets.window import Window

CARRYING = ("previous", "linear")
"""The ways to fill that look before the window."""
MAX_BUCKETS = 10
"""Most buckets looked at: those that hold only first readings of devices have no delta and no rate."""


async def carried(
    subject: Subject, streams: Sequence[int], window: Window, reader: Reader
) -> Before | None:
    """Return that bucket's begin in µs and value, of some streams, or None without one."""
    column, until_us = subject.key.column, min(window.from_us, window.end_us)
    for _ in range(MAX_BUCKETS):
        newest = await reader.newest(tuple(streams), column, 0, until_us, until_us, subject.party)
        if not newest:
            return None
        start_us = window.grid.floor(newest[0].ts_us)
        end_us = min(window.grid.after(start_us), until_us)
        question = Question(tuple(streams), column, subject.agg, start_us, end_us, "whole")
        rows = await reader.groups(question)
        if rows:
            return start_us, subject.present(rows.value[0])
        until_us = start_us
    return None
