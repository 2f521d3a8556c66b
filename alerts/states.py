"""The states of a datasource's rules as one worker holds them: a million in some 40 MiB.

Immutable. A base of arrays, and beside it what changed since, which is folded into a new base once
there is much of it.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.judge import Bools, Level, State
from twin.batch import Int64s

MAX_RECENT = 4096
"""Changes beside the base: each transition copies them, and folding them in copies the base."""

_TABLE = np.dtype(
    [
        ("key", np.int64),
        ("level", np.int8),
        ("rank", np.int8),
        ("since_us", np.int64),
        ("last_us", np.int64),
        ("value", np.float64),
    ]
)
Table = npt.NDArray[np.void]


def state_key(rule_no: int, device_id: int) -> int:
    """Return the number of a rule's state for a device, named by the stream of its page 0."""
    return rule_no << 32 | device_id


class States(msgspec.Struct, frozen=True):
    """States by `state_key`. base: sorted by key; recent: newer than the base."""

    base: Table
    recent: Mapping[int, State]

    def get(self, key: int) -> State | None:
        """Return a state, None when the rule never left normal for the device."""
        if (state := self.recent.get(key)) is not None:
            return state
        at = int(np.searchsorted(self.base["key"], key))
        if at == len(self.base) or self.base["key"][at] != key:
            return None
        return _state(self.base[at])

    def has(self, keys: Int64s) -> Bools:
        """Return which keys have a state."""
        found = np.zeros(len(keys), np.bool_)
        if len(self.base):
            at = np.minimum(np.searchsorted(self.base["key"], keys), len(self.base) - 1)
            found = self.base["key"][at] == keys
        if self.recent:
            found |= np.isin(keys, list(self.recent))
        return found

    def changed(self, states: Mapping[int, State]) -> "States":
        """Return these states with some put in their places."""
        recent = {**self.recent, **states}
        if len(recent) <= MAX_RECENT:
            return States(self.base, recent)
        return States(merged(self.base, table_of(recent)), {})

    def since(self, older: "States") -> set[int] | None:
        """Return the devices whose states differ from older ones, None if that is not known."""
        if self.base is not older.base:
            return None
        new = {key for key, state in self.recent.items() if older.recent.get(key) is not state}
        return {key & 0xFFFFFFFF for key in new | (older.recent.keys() - self.recent.keys())}

    def with_newer(self, table: Table) -> "States":
        """Return these states with those of a table put in their places."""
        if len(table) <= MAX_RECENT - len(self.recent) and len(self.base):
            return States(self.base, {**self.recent, **{int(r["key"]): _state(r) for r in table}})
        return States(merged(self.table(), table), {})

    def kept(self, rule_nos: Sequence[int]) -> "States":
        """Return the states of some rules only."""
        table = self.table()
        return States(table[np.isin(table["key"] >> 32, rule_nos)], {})

    def open(self) -> Table:
        """Return the states that are not normal, sorted by key."""
        base = self.base[self.base["level"] != Level.NORMAL]
        if self.recent:
            base = merged(base, table_of(self.recent))
        open_ones: Table = base[base["level"] != Level.NORMAL]
        return open_ones

    def table(self) -> Table:
        """Return all states, sorted by key."""
        return merged(self.base, table_of(self.recent)) if self.recent else self.base


def no_states() -> States:
    """Return the states of rules that never left normal."""
    return States(empty_table(), {})


def empty_table(count: int = 0) -> Table:
    """Return a table of normal states."""
    return np.zeros(count, _TABLE)


def table_of(states: Mapping[int, State]) -> Table:
    """Return states as a sorted table."""
    rows = [
        (key, int(s.level), s.rank, s.since_us, s.last_us, np.nan if s.value is None else s.value)
        for key, s in sorted(states.items())
    ]
    return np.array(rows, _TABLE)


def merged(base: Table, newer: Table) -> Table:
    """Return a table with the rows of a newer one put in their places."""
    joined = np.concatenate([newer, base])
    _, first = np.unique(joined["key"], return_index=True)
    return joined[first]


def _state(row: np.void) -> State:
    value = float(row["value"])
    return State(
        level=Level(int(row["level"])),
        since_us=int(row["since_us"]),
        last_us=int(row["last_us"]),
        value=None if np.isnan(value) else value,
        rank=int(row["rank"]),
    )
