"""Reading raw readings back: columns, kinds, windows, pages and what is refused."""

import csv
import io
from typing import Any

import httpx
import pyarrow as pa
import pytest
from support.server import Datasource, RunningServer

HOUR = "2026-03-01T12:%02d:%02dZ"


def send(datasource: Datasource, *readings: Any) -> None:
    answer = datasource.post(list(readings))
    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected"] == 0


def ask(datasource: Datasource, **params: Any) -> httpx.Response:
    given = {"from": params.pop("from_", None), **params}
    given = {name: value for name, value in given.items() if value is not None}
    return datasource.server.get(f"/v1/datasources/{datasource.id}/readings", **given)


def items(datasource: Datasource, **params: Any) -> list[dict[str, Any]]:
    answer = ask(datasource, **params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def refused(answer: httpx.Response, field: str) -> str:
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["error"] == "VALIDATION_ERROR"
    assert [error.get("key") for error in body["errors"]] == [field]
    return str(body["message"])


@pytest.fixture(scope="module")
def plant(server: RunningServer) -> Datasource:
    """Two devices and one that only says texts; the pump's second reading lacks two keys."""
    datasource = server.datasource(timezone="Europe/Berlin")
    send(
        datasource,
        {"ts": HOUR % (0, 0), "device": "pump", "motor": {"rpm": 1500}, "on": True, "state": "RUN"},
        {"ts": "2026-03-01T12:00:00.5Z", "device": "pump", "motor": {"rpm": 0.1}},
        {"ts": HOUR % (0, 0), "device": "valve", "on": False, "state": 'a "b", c\nd'},
        {"ts": HOUR % (0, 1), "device": "door", "state": "ÖFFNEN"},
    )
    return datasource


def test_rows_have_time_device_and_every_key(plant: Datasource) -> None:
    answer = ask(plant)
    assert answer.headers["content-type"] == "application/json"
    first = {"ts": "2026-03-01T12:00:00Z", "motor.rpm": 1500.0, "on": True, "state": "RUN"}
    second = {"ts": "2026-03-01T12:00:00Z", "motor.rpm": None, "on": False}
    assert answer.json() == {
        "items": [
            {"device": "pump", **first},
            {"device": "valve", "state": 'a "b", c\nd', **second},
            {
                "ts": "2026-03-01T12:00:00.5Z",
                "device": "pump",
                "motor.rpm": 0.1,
                "on": None,
                "state": None,
            },
            {
                "ts": "2026-03-01T12:00:01Z",
                "device": "door",
                "motor.rpm": None,
                "on": None,
                "state": "ÖFFNEN",
            },
        ],
        "limit": 1000,
        "next_cursor": None,
    }
    assert list(answer.json()["items"][0]) == ["ts", "device", "motor.rpm", "on", "state"]


def test_keys_choose_columns_and_readings(plant: Datasource) -> None:
    rows = items(plant, keys="state,motor.rpm", device="pump")
    assert [list(row) for row in rows] == [["ts", "device", "state", "motor.rpm"]] * 2
    assert [row["device"] for row in items(plant, keys="on")] == ["pump", "valve"]
    assert [row["state"] for row in items(plant, keys=["state", "on"])][-1] == "ÖFFNEN"


def test_the_window_is_half_open_and_local_without_an_offset(plant: Datasource) -> None:
    assert len(items(plant, from_="2026-03-01T12:00:00.5Z")) == 2
    assert len(items(plant, to="2026-03-01T12:00:00.5Z")) == 2
    assert len(items(plant, from_="2026-03-01T13:00:01", to="2026-03-01T13:00:02")) == 1
    assert items(plant, from_="2030-01-01") == []
    assert items(plant, to="2020-01-01") == []


def test_no_readings_yet(server: RunningServer) -> None:
    assert items(server.datasource()) == []
    assert items(server.datasource(data_keys=[{"key": "t"}])) == []


def test_keys_named_like_the_first_columns(server: RunningServer) -> None:
    datasource = server.datasource()
    send(
        datasource, {"ts": 1_700_000_000, "device": "d", "values": {"ts": 1, "device": 2, "a,b": 3}}
    )
    (row,) = items(datasource)
    assert row == {"ts": "2023-11-14T22:13:20Z", "device": "d", "ts_2": 1, "device_2": 2, "a,b": 3}
    (row,) = items(datasource, keys="a,b")
    assert list(row) == ["ts", "device", "a,b"]


def test_readings_of_several_pages_of_slots(server: RunningServer) -> None:
    datasource = server.datasource()
    wide = {f"k{i}": i for i in range(40)}
    send(
        datasource,
        {"ts": 1_700_000_000, "device": "wide", "values": wide},
        {"ts": 1_700_000_000, "device": "slim", "values": {"k0": -1}},
        {"ts": 1_700_000_001, "device": "wide", "values": {"k39": 7, "k3": 8}},
        {"ts": 1_700_000_002, "device": "wide", "values": {"k20": 9}},
    )
    rows = items(datasource)
    assert [row.pop("device") for row in rows] == ["wide", "slim", "wide", "wide"]
    assert [len(row) for row in rows] == [41] * 4
    held = [{k: v for k, v in row.items() if v is not None and k != "ts"} for row in rows]
    assert held == [wide, {"k0": -1}, {"k39": 7, "k3": 8}, {"k20": 9}]
    # Keys of one later page, and of several without the first.
    assert [row["k20"] for row in items(datasource, keys="k20")] == [20, 9]
    assert [list(row.values())[2:] for row in items(datasource, keys="k39,k20")] == [
        [39, 20],
        [7, None],
        [None, 9],
    ]


def test_csv_and_arrow_of_a_page(plant: Datasource) -> None:
    path = f"/v1/datasources/{plant.id}/readings"
    auth = plant.server.auth
    answer = plant.server.client.get(
        path, params={"limit": 2}, headers=auth | {"Accept": "text/csv"}
    )
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["vary"] == "Accept"
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [
        ["ts", "device", "motor.rpm", "on", "state"],
        ["2026-03-01T12:00:00Z", "pump", "1500", "true", "RUN"],
        ["2026-03-01T12:00:00Z", "valve", "", "false", 'a "b", c\nd'],
    ]
    following = answer.headers["x-next-cursor"]
    accept = "text/csv;q=0.5, application/vnd.apache.arrow.stream"
    answer = plant.server.client.get(
        path, params={"cursor": following}, headers=auth | {"Accept": accept}
    )
    table = pa.ipc.open_stream(answer.content).read_all()
    assert [str(field.type) for field in table.schema] == [
        "timestamp[us, tz=UTC]",
        "string",
        "double",
        "bool",
        "string",
    ]
    assert table.column("state").to_pylist() == [None, "ÖFFNEN"]


def pages(datasource: Datasource, **params: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        body = ask(datasource, cursor=cursor, **params).json()
        found.append(body["items"])
        cursor = body["next_cursor"]
        if cursor is None:
            return found


def places(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["ts"], row["device"]) for row in rows]


@pytest.mark.parametrize("limit", [1, 7, 50, 51])
def test_pages_join_to_the_whole(server: RunningServer, limit: int) -> None:
    """Sparse and dense stretches, years apart, and many devices at the same time."""
    datasource = server.datasource()
    send(
        datasource,
        *({"ts": 1_400_000_000 + i // 10, "device": f"d{i % 10}", "n": i} for i in range(30)),
        *({"ts": 1_600_000_000 + i * 86_400, "device": "d1", "n": i} for i in range(15)),
        *({"ts": 1_700_000_000 + i * 0.001, "device": "d2", "n": i} for i in range(5)),
    )
    found = pages(datasource, limit=limit)
    assert all(len(page) == limit for page in found[:-1])
    assert 0 < len(found[-1]) <= limit
    rows = [row for page in found for row in page]
    assert len(rows) == 50
    assert len(set(places(rows))) == 50
    assert [row["n"] for row in rows] == [*range(30), *range(15), *range(5)]


def test_readings_that_come_in_between_move_no_page(server: RunningServer) -> None:
    datasource = server.datasource()
    before = [{"ts": 1_700_000_000 + i, "device": "b", "n": i} for i in range(10)]
    send(datasource, *before)
    first = ask(datasource, limit=4).json()
    send(
        datasource,
        {"ts": 1_699_999_999, "device": "a", "n": -1},  # behind the cursor
        {"ts": 1_700_000_003, "device": "a", "n": -2},  # at its time, a later device
        {"ts": 1_700_000_005.5, "device": "c", "n": -3},  # ahead
    )
    rest = items(datasource, cursor=first["next_cursor"])
    assert [row["n"] for row in first["items"]] == [0, 1, 2, 3]
    assert [row["n"] for row in rest] == [-2, 4, 5, -3, 6, 7, 8, 9]


def test_a_cursor_of_another_query(plant: Datasource) -> None:
    cursor = ask(plant, limit=1).json()["next_cursor"]
    assert items(plant, limit=3, cursor=cursor)
    for params in (
        {"keys": "on"},
        {"device": "pump"},
        {"from_": "2026-01-01"},
        {"to": "2027-01-01"},
    ):
        message = refused(ask(plant, cursor=cursor, **params), "cursor")
        assert "another query" in message
    other = plant.server.datasource()
    assert "another query" in refused(ask(other, cursor=cursor), "cursor")
    for text in ("", "?", "x" * 5000, "AAAA", cursor[:-3], "é"):
        refused(ask(plant, cursor=text), "cursor")


@pytest.mark.parametrize(
    ("params", "field", "said"),
    [
        ({"keys": "nope"}, "keys", "'motor.rpm'"),
        ({"keys": "on,nope"}, "keys", "'nope'"),
        ({"device": "nope"}, "device", "'pump'"),
        ({"from_": "yesterday"}, "from", "2026-11-20T12:00:00Z"),
        ({"to": "1969-01-01"}, "to", "1970"),
        ({"from_": "2026-03-02", "to": "2026-03-01"}, "from", "before to"),
        ({"from_": "2026-03-01", "to": "2026-03-01"}, "from", "before to"),
        ({"limit": 0}, "limit", "1"),
        ({"limit": 10_001}, "limit", "10000"),
        ({"limit": "x"}, "limit", ""),
    ],
)
def test_what_is_refused(plant: Datasource, params: dict[str, Any], field: str, said: str) -> None:
    assert said in refused(ask(plant, **params), field)


def test_most_readings_of_a_page(plant: Datasource) -> None:
    assert len(items(plant, limit=10_000)) == 4


def test_another_organisations_readings_are_not_there(plant: Datasource) -> None:
    path = f"/v1/datasources/{plant.id}"
    key = plant.server.post("/v1/keys", {"name": "test", "environment": "test"})
    headers = [{}] + ([{"X-API-Key": key.json()["api_key"]}] if key.status_code == 201 else [])
    for name in ("readings", "export"):
        assert plant.server.client.get(f"{path}/{name}").status_code == 401
        for other in headers[1:]:
            assert plant.server.client.get(f"{path}/{name}", headers=other).status_code == 404
