"""Values near the end of the doubles, whose sum is none: they stop nobody's rollups."""

import psycopg
import pytest

from tests.widgets.desk import Desk, with_desk
from twin.clock import SECOND_US, now_us, to_rfc3339
from twin.db.pool import conninfo
from twin.errors import Invalid
from twin.moments import HOUR_US, MINUTE_US

HUGE = 1.7e308


def test_huge_values_stop_no_rollups_and_sums_are_right(database_url: str) -> None:
    async def scenario(desk: Desk) -> None:
        lab, now = desk.lab, now_us()
        begin_us = (now - 4 * HOUR_US) // HOUR_US * HOUR_US
        span = {"from": to_rfc3339(begin_us), "to": to_rfc3339(begin_us + 3 * HOUR_US)}
        readings = [("b", begin_us + i * MINUTE_US, {"rpm": float(i)}) for i in range(180)]
        lab.put(desk.schema, readings)
        for i in range(3):  # their sum is too large, as is that of two hours
            lab.put(desk.schema, [("a", begin_us + i * SECOND_US, {"rpm": HUGE})])
        lab.put(desk.schema, [("a", begin_us + HOUR_US, {"rpm": -HUGE})])
        lab.put(desk.schema, [("a", begin_us + 2 * HOUR_US, {"rpm": 5.0})])
        await lab.roll_up(now)
        with psycopg.connect(conninfo(lab.ground.database_url)) as conn:
            assert conn.execute("SELECT count(*) FROM rollup_dirty").fetchone() == (0,)
            marks = conn.execute("SELECT readers_us = writers_us FROM rollup_mark").fetchone()
            assert marks == (True,)

        async def values(device: str, agg: str, **more: str) -> list[float]:
            asked = {**span, "bucket": "1h", **more}
            found: list[float] = (
                await desk.ask("line", key="rpm", agg=agg, device=device, **asked)
            )["values"]
            return found

        assert await values("b", "sum") == [sum(range(60 * h, 60 * h + 60)) for h in range(3)]
        assert await values("a", "max") == [HUGE, -HUGE, 5.0]
        assert await values("a", "count") == [3, 1, 1]
        with pytest.raises(Invalid, match="larger than a double"):
            await values("a", "sum")
        later = {"from": to_rfc3339(begin_us + HOUR_US)}
        for agg in ("sum", "avg"):
            for _ in range(2):
                assert await values("a", agg, **later) == [-HUGE, 5.0]

    with_desk(database_url, scenario)
