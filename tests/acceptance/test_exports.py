"""Exports: the same readings in every form, and what happens when one does not come to its end."""

import csv
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.senders import wait_until
from support.server import Datasource, RunningServer, start_server

from twin.db.pool import conninfo

READINGS = 400_000
"""As CSV some 40 MB: far more than the sockets between server and client hold."""
DEVICES = 4
ENDINGS = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
ENDINGS["arrow"] = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def busy(new_database: Callable[[], str]) -> Iterator[RunningServer]:
    """A server that makes one export at a time."""
    with start_server(new_database(), max_exports="1") as server:
        yield server


@pytest.fixture(scope="module")
def large(busy: RunningServer) -> Datasource:
    """Many readings of today, put in behind the server's back."""
    datasource = busy.datasource("Große Anlage/1")
    keys = {f"k{i}": float(i) for i in range(6)} | {"state": "ON", "open": True}
    # Into the partition of the server's own day.
    start = int(time.time()) // 86_400 * 86_400
    names = [f"device {i}" for i in range(DEVICES)]
    answer = datasource.post([{"ts": start, "device": name, "values": keys} for name in names])
    assert answer.json()["accepted"] == DEVICES
    with database(busy) as conn:
        conn.execute(
            "INSERT INTO readings (stream_id, ts, v0, v1, v2, v3, v4, v5, v6, v7)"
            " SELECT s.stream_id, to_timestamp(%s + i * 0.1), i, sin(i), cos(i), i / 7.0,"
            "        CASE WHEN i %% 3 = 0 THEN i END, 1e-9 * i, 0, i %% 2"
            " FROM generate_series(1, %s) AS i CROSS JOIN streams AS s",
            [start, READINGS // DEVICES - 1],
        )
    return datasource


@pytest.fixture(autouse=True)
def _free(large: Datasource) -> None:
    """The export of the test before has let go of its place, and no session ends yet."""
    wait_until(lambda: export(large, "csv", to="2020-01-01").status_code == 200)
    wait_until(lambda: exports_running(large.server) == 0)


def database(server: RunningServer) -> psycopg.Connection[tuple[Any, ...]]:
    assert server.database_url is not None
    return psycopg.connect(conninfo(server.database_url), autocommit=True)


def exports_running(server: RunningServer) -> int:
    with database(server) as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'twinfeed readings'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def start(datasource: Datasource, form: str, **params: str) -> Any:
    return datasource.server.client.stream(
        "GET",
        f"/v1/datasources/{datasource.id}/export",
        params={"format": form, **params},
        headers=datasource.server.auth,
    )


def export(datasource: Datasource, form: str, **params: str) -> httpx.Response:
    with start(datasource, form, **params) as answer:
        answer.read()
    return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def read_table(form: str, content: bytes) -> Any:
    if form == "parquet":
        return pq.read_table(io.BytesIO(content))
    return pa.ipc.open_stream(content).read_all()


@pytest.mark.parametrize("form", ENDINGS)
def test_a_file_has_its_name_and_type(large: Datasource, form: str) -> None:
    answer = export(large, form, to="2020-01-01")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == ENDINGS[form]
    ending = {"arrow": "arrows"}.get(form, form)
    expected = f'attachment; filename="Gro-e-Anlage-1.{ending}"'
    assert answer.headers["content-disposition"] == expected


@pytest.mark.parametrize("form", ENDINGS)
def test_nothing_to_export_is_a_table_without_rows(large: Datasource, form: str) -> None:
    content = export(large, form, to="2020-01-01").content
    if form == "csv":
        assert content == b"ts,device,k0,k1,k2,k3,k4,k5,state,open\n"
    else:
        assert read_table(form, content).num_rows == 0


def test_all_forms_hold_the_same_readings(large: Datasource) -> None:
    tables = {form: read_table(form, export(large, form).content) for form in ("parquet", "arrow")}
    arrow = tables["arrow"]
    assert arrow.num_rows == READINGS
    assert tables["parquet"].equals(arrow)
    assert [str(field.type) for field in arrow.schema] == [
        "timestamp[us, tz=UTC]",
        "string",
        *["double"] * 6,
        "string",
        "bool",
    ]
    places = list(
        zip(arrow["ts"].cast("int64").to_pylist(), arrow["device"].to_pylist(), strict=True)
    )
    assert places == sorted(places)
    assert arrow["k4"].null_count == READINGS // DEVICES // 3 * 2 * DEVICES
    rows = csv.reader(io.StringIO(export(large, "csv").text))
    assert next(rows) == arrow.schema.names
    step = 1009
    for index, row in enumerate(rows):
        if index % step == 0:
            (wanted,) = arrow.slice(index, 1).to_pylist()
            assert float(row[3]) == wanted["k1"]
            assert row[6] == ("" if wanted["k4"] is None else repr(int(wanted["k4"])))
            assert row[8:] == ["ON", str(wanted["open"]).lower()]
    assert index == READINGS - 1


def test_keys_device_and_window_of_an_export(large: Datasource) -> None:
    found = read_table("arrow", export(large, "arrow", keys="k4,open", device="device 2").content)
    assert found.schema.names == ["ts", "device", "k4", "open"]
    assert found.num_rows == READINGS // DEVICES
    assert set(found["device"].to_pylist()) == {"device 2"}
    first = found["ts"][0].as_py().isoformat()
    window = {"from": first, "to": found["ts"][10].as_py().isoformat()}
    assert read_table("arrow", export(large, "arrow", **window).content).num_rows == 10 * DEVICES


def test_what_an_export_refuses(large: Datasource) -> None:
    for params, field in (
        ({"format": "xls"}, "format"),
        ({"keys": "nope"}, "keys"),
        ({"device": "nope"}, "device"),
        ({"from": "soon"}, "from"),
    ):
        answer = large.server.get(f"/v1/datasources/{large.id}/export", **params)
        assert answer.status_code == 422
        assert [error["key"] for error in answer.json()["errors"]] == [field]
        assert exports_running(large.server) == 0


def test_one_more_export_than_allowed_is_told_when_to_come_back(large: Datasource) -> None:
    with start(large, "csv") as first:
        body = first.iter_raw()  # held: dropping it closes the connection
        next(body)
        refused = large.server.get(f"/v1/datasources/{large.id}/export", to="2020-01-01")
        assert refused.status_code == 503
        assert refused.json()["error"] == "OVERLOADED"
        assert int(refused.headers["retry-after"]) > 0
    wait_until(lambda: export(large, "csv", to="2020-01-01").status_code == 200)


def test_a_client_that_goes_away_ends_the_query(large: Datasource) -> None:
    with start(large, "csv") as answer:
        body = answer.iter_raw()
        next(body)
        assert exports_running(large.server) == 1
    wait_until(lambda: exports_running(large.server) == 0)


@pytest.mark.parametrize("held_s", [0, 0.02, 0.1, 0.3])
def test_clients_that_leave_one_after_the_other_keep_no_place(
    large: Datasource, held_s: float
) -> None:
    server = large.server
    asked = f"GET /v1/datasources/{large.id}/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer"
    told = len(server.log.read_text())
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port)) as leaving:
            leaving.sendall(f"{asked} {server.admin_key}\r\n\r\n".encode())
            leaving.recv(100_000)
            time.sleep(held_s)
        wait_until(lambda: export(large, "csv", to="2020-01-01").status_code == 200)
    assert "Traceback" not in server.log.read_text()[told:]


