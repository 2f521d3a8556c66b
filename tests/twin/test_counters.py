"""Counters of limits: exact between processes, and what of one host's count another takes over."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.limits.counters import BURST_US, GROUPS, WAYS, Counters, Moved, Window, beside, subject_of

NOW_US = 1_800_000_000_000_000
HOUR = Window.at(NOW_US, 3600)

TAKER = """
import sys
from pathlib import Path
from twin.limits.counters import Counters, Window
counters = Counters(Path(sys.argv[1]))
print(sum(counters.take(7, 5000, Window(0, 3600))[0] for _ in range(4000)))
"""


def test_two_processes_never_pass_a_limit(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKER, str(tmp_path / "limits")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    admitted = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(admitted) == 5000


def test_a_window_begins_anew() -> None:
    counters = Counters()
    assert [counters.take(7, 2, HOUR) for _ in range(3)] == [(True, 1), (True, 2), (False, 2)]
    counters.give_back(7, HOUR)
    assert counters.count(7, HOUR) == 1
    later = Window(HOUR.ends_at, HOUR.ends_at + 3600)
    assert counters.take(7, 2, later) == (True, 1)
    counters.give_back(7, HOUR)  # charged before the hour's end, refunded after it
    assert counters.count(7, later) == 1
    counters.close()


def test_a_pace_lets_one_go_ahead_and_then_wait() -> None:
    counters = Counters()
    assert counters.ahead_us(7, NOW_US) == 0
    counters.spend(7, 100.0, 100, NOW_US)
    assert counters.ahead_us(7, NOW_US) == 0  # a second's worth
    counters.spend(7, 100.0, 1000, NOW_US)
    assert counters.ahead_us(7, NOW_US) == 10_000_000
    assert counters.ahead_us(7, NOW_US + 4_000_000) == 6_000_000
    assert counters.ahead_us(7, NOW_US + 11_000_000) == 0
    counters.spend(7, 100.0, 100, NOW_US + 60_000_000)
    assert counters.ahead_us(7, NOW_US + 60_000_000 - BURST_US) == 1_000_000
    counters.close()


def test_two_paces_are_paid_together_or_not_at_all() -> None:
    counters = Counters()
    readings, size = 7, beside(7)
    assert readings % GROUPS == size % GROUPS
    assert counters.pay([(readings, 1000.0, 1), (size, 100.0, 300)], NOW_US)
    assert counters.ahead_us(size, NOW_US) == 2_000_000
    assert counters.ahead_us(readings, NOW_US) == 0
    for _ in range(5000):
        assert not counters.pay([(readings, 1000.0, 1), (size, 100.0, 300)], NOW_US)
    assert counters.ahead_us(readings, NOW_US) == 0  # what was refused is not counted
    assert counters.pay([(readings, 1000.0, 1), (size, 100.0, 300)], NOW_US + 2_000_000)
    counters.close()


def test_what_others_counted() -> None:
    counters = Counters()
    counters.take(7, 10, HOUR)
    (moved,) = counters.unsent(NOW_US // 1_000_000)
    assert moved == Moved(7, HOUR.starts_at, HOUR.ends_at, 1)
    counters.mark_sent(moved)
    assert counters.unsent(NOW_US // 1_000_000) == []
    counters.take_over(Moved(7, HOUR.starts_at, HOUR.ends_at, 8), NOW_US)
    counters.take_over(Moved(9, HOUR.starts_at, HOUR.ends_at, 3), NOW_US)
    assert counters.count(9, HOUR) == 3
    assert [counters.take(7, 10, HOUR)[0] for _ in range(2)] == [True, False]
    past = Window(HOUR.starts_at - 3600, HOUR.starts_at)
    counters.take_over(Moved(7, past.starts_at, past.ends_at, 99), NOW_US)
    assert counters.count(7, HOUR) == 10
    assert counters.unsent(HOUR.ends_at) == []  # nobody needs to know of a window that is over
    counters.close()


def test_a_debt_made_elsewhere_is_waited_for_here() -> None:
    counters, minute = Counters(), Window.at(NOW_US, 60)
    counters.spend(7, 10.0, 1, NOW_US)
    counters.take_over(Moved(7, minute.starts_at, minute.ends_at, 100), NOW_US)
    assert counters.ahead_us(7, NOW_US) == 9_100_000
    counters.close()


def test_more_subjects_than_rows_forget_the_ended_and_the_least_used_first() -> None:
    counters = Counters()
    same_group = [1 + GROUPS * i for i in range(WAYS + 2)]
    past = Window(HOUR.starts_at - 3600, HOUR.starts_at)
    counters.take(same_group[0], 9, past)
    for subject in same_group[1:WAYS]:
        counters.take(subject, 9, HOUR)
        counters.take(subject, 9, HOUR)
    counters.take(same_group[WAYS], 9, HOUR)
    assert counters.count(same_group[1], HOUR) == 2
    counters.take(same_group[WAYS + 1], 9, HOUR)
    assert counters.count(same_group[1], HOUR) == 2
    counters.close()


def test_one_process_of_a_host_leads(tmp_path: Path) -> None:
    first = Counters(tmp_path / "limits")
    assert first.lead()
    assert first.lead()
    other = (
        "import sys; from pathlib import Path; from twin.limits.counters import Counters;"
        "print(Counters(Path(sys.argv[1])).lead())"
    )
    command = [sys.executable, "-c", other, str(tmp_path / "limits")]
    assert subprocess.check_output(command, text=True).strip() == "False"
    first.close()
    assert subprocess.check_output(command, text=True).strip() == "True"


@given(
    st.integers(1, 20),
    st.lists(st.sampled_from([("take", 0), ("take", 1), ("tell", 0), ("tell", 1)]), max_size=200),
)
def test_two_hosts_pass_a_limit_by_what_the_other_admitted_unheard_at_most(
    limit: int, steps: list[tuple[str, int]]
) -> None:
    """What one host admits is seen by the other when it is told; until then it may admit as much."""
    hosts, admitted, unheard, excess = (Counters(), Counters()), [0, 0], [0, 0], 0
    for what, host in steps:
        if what == "take":
            is_admitted = hosts[host].take(7, limit, HOUR)[0]
            admitted[host] += is_admitted
            unheard[host] += is_admitted
            excess = max(excess, sum(admitted) - limit)
            known = admitted[host] + admitted[1 - host] - unheard[1 - host]
            assert known <= limit or not is_admitted
        else:
            moved = Moved(7, HOUR.starts_at, HOUR.ends_at, admitted[host])
            hosts[1 - host].take(7, 0, HOUR)  # a row that is not there takes nothing over
            hosts[1 - host].take_over(moved, NOW_US)
            unheard[host] = 0
    assert max(admitted) <= limit
    assert excess <= limit
    for counters in hosts:
        counters.close()


@pytest.mark.parametrize("kind", ["key", "application 60"])
def test_subjects_are_positive_and_differ(kind: str) -> None:
    found = {subject_of(kind, i) for i in range(1000)}
    assert len(found) == 1000
    assert all(0 < subject < 2**63 for subject in found)
