"""Every way to say when a reading was, and when it cannot have been."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.server import RunningServer
from support.stored import NOTHING, learned, stored

from twin.clock import to_us

T0 = 1_700_000_000
AT = "2023-11-14T22:13:20"  # T0
T0_US = T0 * 1_000_000


@pytest.mark.parametrize(
    ("ts", "precision", "expected_us"),
    [
        (T0, None, T0_US),
        (T0 * 1000, None, T0_US),
        (T0 * 10**6, None, T0_US),
        (T0 * 10**9, None, T0_US),
        (T0 + 0.25, None, T0_US + 250_000),
        (T0 * 1000 + 0.5, None, T0_US + 500),
        (T0 * 10**9 + 1999, None, T0_US + 1),
        (0, None, 0),
        (1, None, 1_000_000),
        (99_999_999, None, 99_999_999_000_000),
        (10**11, None, 10**14),  # the first that is read as ms
        (T0, "s", T0_US),
        (T0 * 1000, "ms", T0_US),
        (T0_US, "us", T0_US),
        (T0 * 10**9, "ns", T0_US),
        (5, "ms", 5000),
        (5, "us", 5),
        (5000, "ns", 5),
        (1.5, "ms", 1500),
        (f"{AT}Z", None, T0_US),
        (f"{AT}z", None, T0_US),
        (f"{AT.replace('T', ' ')}Z", None, T0_US),
        (f"{AT.replace('T', 't')}Z", None, T0_US),
        (f"{AT}.5Z", None, T0_US + 500_000),
        (f"{AT}.123Z", None, T0_US + 123_000),
        (f"{AT}.123456Z", None, T0_US + 123_456),
        (f"{AT}.123456789Z", None, T0_US + 123_456),
        (f"{AT}+00:00", None, T0_US),
        ("2023-11-15T00:13:20+02:00", None, T0_US),
        ("2023-11-14T16:43:20-05:30", None, T0_US),
        (AT, None, T0_US),
        ("2023-11-14", None, to_us(datetime(2023, 11, 14, tzinfo=UTC))),
        ("2016-12-31T23:59:60Z", None, to_us(datetime(2017, 1, 1, tzinfo=UTC))),
        ("1970-01-01T00:00:00Z", None, 0),
        ("2013-12-02T21:15:00Z", None, to_us(datetime(2013, 12, 2, 21, 15, tzinfo=UTC))),
        ("2024-02-29T12:00:00Z", None, to_us(datetime(2024, 2, 29, 12, tzinfo=UTC))),
    ],
)
@pytest.mark.parametrize("name", ["ts", "timestamp", "time"])
def test_a_time_is_stored_to_the_microsecond(
    server: RunningServer, ts: Any, precision: str | None, expected_us: int, name: str
) -> None:
    datasource = server.datasource()
    query = f"?precision={precision}" if precision else ""
    for _ in range(2):
        answer = datasource.post({name: ts, "a": 1}, query=query)
        assert answer.status_code == 200, answer.text
    # Once more as columns of two, beside another reading of the same form.
    assert datasource.post({"ts": [ts, ts], "values": {"a": [0, 1]}}, query=query).is_success
    assert datasource.post([{"ts": ts, "a": 0}, {"ts": ts, "a": 1}], query=query).is_success
    assert stored(datasource) == {("", expected_us): {"a": 1}}
    assert learned(datasource)[2] == 1


@pytest.mark.parametrize(
    ("ts", "precision"),
    [
        (-1, None),
        (-0.5, None),
        ("1969-12-31T23:59:59.999999Z", None),
        ("1970-01-01T00:00:00+01:00", None),
        (T0, "h"),
        ("2026-13-01T00:00:00Z", None),
        ("2023-02-29T00:00:00Z", None),
        ("2023-02-28T24:61:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("", None),
        (True, None),
        ([T0], None),
        ({"t": T0}, None),
        (10**18 * 9, None),
        (10**30, None),
        (1e300, "s"),
        (-1e300, "s"),
        (1e300, None),
        (10**400, "s"),
        (T0 * 1000, "s"),
    ],
)
def test_what_is_not_a_time_is_refused(
    server: RunningServer, ts: Any, precision: str | None
) -> None:
    datasource = server.datasource()
    query = f"?precision={precision}" if precision else ""
    for body in ({"ts": ts, "a": 1}, [{"ts": ts, "a": 1}, {"ts": ts, "a": 2}]):
        answer = datasource.post(body, query=query)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["key"] in ("ts", "precision")
    assert learned(datasource) == NOTHING
    assert datasource.post({"a": 1}).is_success  # learned now: the other path must refuse as well
    for body in ({"ts": ts, "a": 1}, [{"ts": ts, "a": 1}, {"ts": ts, "a": 2}]):
        assert datasource.post(body, query=query).status_code == 422
    assert learned(datasource)[2] == 1


def test_no_more_than_a_day_ahead(server: RunningServer) -> None:
    datasource = server.datasource()
    now = datetime.now(UTC)
    late = [now + timedelta(days=365), now + timedelta(hours=24, minutes=1)]
    fine = [now + timedelta(hours=23, minutes=59), now - timedelta(days=365 * 20)]
    body = [{"ts": moment.isoformat(), "a": i} for i, moment in enumerate(late + fine)]
    for _ in range(2):
        answer = datasource.post(body).json()
        assert (answer["accepted"], answer["rejected"]) == (2, 2)
        assert [e["index"] for e in answer["errors"]] == [0, 1]
    assert {us for _, us in stored(datasource)} == {to_us(moment) for moment in fine}


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("Europe/Berlin", "2024-07-01T12:00:00", "2024-07-01T10:00:00Z"),
        ("Europe/Berlin", "2024-01-01T12:00:00", "2024-01-01T11:00:00Z"),
        ("Europe/Berlin", "2024-01-01T12:00:00Z", "2024-01-01T12:00:00Z"),
        ("Europe/Berlin", "2024-01-01 00:30", "2023-12-31T23:30:00Z"),
        ("Europe/Berlin", "2024-03-31T01:59:59", "2024-03-31T00:59:59Z"),
        ("Europe/Berlin", "2024-03-31T03:00:00", "2024-03-31T01:00:00Z"),
        ("Europe/Berlin", "2024-10-27T02:30:00", "2024-10-27T00:30:00Z"),  # the first of two
        ("Europe/Berlin", "2024-10-27T03:00:00", "2024-10-27T02:00:00Z"),
        ("America/New_York", "2024-11-03T00:30:00", "2024-11-03T04:30:00Z"),
        ("Asia/Kathmandu", "2024-01-01T12:00:00", "2024-01-01T06:15:00Z"),
        ("Australia/Lord_Howe", "2024-01-01T12:00:00", "2024-01-01T01:00:00Z"),
    ],
)
def test_text_without_an_offset_is_in_the_datasources_zone(
    server: RunningServer, zone: str, text: str, expected: str
) -> None:
    datasource = server.datasource(timezone=zone)
    for body in ({"ts": text, "a": 1}, [{"ts": text, "a": 1}] * 2):
        assert datasource.post(body).is_success
        assert list(stored(datasource)) == [("", to_us(datetime.fromisoformat(expected)))]


def test_a_changed_zone_counts_from_then_on(server: RunningServer) -> None:
    datasource = server.datasource(timezone="UTC")
    assert datasource.post({"ts": "2024-07-01T12:00:00", "a": 1}).is_success
    changed = server.patch(f"/v1/datasources/{datasource.id}", {"timezone": "Asia/Tokyo"})
    assert changed.status_code == 200
    for _ in range(4):  # on either worker
        assert datasource.post({"ts": "2024-07-01T12:00:00", "a": 2}).is_success
    assert stored(datasource) == {
        ("", to_us(datetime(2024, 7, 1, 12, tzinfo=UTC))): {"a": 1},
        ("", to_us(datetime(2024, 7, 1, 3, tzinfo=UTC))): {"a": 2},
    }


def test_no_time_is_the_time_of_receipt_and_a_microsecond_each(server: RunningServer) -> None:
    datasource = server.datasource()
    bodies: list[Any] = [
        [{"a": i} for i in range(5)],
        [{"values": {"a": i}} for i in range(5)],
        {"values": {"a": [0, 1, 2, 3, 4]}},
        [{"a": 0}, {"a": 1, "ts": None}, {"a": 2}, {"a": 3, "time": None}, {"a": 4}],
    ]
    for body in [*bodies, *bodies]:
        before = set(stored(datasource))
        sent_us = time.time_ns() // 1000
        assert datasource.post(body).json()["accepted"] == 5
        received_us = time.time_ns() // 1000
        new = sorted(place for place in stored(datasource).items() if place[0] not in before)
        first = new[0][0][1]
        assert sent_us <= first <= received_us
        assert [(us - first, values) for (_, us), values in new] == [
            (i, {"a": i}) for i in range(5)
        ]


def test_each_number_of_a_request_is_read_by_its_own_size(server: RunningServer) -> None:
    datasource = server.datasource()
    body = [{"ts": (T0 + i) * unit, "a": i} for i, unit in enumerate((1, 10**3, 10**6, 10**9))]
    for _ in range(2):
        assert datasource.post(body).json()["accepted"] == 4
        assert sorted(us for _, us in stored(datasource)) == [T0_US + i * 10**6 for i in range(4)]
