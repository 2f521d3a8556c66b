"""The forms of an answer."""

import csv
import io
from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pytest

from widgets.answers import (
    Answer,
    BarAnswer,
    DoubleAnswer,
    DoublePart,
    LineAnswer,
    Series,
    SingleAnswer,
)
from widgets.forms import JSON, OFFERED, Arrow, Csv, negotiate
from widgets.spec import WidgetSpec

UTC_ZONE = ZoneInfo("UTC")
LABELS = ["2026-11-20T12:00:00Z", "2026-11-20T12:01:00Z"]


def spec(type_: str, **fields: str) -> WidgetSpec:
    return WidgetSpec(type=type_, datasource_id=uuid4(), key="x", **fields)


def line(values: list[object], **fields: object) -> LineAnswer:
    times = {"from_": LABELS[0], "to": LABELS[1], "bucket_seconds": 60}
    return LineAnswer(title="x", unit=None, labels=LABELS, values=values, **times, **fields)  # type: ignore[arg-type]


def cells(answer: Answer, asked: WidgetSpec) -> list[list[str]]:
    text = Csv().encode(answer, asked, UTC_ZONE).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def table(answer: Answer, asked: WidgetSpec) -> pa.Table:
    return pa.ipc.open_stream(Arrow().encode(answer, asked, UTC_ZONE)).read_all()


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("image/png", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv, */*", "text/csv"),
        ("*/*, text/csv", "text/csv"),
        ("application/json, text/csv", "application/json"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv"),
        ("text/csv;q=0, application/json", "application/json"),
        ("text/csv;q=x", "application/json"),
        ("application/vnd.apache.arrow.stream, */*;q=0.1", "application/vnd.apache.arrow.stream"),
    ],
)
def test_accept(accept: str | None, media_type: str) -> None:
    assert negotiate(accept) is OFFERED[media_type]


def test_a_line_is_a_row_per_label() -> None:
    answer = line([1.5, None], min=[1.0, None], max=[2.0, None])
    assert cells(answer, spec("line")) == [
        ["ts", "value", "min", "max"],
        [LABELS[0], "1.5", "1.0", "2.0"],
        [LABELS[1], "", "", ""],
    ]
    found = table(answer, spec("line"))
    assert found.schema.field("ts").type == pa.timestamp("us", "UTC")
    assert found.to_pydict() == {
        "ts": [datetime(2026, 11, 20, 12, i, tzinfo=UTC) for i in (0, 1)],
        "value": [1.5, None],
        "min": [1.0, None],
        "max": [2.0, None],
    }
    rest = msgspec.json.decode(found.schema.metadata[b"twinfeed"])
    whole = msgspec.json.decode(JSON.encode(answer, spec("line"), UTC_ZONE))
    assert rest.items() <= whole.items()
    assert whole.keys() - rest.keys() == {"labels", "values", "min", "max"}


def test_a_series_is_a_column_with_a_name_of_its_own() -> None:
    series = [
        Series("value", None, [1, 2]),
        Series("ts", None, [3, 4]),
        Series("x", "a b", [5.5, 6]),
        Series("cycle_ts", None, [7.0, 8.0]),
    ]
    answer = line([1, 2], series=series)
    head = ["ts", "value", "value_2", "ts_2", "x a b", "cycle_ts"]
    assert cells(answer, spec("line"))[0] == head
    found = table(answer, spec("line"))
    assert found.column_names == head
    assert found.column("ts_2").to_pylist() == [3, 4]
    assert found.column("x a b").to_pylist() == [5.5, 6.0]


def test_bars_of_devices_and_texts() -> None:
    answer = BarAnswer(title="", unit=None, labels=["a", 'b,"c"'], values=[True, None])
    asked = spec("bar", group_by="device")
    assert cells(answer, asked) == [["device", "value"], ["a", "true"], ['b,"c"', ""]]
    assert table(answer, asked).to_pydict() == {"device": ["a", 'b,"c"'], "value": [True, None]}
    several = [Series("ts", None, [1.0, 2.0])]
    by_key = BarAnswer(title="", unit=None, labels=["a", "b"], values=[1.0, 2.0], series=several)
    assert table(by_key, asked).column("ts").to_pylist() == [1.0, 2.0]


def test_a_single_and_a_double_are_one_row() -> None:
    single = SingleAnswer(
        title="", unit="°C", value="RUN", ts=LABELS[0], previous=None, delta=None, stale=False
    )
    assert cells(single, spec("single")) == [
        ["ts", "value", "unit", "previous", "delta", "stale"],
        [LABELS[0], "RUN", "°C", "", "", "false"],
    ]
    parts = DoublePart("a", 1.0, "%", LABELS[0]), DoublePart("b", None, None, None)
    double = DoubleAnswer(title="", primary=parts[0], secondary=parts[1])
    found = table(double, spec("double")).to_pylist()
    assert found == [
        {
            "primary_key": "a",
            "primary_value": 1.0,
            "primary_unit": "%",
            "primary_ts": datetime(2026, 11, 20, 12, tzinfo=UTC),
            "secondary_key": "b",
            "secondary_value": None,
            "secondary_unit": None,
            "secondary_ts": None,
        }
    ]


def test_nothing_is_a_table_without_rows() -> None:
    answer = BarAnswer(title="", unit=None, labels=[], values=[])
    assert cells(answer, spec("bar")) == [["ts", "value"]]
    assert table(answer, spec("bar")).num_rows == 0


@pytest.mark.parametrize("unit", [None, "°C"])
def test_a_unit_is_text_also_when_there_is_none(unit: str | None) -> None:
    part = DoublePart("x", 1.0, unit, LABELS[0])
    double = DoubleAnswer(title="x", primary=part, secondary=part)
    schema = table(double, WidgetSpec(type="double", datasource_id=uuid4())).schema
    for name in ("primary_unit", "secondary_unit"):
        assert schema.field(name).type == pa.string()
    series = line([1.0, None], series=[Series("unit", None, [1.0, 2.0])])
    assert table(series, spec("line")).schema.field("unit").type == pa.float64()
