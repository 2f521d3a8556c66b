"""Counters of limits in memory that the workers of one host share.

A mapped file of rows in groups; a subject's row lies in the group that its hash names. Invariant: a row
is changed only under the lock of its group (a byte of the file, by fcntl), so that counting and
comparing are one step for all workers. The kernel frees the lock of a process that dies; it is held for
microseconds and costs about two system calls.
"""

import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

GROUPS = 1 << 13
WAYS = 16
"""Rows of a group: 131,072 rows of 64 bytes, 8 MiB of which only used pages are resident. Where more
subjects than that are counted at once, the least used ones begin anew."""
_FIELDS = 8
_STARTS, _ENDS, _USED, _SENT, _OTHERS, _FREE_AT, _COST = range(1, _FIELDS)
_SUBJECTS = GROUPS * WAYS * _FIELDS
"""The subjects lie together behind the rows, so that a group is searched in one step."""
_CELLS = _SUBJECTS + GROUPS * WAYS
_LEAD = _CELLS * 8
"""The byte whose lock makes one worker of the host its syncing one."""
BURST_US = 1_000_000
"""A pace may be run ahead of by this much."""
FASTEST = 1_000_000_000.0
"""Units per second: what costs less than a nanosecond counts as one."""


class Window(msgspec.Struct, frozen=True):
    """A stretch of the clock in which something is counted: Unix seconds, the end excluded."""

    starts_at: int
    ends_at: int

    @classmethod
    def at(cls, now_us: int, length_s: int) -> "Window":
        """Return the clock's window of a length that `now_us` lies in."""
        starts_at = now_us // 1_000_000 // length_s * length_s
        return cls(starts_at, starts_at + length_s)


class Moved(msgspec.Struct, frozen=True):
    """What this host has counted of a subject in a window."""

    subject: int
    starts_at: int
    ends_at: int
    used: int


def subject_of(kind: str, id_: object) -> int:
    """Return the number by which a limited thing is counted: 63 bits of a hash, never 0."""
    hashed = hashlib.blake2b(f"{kind}:{id_}".encode(), digest_size=8).digest()
    return int.from_bytes(hashed) >> 1 or 1


def beside(subject: int) -> int:
    """Return another subject in the same group, for what is counted in the same step."""
    return subject ^ GROUPS


