"""Paces that workers buy ahead: no more is admitted than the limit says, but for what workers hold."""

import random
from pathlib import Path
from uuid import UUID

import pytest

from twin.keys.grants import IngestGrant
from twin.limits.counters import BURST_US, Counters
from twin.limits.quotas import AHEAD_S, Limits

NOW_US = 1_800_000_000_000_000
SECONDS = 10
BODY = 100


def grant(readings: float | None, size: float | None = None) -> IngestGrant:
    return IngestGrant(7, UUID(int=7), "ik_1", 2**62, readings, size)


def workers(path: Path, count: int = 2) -> list[Limits]:
    return [Limits(Counters(path / "limits"), max_failed_auth=10) for _ in range(count)]


@pytest.mark.parametrize("per_second", [10, 1000, 5000])
@pytest.mark.parametrize("most", [1, 7, 400])
@pytest.mark.parametrize("limited", ["readings", "bytes", "both"])
def test_a_pace_is_passed_by_what_workers_hold_at_most(
    tmp_path: Path, per_second: int, most: int, limited: str
) -> None:
    of = grant(
        None if limited == "bytes" else per_second,
        None if limited == "readings" else per_second * BODY,
    )
    dice, running, admitted = random.Random(per_second + most), workers(tmp_path), 0
    every_us = 250
    for step in range(SECONDS * 1_000_000 // every_us):
        readings = dice.randint(1, most)
        one = running[dice.randrange(2)]
        if one.pay(of, NOW_US + step * every_us, readings=readings, size=readings * BODY):
            admitted += readings
    fair = per_second * SECONDS + per_second * BURST_US / 1_000_000
    assert admitted <= fair + most + len(running) * per_second * AHEAD_S
    offered = (1 + most) / 2 * 1_000_000 / every_us * SECONDS
    assert admitted >= min(per_second * SECONDS, offered * 0.9)


def test_a_limit_beyond_the_finest_unit_holds_nobody_up(tmp_path: Path) -> None:
    (one,) = workers(tmp_path, 1)
    for step in range(10_000):
        assert one.pay(grant(1e12, 1e12), NOW_US + step * 100, readings=1, size=BODY)


@pytest.mark.parametrize("per_second", [2, 100, 10_000])
def test_who_stays_within_a_pace_never_waits(tmp_path: Path, per_second: int) -> None:
    running = workers(tmp_path)
    for step in range(per_second * SECONDS):
        now_us = NOW_US + step * 1_000_000 // per_second
        one = running[step // 5 % 2]
        assert one.pay(grant(per_second, per_second * BODY), now_us, readings=1, size=BODY)


def test_another_limit_holds_at_once(tmp_path: Path) -> None:
    (one,) = workers(tmp_path, 1)
    assert one.pay(grant(100_000), NOW_US, readings=1, size=BODY)
    slow = grant(1)
    assert one.pay(slow, NOW_US, readings=10, size=BODY)
    assert not one.pay(slow, NOW_US, readings=1, size=BODY)
    assert one.pay(grant(None, 100.0), NOW_US, readings=10**6, size=BODY)
