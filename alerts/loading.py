"""The states of a datasource's rules out of the database: as arrays, a million in a second or so.

Invariant: what a snapshot says is adopted with the version that the same snapshot has; whoever judges
later adds what was written since.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alerts.record import Rule
from alerts.rules import SEVERITIES
from alerts.states import Table, empty_table
from twin.batch import Int32s
from twin.db.pool import Connection
from twin.db.queries import load

FEW = 20_000
"""States that a batch may wait for; more are loaded beside it."""
GROUPS_AT_ONCE = 8
"""Groups of states fetched in a step; one holds those of a rule for up to 65,536 streams."""

_EPOCH_2000_US = 946_684_800_000_000


def count_newer(conn: Connection, no: int, since: int) -> int:
    """Return how many states of a datasource were written since a version, FEW + 1 at most."""
    values = {"no": no, "since": since, "most": FEW + 1}
    row = conn.execute(load("alerts", "evaluation")["count_newer"], values).fetchone()
    return int(row[0]) if row else 0


def load_newer(
    conn: Connection, no: int, since: int, rules: Sequence[Rule], anew: Sequence[Rule]
) -> Table:
    """Return the states written since a version, and all of the rules `anew`, sorted by key."""
    values = {"no": no, "since": since, "anew": [rule.rule_no for rule in anew]}
    return _loaded(conn, "states", values, rules)


def load_of_streams(conn: Connection, no: int, rules: Sequence[Rule], streams: Int32s) -> Table:
    """Return the states of the devices of some streams, sorted by key."""
    asked = {"no": no, "streams": np.unique(streams).tolist()}
    rows = conn.execute(load("alerts", "evaluation")["devices_of"], asked).fetchall()
    devices = {str(row[0]) for row in rows}
    pairs = [
        (rule.rule_no, device)
        for rule in rules
        for device in (devices if rule.definition.device is None else [rule.definition.device])
        if device in devices
    ]
    values = {"no": no, "rules": [r for r, _ in pairs], "devices": [d for _, d in pairs]}
    return _loaded(conn, "states_of_pairs", values, rules)


def _loaded(
    conn: Connection, query: str, values: Mapping[str, Any], rules: Sequence[Rule]
) -> Table:
    by_no = {rule.rule_no: rule for rule in rules}
    parts = [empty_table()]
    with conn.cursor(name="alert_states") as cursor:
        cursor.execute(load("alerts", "evaluation")[query], values)
        while found := cursor.fetchmany(GROUPS_AT_ONCE):
            parts += [_group(by_no[row[0]], *row[1:]) for row in found if row[0] in by_no]
    table = np.concatenate(parts)
    return table[np.argsort(table["key"], kind="stable")]


def _group(
    rule: Rule,
    stream: bytes,
    level: bytes,
    severity: bytes,
    since: bytes,
    last: bytes,
    value: bytes,
) -> Table:
    """Return the states of one rule, given as arrays by `array_send`."""
    ids = _cells(stream, ">i4")
    table = empty_table(len(ids))
    table["key"] = ids.astype(np.int64) | rule.rule_no << 32
    table["level"] = _cells(level, ">i2")
    ranks = np.array([rule.rank(None), *(rule.rank(one) for one in SEVERITIES)], np.int8)
    table["rank"] = ranks[_cells(severity, ">i2")]
    table["since_us"] = _cells(since, ">i8").astype(np.int64) + _EPOCH_2000_US
    table["last_us"] = _cells(last, ">i8").astype(np.int64) + _EPOCH_2000_US
    table["value"] = _cells(value, ">f8")
    return table


def _cells(array: bytes, layout: str) -> npt.NDArray[Any]:
    """Return the elements of a binary array without NULLs: a head of five numbers, length and value."""
    return np.frombuffer(array, np.dtype([("length", ">i4"), ("value", layout)]), offset=20)[
        "value"
    ]
