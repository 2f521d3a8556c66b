"""Specs: what is allowed, and how a refusal reads."""

from typing import Any
from uuid import uuid4

import pytest

from twin.errors import Invalid
from widgets.spec import MAX_KEYS, MAX_TEXT, overridden, query_spec, saved_spec, stored_form

ID = str(uuid4())
LINE: dict[str, Any] = {"type": "line", "title": "Speed", "datasource_id": ID, "key": "rpm"}
DOUBLE: dict[str, Any] = {
    "type": "double",
    "title": "Both",
    "datasource_id": ID,
    "primary_key": "a",
    "secondary_key": "b",
}


@pytest.mark.parametrize(
    "fields",
    [
        LINE,
        DOUBLE,
        LINE | {"key": ["rpm", "temperature"]},
        LINE | {"from": 1795176000, "to": "2026-11-20T13:00:00Z"},
        LINE | {"range": "today", "bucket": "1mo", "timezone": "Europe/Berlin", "fill": "linear"},
        LINE | {"downsample": "lttb", "points": 3, "range": "this_week"},
        LINE | {"downsample": "minmax", "points": 2, "agg": "max"},
        LINE | {"group_by": "device", "points": 5000, "title": "x" * MAX_TEXT},
        LINE | {"type": "bar", "group_by": "label"},
        LINE | {"key": [f"k{i}" for i in range(MAX_KEYS)]},
        LINE | {"range": None, "agg": None, "bucket": None, "stale_seconds": None},
    ],
)
def test_valid_specs_come_back_as_given(fields: dict[str, Any]) -> None:
    spec = saved_spec(fields, 5000)
    given = {name: value for name, value in fields.items() if value is not None}
    assert stored_form(spec) == given
    assert saved_spec(stored_form(spec), 5000) == spec


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"type": "pie"}, "type", "line, bar, single, double"),
        ({"agg": "mean"}, "agg", "avg, min, max"),
        ({"fill": "zero"}, "fill", "none, null, previous, linear"),
        ({"downsample": "magic"}, "downsample", "bucket, lttb, minmax"),
        ({"downsample": "lttb", "type": "bar"}, "downsample", "of a bar must be bucket"),
        ({"downsample": "lttb", "points": 2}, "points", "at least 3 for lttb"),
        ({"downsample": "minmax", "points": 1}, "points", "at least 2 for minmax"),
        ({"downsample": "lttb", "agg": "rate"}, "agg", "rate needs buckets"),
        ({"group_by": "label"}, "group_by", "of a line must be one of time, device"),
        ({"bucket": "5x"}, "bucket", "'15m' or '24h' or 'auto'"),
        ({"range": "1q"}, "range", "today, yesterday, this_week"),
        ({"range": "1h", "to": "2026-01-01"}, "range", "together with from or to"),
        ({"from": "soon"}, "from", "2026-11-20T12:00:00Z"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Europe/Berlin"),
        ({"timezone": "../etc/passwd"}, "timezone", "Europe/Berlin"),
        ({"points": 0}, "points", "between 1 and 5000"),
        ({"points": 5001}, "points", "between 1 and 5000"),
        ({"points": "many"}, "points", "must be a whole number"),
        ({"stale_seconds": 0}, "stale_seconds", "between 1"),
        ({"title": 5}, "title", "must be a text"),
        ({"key": 5}, "key", "must be a text or a list"),
        ({"title": ""}, "title", "is needed"),
        ({"title": "x" * (MAX_TEXT + 1)}, "title", "200 characters"),
        ({"datasource_id": "7"}, "datasource_id", "is not valid"),
        ({"datasource_id": None}, "datasource_id", "is needed"),
        ({"key": None}, "key", "is needed"),
        ({"key": []}, "key", "is needed"),
        ({"key": ["rpm", ""]}, "key", "is needed"),
        ({"key": [f"k{i}" for i in range(MAX_KEYS + 1)]}, "key", f"at most {MAX_KEYS}"),
        ({"type": "single", "key": ["a", "b"]}, "key", "one key for a single"),
        ({"type": "bar", "group_by": "label", "key": ["a", "b"]}, "key", "grouped by label"),
        ({"primary_key": "a"}, "primary_key", "use key"),
        ({"type": "double", "key": None}, "primary_key", "is needed for a double"),
        ({"colour": "red"}, "colour", "what is: type, datasource_id"),
    ],
)
def test_a_refusal_names_the_field_and_what_is_allowed(
    change: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(Invalid) as caught:
        saved_spec(LINE | change, 5000)
    assert caught.value.errors[0].key == field
    assert field in caught.value.message
    assert says in caught.value.message


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        saved_spec(LINE | {"bucket": "x", "range": "y", "points": -1}, 5000)
    assert {error.key for error in caught.value.errors} == {"bucket", "range", "points"}


def test_a_query_string_becomes_a_spec() -> None:
    pairs = [("datasource_id", ID), ("key", "a"), ("key", "b"), ("points", "20"), ("at", "5")]
    spec, at = query_spec("line", pairs, 5000)
    assert (spec.keys, spec.points, at) == (["a", "b"], 20, "5")


@pytest.mark.parametrize("pair", [("type", "bar"), ("points", "7"), ("colour", "red")])
def test_a_query_string_says_nothing_twice_or_unknown(pair: tuple[str, str]) -> None:
    with pytest.raises(Invalid, match=pair[0]):
        query_spec("line", [("datasource_id", ID), ("key", "a"), ("points", "2"), pair], 5000)


def test_a_reader_may_choose_another_window() -> None:
    saved = saved_spec(LINE | {"range": "1h", "agg": "max"}, 5000)
    spec, at = overridden(saved, [("from", "2026-01-01"), ("at", "7")], 5000)
    assert (spec.range, spec.from_, spec.agg, at) == (None, "2026-01-01", "max", "7")
    assert overridden(saved, [], 5000) == (saved, None)


def test_a_reader_may_not_choose_another_key() -> None:
    with pytest.raises(Invalid, match="key cannot be chosen here"):
        overridden(saved_spec(LINE, 5000), [("key", "other")], 5000)