def test_a_client_that_does_not_read_holds_the_export_back(large: Datasource) -> None:
    """What is not read is not made, so the worker's memory is not full of it."""
    (worker,) = psutil.Process(large.server.process.pid).children()
    with start(large, "csv") as answer:
        body = answer.iter_raw()
        next(body)
        settled, seen = 0, worker.cpu_times().user
        while settled < 5:  # until the worker does nothing for it any more
            time.sleep(0.1)
            used = worker.cpu_times().user
            settled, seen = (settled + 1 if used - seen < 0.02 else 0), used
        assert exports_running(large.server) == 1
        rest = sum(len(chunk) for chunk in body)
    assert rest > 25e6


@pytest.mark.parametrize("form", ENDINGS)
def test_an_error_midway_cuts_the_body(large: Datasource, form: str) -> None:
    with start(large, form) as answer:
        assert answer.status_code == 200
        body = answer.iter_raw()
        next(body)
        with database(large.server) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'twinfeed readings'"
            )
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            for _ in body:
                pass
    assert large.server.get("/health").status_code == 200


def test_readings_that_come_while_an_export_runs(busy: RunningServer) -> None:
    """New devices and labels do not disturb it."""
    datasource = busy.datasource()
    datasource.post([{"ts": 1_700_000_000 + i, "s": f"label {i}"} for i in range(50)])
    stop = threading.Event()

    def send() -> None:
        number = 0
        with httpx.Client(headers={"Authorization": f"Bearer {datasource.key}"}) as client:
            while not stop.is_set():
                number += 1
                body = {"ts": 1_700_000_100 + number, "device": f"d{number}", "s": f"new {number}"}
                assert client.post(datasource.url, json=body).status_code == 200

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(10):
            found = read_table("arrow", export(datasource, "arrow").content)
            assert found["s"].null_count == 0
            assert found["s"].to_pylist()[:50] == [f"label {i}" for i in range(50)]
    finally:
        stop.set()
        sender.join()
