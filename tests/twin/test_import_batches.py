"""A table becomes batches of readings: columns have kinds, and cells that do not fit are named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.importer import batches as module
from twin.importer.batches import Batch, batches, survey
from twin.importer.kinds import CellError, Kind, Tally, kind_of, time_of, value_of
from twin.importer.layout import find_layout
from twin.importer.table import Record


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", "number"),
        ("-1.5e-3", "number"),
        (".5", "number"),
        ("+5.", "number"),
        ("NaN", "number"),
        ("-inf", "number"),
        ("True", "boolean"),
        ("FALSE", "boolean"),
        ("1_000", "text"),
        ("1,5", "text"),
        ("0x1f", "text"),
        ("٣", "text"),
        ("yes", "text"),
        (".", "text"),
    ],
)
def test_the_kind_of_a_cell(text: str, kind: Kind) -> None:
    assert kind_of(text) == kind


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back_exactly(number: float) -> None:
    assert value_of(repr(number), "number") == number


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2", "x"], "number"),
        (["1", "x"], "text"),
        (["x", "y", "1"], "text"),
        (["true", "false", "1"], "boolean"),
        ([], "text"),
    ],
)
def test_a_column_is_what_most_of_its_cells_are(cells: list[str], kind: Kind) -> None:
    tally = Tally()
    for cell in cells:
        tally.add(cell)
    assert tally.kind() == kind


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("x", "number", "'x' is not a number"),
        ("true", "number", "'true' is not a number"),
        ("nan", "number", "not a finite number"),
        ("1e999", "number", "not a finite number"),
        ("1", "boolean", "'1' is not true or false"),
    ],
)
def test_a_cell_that_does_not_fit(text: str, kind: Kind, said: str) -> None:
    with pytest.raises(CellError, match=said):
        value_of(text, kind)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1767225600", 1767225600),
        ("1767225600123456789", 1767225600123456789),
        ("1767225600.5", 1767225600.5),
        ("2026-01-01 00:00:00", "2026-01-01 00:00:00"),
    ],
)
def test_a_time_is_sent_as_it_is(text: str, time: float | str) -> None:
    assert time_of(text) == time


@pytest.mark.parametrize("text", ["", "1e999"])
def test_a_time_that_cannot_be_sent(text: str) -> None:
    with pytest.raises(CellError, match="time"):
        time_of(text)


def in_batches(header: list[str], rows: list[list[str]], size: int) -> list[Batch]:
    records = [Record(i + 2, cells) for i, cells in enumerate(rows)]
    layout = find_layout(header)
    found = survey(records, layout)
    assert found.rows == len(rows)
    return list(batches(records, layout, found.kinds, size))


def test_rows_become_columns() -> None:
    (batch,) = in_batches(
        ["ts", "device", "flow", "state", "on"],
        [["1", "a", "1.5", "OK", "true"], ["2", "", "", " x ", "False"]],
        10,
    )
    assert json.loads(batch.body(0, 2)) == {
        "ts": [1, 2],
        "device": ["a", None],
        "values": {"flow": [1.5, None], "state": ["OK", "x"], "on": [True, False]},
    }
    assert json.loads(batch.body(1, 2))["values"] == {"flow": [None], "state": ["x"], "on": [False]}


def test_a_column_keeps_its_kind_over_all_batches() -> None:
    """A first batch of texts that look like numbers must not make the column one of numbers."""
    rows = [[str(i), text] for i, text in enumerate(["1", "2", "A", "B", "C"])]
    first, *_ = in_batches(["ts", "code"], rows, 2)
    assert first.columns["code"] == ["1", "2"]


def test_faulty_rows_are_left_out_with_their_lines() -> None:
    rows = [["1", "5"], ["", "6"], ["3", "x"], ["4"], ["5", "7", ""], ["6", "8"]]
    (batch,) = in_batches(["ts", "flow"], rows, 10)
    assert batch.lines == [2, 7]
    assert [(fault.line, fault.message) for fault in batch.faults] == [
        (3, "the time is empty"),
        (4, "flow: 'x' is not a number, as most of the column is"),
        (5, "has 1 cells where the header has 2"),
        (6, "has 3 cells where the header has 2"),
    ]


@pytest.mark.parametrize(("rows", "sizes"), [(4, [2, 2]), (5, [2, 2, 1]), (1, [1]), (0, [])])
def test_a_batch_ends_at_its_rows(rows: int, sizes: list[int]) -> None:
    found = in_batches(["ts", "v"], [[str(i), "1"] for i in range(rows)], 2)
    assert [batch.rows for batch in found] == sizes


def test_a_batch_ends_at_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BATCH_CHARS", 10)
    rows = [["1", "xxxx"]] * 5
    assert [batch.rows for batch in in_batches(["ts", "v"], rows, 100)] == [2, 2, 1]
