"""Pictures of answers: well-formed, escaped, with round ticks, gaps as gaps."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import DAY_US, to_us
from twin.errors import Invalid
from widgets.answers import (
    Answer,
    BarAnswer,
    DoubleAnswer,
    DoublePart,
    LineAnswer,
    Series,
    ShownAlert,
    SingleAnswer,
    Value,
)
from widgets.picture.form import BOUNDS, Picture, picture_of
from widgets.picture.line import runs
from widgets.picture.scale import moment_text, stretch, time_ticks, value_text, value_ticks
from widgets.picture.svg import DARK, LIGHT, fitted, width_of
from widgets.spec import WidgetSpec

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLAIN = Picture()
HOSTILE = '<script>alert(1)</script> & "quotes" \x00\x1b\ufffe'
ALERT = ShownAlert("critical", HOSTILE, 'red"/><script/>', None, None, "2026-11-20T12:00:00Z")


def spec(type_: str, **fields: str) -> WidgetSpec:
    return WidgetSpec(type=type_, datasource_id=uuid4(), key="x", **fields)


def label(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


def line(values: list[Any], **fields: Any) -> LineAnswer:
    given_fields = {
        "title": "Speed",
        "unit": "1/min",
        "from_": label(0),
        "to": label(max(len(values), 1)),
        "bucket_seconds": 60,
        "labels": [label(i) for i in range(len(values))],
    }
    return LineAnswer(values=values, **(given_fields | fields))


def bar(labels: list[str], values: list[Any], **fields: Any) -> BarAnswer:
    return BarAnswer(title="Bars", unit="kW", labels=labels, values=values, **fields)


def drawn(answer: Answer, picture: Picture = PLAIN, **fields: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture.encode(answer, spec(answer.type, **fields), BERLIN))


def texts(root: ElementTree.Element) -> list[str]:
    found = root.iter("{http://www.w3.org/2000/svg}text")
    return ["".join(element.itertext()) for element in found]


def paths(root: ElementTree.Element, colour: str) -> list[str]:
    found = root.iter("{http://www.w3.org/2000/svg}path")
    return [element.attrib["d"] for element in found if element.get("stroke") == colour]


def single(value: Value, **fields: Any) -> SingleAnswer:
    given_fields = {"title": "One", "unit": "°C", "ts": label(0), "previous": None}
    return SingleAnswer(value=value, **(given_fields | {"delta": None, "stale": False} | fields))


def test_a_line_says_what_it_shows() -> None:
    root = drawn(line([1.0, 5.0, 3.0], min=[0.5, 4.0, 2.0], max=[2.0, 6.0, 4.0]))
    assert (root.get("width"), root.get("height")) == ("640", "320")
    said = texts(root)
    assert {"Speed", "1/min", "20 Nov 2026, 13:00 – 13:03 · Europe/Berlin"} <= set(said)
    assert {"0", "1", "2", "3", "4", "5", "6", "13:01:00", "13:02:00"} <= set(said)
    (path,) = paths(root, LIGHT.series[0])
    assert path.count("L") == 2
    assert len(root.findall("{http://www.w3.org/2000/svg}path[@opacity='0.16']")) == 1


@pytest.mark.parametrize("values", [[1.0, 2.0, None, 3.0, 4.0], [True, False, None, True, True]])
def test_a_gap_breaks_the_line(values: list[Any]) -> None:
    (path,) = paths(drawn(line(values)), LIGHT.series[0])
    assert path.count("M") == 2


def test_a_bucket_that_is_left_out_breaks_the_line() -> None:
    labels = [label(i) for i in (0, 1, 2, 4, 5, 6)]
    (path,) = paths(drawn(line([1.0] * 6, labels=labels)), LIGHT.series[0])
    assert path.count("M") == 2
    (path,) = paths(drawn(line([1.0] * 6, labels=labels), downsample="lttb"), LIGHT.series[0])
    assert path.count("M") == 1


def test_readings_that_come_less_often_than_buckets_are_joined() -> None:
    minute = 60_000_000
    rare = [(i * 10 * minute, 1.0) for i in range(5)]
    assert [len(run) for run in runs(rare, minute)] == [5]
    broken = [*rare, (90 * minute, 1.0)]
    assert [len(run) for run in runs(broken, minute)] == [5, 1]


def test_texts_have_a_height_each_and_are_steps() -> None:
    root = drawn(line(["RUN", "RUN", "STOP", "RUN"]))
    assert {"RUN", "STOP"} <= set(texts(root))
    (path,) = paths(root, LIGHT.series[0])
    assert "L" not in path
    assert path.count("V") == 3


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(160, 100), (640, 320), (2000, 1200)])
def test_every_answer_is_drawn_and_hostile_text_is_only_text(
    theme: str, size: tuple[int, int]
) -> None:
    series = [Series(HOSTILE, f"{HOSTILE}{i}", [1.0, None, -3.0]) for i in range(30)]
    parts = DoublePart(HOSTILE, HOSTILE, HOSTILE, label(0)), DoublePart("b", None, None, None)
    head = {"title": HOSTILE, "unit": HOSTILE, "alert": ALERT}
    answers: list[tuple[Answer, str]] = [
        (line([1.0, None, -3.0], series=series, **head), "device"),
        (line([HOSTILE, "b", "c"], **head), "time"),
        (line([], **head), "time"),
        (line([1e300, -1e300, 5e-300], **head), "time"),
        (line([0.0], **head), "time"),
        (BarAnswer(labels=[HOSTILE, "", "c"], values=[1.0, None, -3.0], **head), "device"),
        (BarAnswer(labels=["a", "b", "c"], values=[None] * 3, series=series, **head), "device"),
        (BarAnswer(labels=[HOSTILE], values=[HOSTILE], **head), "device"),
        (BarAnswer(labels=[label(0), label(60)], values=[HOSTILE, None], **head), "time"),
        (BarAnswer(labels=[label(0)], values=[0], **head), "time"),
        (BarAnswer(labels=[], values=[], **head), "time"),
        (BarAnswer(labels=[], values=[], **head), "label"),
        (single(HOSTILE, **head), "time"),
        (single(-1.5e-12, delta=1e300, stale=True, **head), "time"),
        (single(None, ts=None, **head), "time"),
        (DoubleAnswer(title=HOSTILE, primary=parts[0], secondary=parts[1], alert=ALERT), "time"),
    ]
    for answer, group_by in answers:
        root = drawn(answer, Picture(theme, *size), group_by=group_by)
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
        assert "script" not in {str(value) for e in root.iter() for value in e.attrib.values()}
        assert "nan" not in (whole := ElementTree.tostring(root, "unicode")).lower()
        assert "inf" not in re.sub(r">[^<]*<", "", whole)


def test_nothing_to_show_is_said() -> None:
    assert "No data in this range" in texts(drawn(line([])))
    assert "No data in this range" in texts(drawn(line([None, None])))
    assert "No data in this range" in texts(drawn(bar([], []), group_by="device"))
    assert "No value yet" in texts(drawn(single(None, ts=None)))


def test_an_alert_colours_what_it_is_about() -> None:
    own = ShownAlert("warning", "Hot", "#a1b2c3", None, None, label(0))
    root = drawn(line([1.0, 2.0], alert=own))
    assert len(paths(root, "#a1b2c3")) == 1
    assert "Hot" in texts(root)
    plain = ShownAlert("warning", "Hot", None, None, None, label(0))
    assert paths(drawn(line([1.0, 2.0], alert=plain), Picture("dark")), DARK.severities["warning"])
    odd = ShownAlert("info", "Hot", "url(#x)", None, None, label(0))
    assert paths(drawn(line([1.0, 2.0], alert=odd)), LIGHT.severities["info"])


def test_columns_stand_at_their_time() -> None:
    days = [(NOON + timedelta(days=i)).isoformat() for i in (0, 1, 4)]
    root = drawn(bar(days, [1.0, 2.0, 4.0]), bucket="1d")
    rects = root.findall("{http://www.w3.org/2000/svg}rect[@rx]")
    a, b, c = sorted(float(rect.attrib["x"]) for rect in rects)
    assert c - b == pytest.approx(3 * (b - a), abs=0.1)
    assert {"20 Nov", "21 Nov", "24 Nov"} <= set(texts(root))


def test_rows_that_do_not_fit_are_counted() -> None:
    labels = [f"pump {i}" for i in range(500)]
    said = texts(drawn(bar(labels, [float(i) for i in range(500)]), group_by="device"))
    shown = sum(text.startswith("pump ") for text in said)
    assert 10 < shown < 30
    assert f"and {500 - shown} more" in said


def test_many_points_are_no_more_than_the_screen_shows() -> None:
    values = [float(i % 7) for i in range(5000)]
    values[1234] = 99.0
    (path,) = paths(drawn(line(values)), LIGHT.series[0])
    assert path.count("L") < 1300
    top = min(float(place.split()[1]) for place in path[1:].split("L"))
    assert top < 100


@given(
    st.floats(-1e12, 1e12, allow_nan=False),
    st.floats(0, 1e12, allow_nan=False),
    st.integers(2, 20),
)
def test_ticks_are_round_few_and_hold_the_values(low: float, length: float, most: int) -> None:
    ticks = value_ticks(low, low + length, most)
    slack = max(abs(low), length) * 1e-6
    assert ticks.values[0] <= low + slack
    assert ticks.values[-1] >= low + length - slack
    assert 2 <= len(ticks.values) == len(ticks.labels) <= most + 3
    if length > abs(low) * 1e-3:
        assert len(set(ticks.labels)) == len(ticks.labels)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 10, ["0", "2", "4", "6", "8", "10"]),
        (51, 74, ["50", "55", "60", "65", "70", "75"]),
        (0.001, 0.0052, ["0", "0.001", "0.002", "0.003", "0.004", "0.005", "0.006"]),
        (-4, 4, ["−4", "−2", "0", "2", "4"]),
        (5, 5, ["4.7", "4.8", "4.9", "5.0", "5.1", "5.2", "5.3"]),
        (1.2e7, 2e7, ["12M", "14M", "16M", "18M", "20M"]),
    ],
)
def test_how_ticks_are_written(low: float, high: float, labels: list[str]) -> None:
    assert value_ticks(low, high, 6).labels == labels


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (72.43891, "72.44"),
        (-0.002, "−0.002"),
        (12045, "12\u202f045"),
        (12345678.9, "12.35M"),
        (1500.0, "1\u202f500"),
        (3e20, "3e20"),
        (1.234e-9, "1.23e-9"),
    ],
)
def test_how_a_value_is_written(value: float, shown: str) -> None:
    assert value_text(value) == shown


def test_ticks_of_time_lie_on_the_local_clock() -> None:
    # Clocks went back in Berlin at 01:00 UTC on 25 October 2026: a day of 25 hours.
    from_us = to_us(datetime(2026, 10, 24, 22, tzinfo=UTC))
    ticks = time_ticks(from_us, from_us + 25 * DAY_US // 24, BERLIN, 5)
    assert [said for _, said in ticks] == ["25 Oct", "06:00", "12:00", "18:00"]
    year = time_ticks(from_us, from_us + 365 * DAY_US, BERLIN, 8)
    assert [said for _, said in year][:2] == ["Jan 2027", "Apr"]
    assert moment_text(from_us + 1_000_000, 1_000_000, BERLIN) == "00:00:01"
    assert stretch(from_us, from_us + DAY_US, BERLIN) == "25 Oct 2026, 00:00 – 23:00"


@given(st.text(), st.floats(1, 300))
def test_what_is_fitted_fits(content: str, most: float) -> None:
    shown = fitted(content, 11, most)
    assert width_of(shown, 11) <= most + 11
    assert shown == content or len(shown) <= len(content) + 1


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        (("theme", "blue"), "theme must be one of light, dark"),
        *(
            (("width", text), "between 160 and 2000")
            for text in ("159", "2001", "x", "²", "9" * 5000)
        ),
        *((("height", text), "between 100 and 1200") for text in ("99", "1201", "-1", "")),
    ],
)
def test_a_picture_that_cannot_be(pair: tuple[str, str], says: str) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        picture_of([pair])
    assert caught.value.errors[0].key == pair[0]


def test_the_smallest_and_largest_picture() -> None:
    for side in (0, 1):
        pairs = [(name, str(bounds[side])) for name, bounds in BOUNDS.items()]
        picture, rest = picture_of([*pairs, ("theme", "dark"), ("range", "1h")])
        width, height = (bounds[side] for bounds in BOUNDS.values())
        assert (picture, rest) == (Picture("dark", width, height), [("range", "1h")])
    with pytest.raises(Invalid, match="width is given twice"):
        picture_of([("width", "300"), ("width", "300")])
