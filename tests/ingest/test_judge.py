"""Judging: whole or not at all, every bad key named, and only the accepted want anything."""

from typing import Any

import numpy as np
import pytest
from support.examples import NOW_US, make_schema

from ingest.judge import Verdict, judge, to_block
from ingest.readings import Reading
from twin.settings import Settings


def reading(index: int, device: str = "", **values: Any) -> Reading:
    return Reading(index, device, NOW_US + index, list(values.items()))


def judged(*readings: Reading, **limits: int) -> Verdict:
    return judge(list(readings), make_schema(), Settings(**limits))


def test_what_the_accepted_need_is_wanted_in_order() -> None:
    verdict = judged(
        reading(0, "z", new=1, s="fresh"),
        reading(1, "x", new=2, other=True, s="on"),
        reading(2, declared="typed"),
        reading(3, "y", far=1),
    )
    assert (len(verdict.accepted), verdict.rejected, verdict.errors) == (4, 0, [])
    assert verdict.wanted.kinds == {"new": "number", "other": "boolean", "declared": "text"}
    assert list(verdict.wanted.streams) == [("z", 0), ("y", 1)]
    assert list(verdict.wanted.labels) == ["fresh", "typed"]


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({"n": "x"}, ["n"]),
        ({"n": True}, ["n"]),
        ({"b": 1}, ["b"]),
        ({"s": 1, "b": "x", "m": 1}, ["s", "b"]),
        ({"n": float("nan")}, ["n"]),
        ({"n": float("inf"), "m": float("-inf")}, ["n", "m"]),
        ({"n": 10**400}, ["n"]),
        ({"k" * 201: 1, "": 2}, ["k" * 200, ""]),
        ({"nul\0": 1}, ["nul\0"]),
        ({"half\ud800": 1}, ["half\ud800"]),
        ({"s": "half\ud800"}, ["s"]),
        ({"s": "x" * 201}, ["s"]),
    ],
)
def test_a_rejected_reading_wants_nothing_and_names_its_faults(
    values: dict[str, Any], keys: list[str]
) -> None:
    verdict = judged(Reading(4, "ghost", NOW_US, [*values.items(), ("fresh", 1)]))
    assert (verdict.accepted, verdict.rejected) == ([], 1)
    assert [(e.index, e.key) for e in verdict.errors] == [(4, key) for key in keys]
    assert not verdict.wanted


def test_the_first_accepted_value_fixes_the_kind_for_the_request() -> None:
    verdict = judged(
        reading(0, new=1, n="bad"), reading(1, new="text"), reading(2, new=2), reading(3, new="t")
    )
    assert [r.index for r in verdict.accepted] == [1, 3]
    assert verdict.wanted.kinds == {"new": "text"}


def test_a_null_teaches_nothing() -> None:
    verdict = judged(reading(0, new=None, n=None, s=None))
    assert len(verdict.accepted) == 1
    assert not verdict.wanted


@pytest.mark.parametrize(
    ("limit", "fine", "more"),
    [
        ({"max_keys": 10}, {"k1": 1, "k2": 1}, {"k3": 1}),
        ({"max_labels": 4}, {"s": "l1", "far text": "l2"}, {"s": "l3"}),
    ],
)
def test_bounds_count_what_the_request_introduces(
    limit: dict[str, int], fine: dict[str, Any], more: dict[str, Any]
) -> None:
    verdict = judged(reading(0, **fine), reading(1, **more), reading(2, **fine), **limit)
    assert [r.index for r in verdict.accepted] == [0, 2]
    assert "the most" in verdict.errors[0].message


def test_devices_are_bounded() -> None:
    verdict = judged(
        reading(0, "new", n=1), reading(1, "newer", n=1), reading(2, "x", n=1), max_devices=4
    )
    assert [r.index for r in verdict.accepted] == [0, 2]
    assert verdict.errors[0].key == "device"


def test_rows_of_accepted_readings() -> None:
    schema = make_schema()
    accepted = [
        reading(0, "x", n=1, far=2, b=True),
        reading(1, "", n=None),
        reading(2, "x", s="off", n=0),
    ]
    block = to_block(accepted, schema)
    assert (block.datasource_no, block.readings, len(block)) == (7, 3, 4)
    assert block.stream_id.tolist() == [2, 1, 2, 3]
    assert block.ts_us.tolist() == [NOW_US, NOW_US + 1, NOW_US + 2, NOW_US]
    assert block.slots == {0, 2, 3, 17}
    expected = np.full((4, 16), np.nan)
    expected[0, 0], expected[0, 2], expected[2, 3], expected[2, 0] = 1, 1, 1, 0
    expected[3, 1] = 2
    np.testing.assert_array_equal(block.values, expected)
