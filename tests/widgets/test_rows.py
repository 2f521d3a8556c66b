"""Rows of closed buckets are kept, used while they hold, and bounded."""

from typing import Any

import pytest

from tests.widgets.desk import Desk, with_desk
from twin.clock import SECOND_US, now_us, to_rfc3339
from twin.db.pool import AsyncConnection, conninfo
from twin.deletion import delete_readings
from twin.moments import HOUR_US, MINUTE_US, Span
from widgets.grid import FixedGrid
from widgets.plan import plan
from widgets.question import Question
from widgets.rows import Rows, SettledRows
from widgets.run import Reader
from widgets.window import Window

MINUTE = FixedGrid(MINUTE_US)


def question(from_min: float, end_min: float, agg: str = "avg", streams: int = 1) -> Question:
    from_us, end_us = round(from_min * MINUTE_US), round(end_min * MINUTE_US)
    starts = tuple(range(MINUTE.floor(from_us), end_us, MINUTE_US))
    window = Window(from_us, end_us, end_us, Span(1, "m"), MINUTE, starts)
    return Question(tuple(range(streams)), 0, agg, from_us, end_us, "time", window)


def rows(asked: Question) -> Rows:
    assert asked.window is not None
    count = len(asked.window.starts)
    nothing: list[float | None] = [None] * count
    return Rows(
        list(asked.window.starts), [0] * count, [1] * count, [1.0] * count, nothing, nothing
    )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((0, 10), (0, 8)),  # up to the mark
        ((3, 12), (3, 8)),  # it slid on
        ((3, 7.5), (3, 7)),  # as of a moment: the bucket of that moment is read anew
        ((3, 7), (3, 6)),  # something is always left to read, and tells whether the rest holds
        ((3.5, 12), None),  # its first bucket is another
        ((8, 12), None),
        ((-1, 12), None),
    ],
)
def test_what_is_kept_of_a_line(
    asked: tuple[float, float], found: tuple[float, float] | None
) -> None:
    kept, first = SettledRows(), question(0, 10)
    kept.keep(first, rows(first), 5, round(8.5 * MINUTE_US))
    settled = kept.find(question(*asked))
    if found is None:
        assert settled is None
        return
    assert settled is not None
    bounds = [round(minute * MINUTE_US) for minute in found]
    assert [settled.from_us, settled.until_us, settled.cleanings] == [*bounds, 5]
    assert settled.rows.bucket_us == list(range(*bounds, MINUTE_US))


def test_a_first_bucket_that_is_cut_is_kept_for_the_same_cut() -> None:
    kept, first = SettledRows(), question(0.5, 10)
    kept.keep(first, rows(first), 5, 8 * MINUTE_US)
    settled = kept.find(first)
    assert settled is not None
    assert settled.rows == rows(first).part(0, 8)


@pytest.mark.parametrize("changed", [{"agg": "max"}, {"streams": 2}])
def test_another_question_has_other_rows(changed: dict[str, Any]) -> None:
    kept, first = SettledRows(), question(0, 10)
    kept.keep(first, rows(first), 5, 8 * MINUTE_US)
    assert kept.find(question(0, 10, **changed)) is None


def test_nothing_is_kept_of_dirty_hours_and_of_what_readings_alone_tell() -> None:
    kept, first, median = SettledRows(), question(0, 10), question(0, 10, "median")
    kept.keep(first, rows(first), 5, 8 * MINUTE_US)
    kept.keep(first, rows(first), None, 8 * MINUTE_US)
    kept.keep(median, rows(median), 5, 8 * MINUTE_US)
    assert kept.find(first) is None
    assert kept.find(median) is None


def test_rows_are_bounded_and_the_oldest_go() -> None:
    kept = SettledRows(max_rows=40)
    asked = [question(0, 11, streams=streams) for streams in (1, 2, 3, 4, 5)]
    for one in asked[:4]:
        kept.keep(one, rows(one), 5, 10 * MINUTE_US)
    assert kept.find(asked[0]) is not None  # used last, of four that fit
    kept.keep(asked[4], rows(asked[4]), 5, 10 * MINUTE_US)
    assert [kept.find(one) is not None for one in asked] == [True, False, True, True, True]
    large = question(0, 13)
    kept.keep(large, rows(large), 5, 11 * MINUTE_US)
    assert kept.find(large) is None
    assert kept.find(asked[0]) is None  # the same but for its time


def test_pooled_first_and_last_read_rollups_where_hours_are_closed() -> None:
    for agg in ("first", "last"):
        asked = question(0, 120, agg, streams=3)
        assert b"rollup_1m" in bytes(plan(asked, 90 * MINUTE_US, 1000).statement)  # type: ignore[arg-type]


def test_closed_buckets_are_read_once_until_one_of_them_changes(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wholly: list[str] = []
    whole = Reader._whole

    async def noted(self: Reader, conn: Any, asked: Question, closed_us: int) -> Rows:
        wholly.append(asked.agg)
        return await whole(self, conn, asked, closed_us)

    monkeypatch.setattr(Reader, "_whole", noted)
    monkeypatch.setattr("widgets.run.MARK_KEPT_S", 0.0)

    async def scenario(desk: Desk) -> None:
        lab, schema, now = desk.lab, desk.schema, now_us()
        begin_us = (now - 4 * HOUR_US) // HOUR_US * HOUR_US
        span = {"from": to_rfc3339(begin_us), "to": to_rfc3339(now + HOUR_US), "bucket": "15m"}

        async def sums(device: str) -> list[float]:
            answer = await desk.ask("line", key="rpm", agg="sum", device=device, **span)
            found: list[float] = answer["values"]
            return found

        def put(device: str, ts_us: int, value: float) -> None:
            lab.put(schema, [(device, ts_us, {"rpm": value})])

        put("a", begin_us + SECOND_US, 1)
        put("b", begin_us + SECOND_US, 7)
        await lab.roll_up(now)
        assert await sums("a") == [1]
        put("a", now, 2)
        assert await sums("a") == [1, 2]
        put("a", now + SECOND_US, 3)
        assert sum(await sums("a")) == 6
        assert wholly == ["sum"]
        put("b", begin_us + 2 * SECOND_US, 1)  # late, of another device
        put("a", now + 2 * SECOND_US, 1)
        assert sum(await sums("a")) == 7
        assert wholly == ["sum"]
        put("a", begin_us + 2 * SECOND_US, 10)  # late
        assert sum(await sums("a")) == 17
        assert wholly == ["sum"] * 2
        await lab.roll_up(now)
        put("a", now + 3 * SECOND_US, 1)
        assert sum(await sums("a")) == 18
        put("a", now + 4 * SECOND_US, 1)
        assert sum(await sums("a")) == 19
        assert wholly == ["sum"] * 3
        url = conninfo(lab.ground.database_url)
        async with await AsyncConnection.connect(url, autocommit=True) as conn:
            pages = {0: [schema.stream("a", 0)]}
            home = lab.ground.capabilities.home
            await delete_readings(conn, home, pages, begin_us, begin_us + HOUR_US)
        await lab.roll_up(now)  # clean again before anyone asks
        lab.ground.versions.bump("data", schema.no)
        assert sum(await sums("a")) == 8

    with_desk(database_url, scenario)
