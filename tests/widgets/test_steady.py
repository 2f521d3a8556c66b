"""When a sliding window moves on, against asking at every moment."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import SECOND_US
from widgets.cache import NEVER_US
from widgets.spec import query_spec
from widgets.steady import SteadyWindows, moves_at
from widgets.window import resolve

ID = "00000000-0000-0000-0000-000000000001"
DAY_S = 86_400


@given(
    window=st.sampled_from(["90s", "15m", "7d", "today", "yesterday", "this_week", "1mo"]),
    bucket=st.sampled_from(["auto", "10s", "7m", "1h", "1d"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    now_s=st.integers(1_700_000_000, 1_800_000_000),
)
def test_a_window_stands_until_it_moves(window: str, bucket: str, zone: str, now_s: int) -> None:
    pairs = [("datasource_id", ID), ("key", "x"), ("range", window), ("bucket", bucket)]
    spec, _ = query_spec("line", pairs, 1_000_000)
    now_us, info = now_s * SECOND_US, ZoneInfo(zone)

    def shown(moment_us: int) -> object:
        return resolve(spec, info, moment_us, None, 1_000_000).key

    extent = resolve(spec, info, now_us, None, 1_000_000)
    until_us = moves_at(extent, spec, info, now_us, 1_000_000)
    assert now_us < until_us <= now_us + 2 * DAY_S * SECOND_US
    for part in range(11):
        assert shown(now_us + (until_us - 1 - now_us) * part // 10) == extent.key
    assert shown(until_us + SECOND_US // 1000) != extent.key


@pytest.mark.parametrize("pairs", [[("from", "2026-01-01"), ("to", "2026-01-02")], []])
def test_what_does_not_slide_never_moves(pairs: list[tuple[str, str]]) -> None:
    type_ = "line" if pairs else "single"
    spec, _ = query_spec(type_, [("datasource_id", ID), ("key", "x"), *pairs], 5000)
    utc = ZoneInfo("UTC")
    extent = resolve(spec, utc, 0, None, 5000) if pairs else None
    assert SteadyWindows(5000).until(extent, spec, b"spec", utc, 0) == NEVER_US


def test_a_window_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, _ = query_spec("line", [("datasource_id", ID), ("key", "x"), ("range", "1h")], 5000)
    utc, now_us = ZoneInfo("UTC"), 1_750_000_000 * SECOND_US
    extent = resolve(spec, utc, now_us, None, 5000)
    windows = SteadyWindows(5000)
    found_us = windows.until(extent, spec, b"spec", utc, now_us)
    monkeypatch.setattr("widgets.steady.moves_at", None)
    assert windows.until(extent, spec, b"spec", utc, now_us) == found_us