class Counters:
    """The counters of this host, opened by path; without one, private to this process."""

    def __init__(self, path: Path | None = None) -> None:
        """Map the file, making it when absent. Raises OSError when that is impossible."""
        if path is None:
            self._fd = os.memfd_create("twinfeed-limits", os.MFD_CLOEXEC)
        else:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._fd, _LEAD + 8)
        self._map = mmap.mmap(self._fd, _CELLS * 8)
        self._cells = memoryview(self._map).cast("q")
        self._leads = False

    def close(self) -> None:
        """Unmap, and leave the lead to another worker."""
        self._cells.release()
        self._map.close()
        os.close(self._fd)

    def take(self, subject: int, limit: int, window: Window) -> tuple[bool, int]:
        """Count one if that stays within the limit; return whether, and how many are counted then."""
        with self._row(subject, window) as row:
            total = self._cells[row + _USED] + self._cells[row + _OTHERS]
            if total >= limit:
                return False, total
            self._cells[row + _USED] += 1
            return True, total + 1

    def give_back(self, subject: int, window: Window) -> None:
        """Take back one that was counted in this window."""
        with self._row(subject, window) as row:
            if self._cells[row + _STARTS] == window.starts_at and self._cells[row + _USED] > 0:
                self._cells[row + _USED] -= 1

    def count(self, subject: int, window: Window) -> int:
        """Return how many are counted, also by other hosts as far as they are known."""
        with self._row(subject, window) as row:
            return self._cells[row + _USED] + self._cells[row + _OTHERS]

    def ahead_us(self, subject: int, now_us: int) -> int:
        """Return how long a paced subject must wait until it may go on; 0: it may now."""
        with self._row(subject, Window.at(now_us, 60)) as row:
            return max(0, self._cells[row + _FREE_AT] - now_us - BURST_US)

    def spend(self, subject: int, per_second: float, amount: int, now_us: int) -> None:
        """Put an amount on a paced subject's account: it pays by waiting, 1/per_second s for each.

        The generic cell rate algorithm (ITU-T I.371), with debts: one request may be larger than a
        second's worth, and the next waits for it.
        """
        with self._row(subject, Window.at(now_us, 60)) as row:
            self._spend(row, per_second, amount, now_us)

    def pay(self, costs: Sequence[tuple[int, float, int]], now_us: int) -> bool:
        """Spend (subject, per_second, amount) of paced subjects, all or none; return whether.

        One lock for all of them, so they must lie in one group: see `beside`.
        """
        window = Window.at(now_us, 60)
        group = costs[0][0] % GROUPS
        fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, group)
        try:
            rows = [self._found(subject, window) for subject, _, _ in costs]
            latest_us = now_us + BURST_US
            if any(self._cells[row + _FREE_AT] > latest_us for row in rows):
                return False
            for row, (_, per_second, amount) in zip(rows, costs, strict=True):
                self._spend(row, per_second, amount, now_us)
            return True
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, group)

    def lead(self) -> bool:
        """Return whether this process syncs for its host: one does, until it ends."""
        if not self._leads:
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LEAD)
            except OSError:
                return False
            self._leads = True
        return True

    def unsent(self, now_s: int) -> list[Moved]:
        """Return what was counted in windows that last, and not yet told to other hosts."""
        rows = np.frombuffer(self._map, np.int64, _SUBJECTS).reshape(-1, _FIELDS)
        changed = (rows[:, _USED] != rows[:, _SENT]) & (rows[:, _ENDS] > now_s)
        numbers = np.flatnonzero(changed).tolist()
        del rows, changed  # a view of the map would keep it from being closed
        found = []
        for number in numbers:
            with self._locked(number // WAYS):
                row = number * _FIELDS
                subject = self._cells[_SUBJECTS + number]
                starts_at, ends_at, used = self._cells[row + _STARTS : row + _USED + 1].tolist()
                if subject and ends_at > now_s:
                    found.append(Moved(subject, starts_at, ends_at, used))
        return found

    def mark_sent(self, moved: Moved) -> None:
        """Note that other hosts can see this count."""
        with self._row(moved.subject, Window(moved.starts_at, moved.ends_at)) as row:
            if self._cells[row + _STARTS] == moved.starts_at:
                self._cells[row + _SENT] = moved.used

    def take_over(self, others: Moved, now_us: int) -> None:
        """Note what all other hosts together have counted of a subject in a window."""
        window = Window(others.starts_at, others.ends_at)
        if window.ends_at * 1_000_000 <= now_us:
            return
        with self._row(others.subject, window) as row:
            if self._cells[row + _STARTS] != window.starts_at:
                return
            fresh = others.used - self._cells[row + _OTHERS]
            self._cells[row + _OTHERS] = others.used
            if fresh > 0 and self._cells[row + _COST]:
                self._add_debt(row, fresh * self._cells[row + _COST] // 1000, now_us)

    def _spend(self, row: int, per_second: float, amount: int, now_us: int) -> None:
        cost_ns = round(1_000_000_000 / min(per_second, FASTEST))
        self._cells[row + _COST] = cost_ns
        self._cells[row + _USED] += amount
        self._add_debt(row, amount * cost_ns // 1000, now_us)

    def _add_debt(self, row: int, debt_us: int, now_us: int) -> None:
        free_at = max(self._cells[row + _FREE_AT], now_us) + debt_us
        self._cells[row + _FREE_AT] = min(free_at, 2**62)

    @contextmanager
    def _locked(self, group: int) -> Iterator[None]:
        fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, group)
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, group)

    @contextmanager
    def _row(self, subject: int, window: Window) -> Iterator[int]:
        """Give the first cell of a subject's row in a window, locked; the row is made when absent."""
        with self._locked(subject % GROUPS):
            yield self._found(subject, window)

    def _found(self, subject: int, window: Window) -> int:
        """Return the first cell of a subject's row; its group is locked."""
        group = subject % GROUPS
        first = _SUBJECTS + group * WAYS
        known = self._cells[first : first + WAYS].tolist()
        try:
            way = known.index(subject)
        except ValueError:
            way = self._place(group, known, window.starts_at)
            self._cells[first + way] = subject
        row = (group * WAYS + way) * _FIELDS
        if self._cells[row + _STARTS] < window.starts_at:  # one that began later stays
            self._cells[row + _STARTS] = window.starts_at
            self._cells[row + _ENDS] = window.ends_at
            for field in (_USED, _SENT, _OTHERS):
                self._cells[row + field] = 0
        return row

    def _place(self, group: int, known: list[int], now_s: int) -> int:
        """Return an empty way of a group, or empty one: whose window is over, else the least used."""
        if 0 in known:
            return known.index(0)

        def worth(way: int) -> tuple[bool, int]:
            row = (group * WAYS + way) * _FIELDS
            return self._cells[row + _ENDS] > now_s, self._cells[row + _USED]

        way = min(range(WAYS), key=worth)
        row = (group * WAYS + way) * _FIELDS
        for field in range(_FIELDS):
            self._cells[row + field] = 0
        return way
