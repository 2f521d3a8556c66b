"""InfluxDB's clients, unmodified: the v2 client, the v1 client, and the answers of all three APIs."""

import base64
import gzip
import time
import warnings
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from support.server import Datasource, RunningServer
from support.stored import NOTHING, learned, stored

with warnings.catch_warnings():  # both use what newer Python versions deprecate
    warnings.simplefilter("ignore")
    import influxdb
    import influxdb.exceptions
    import influxdb_client
    from influxdb_client.client.write_api import SYNCHRONOUS
    from influxdb_client.rest import ApiException

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

T0 = 1_700_000_000
T0_US = T0 * 1_000_000
PATHS = ("/write", "/api/v2/write", "/api/v3/write_lp")
SECONDS = {"/write": "s", "/api/v2/write": "s", "/api/v3/write_lp": "second"}


def write(datasource: Datasource, path: str, body: bytes | str, **params: str) -> httpx.Response:
    params = {"db": "any", "bucket": "any", "org": "any", "precision": SECONDS[path]} | params
    headers = {"Authorization": f"Token {datasource.key}"}
    return datasource.server.client.post(path, params=params, content=body, headers=headers)


def test_influxdb_client_writes_synchronously(server: RunningServer) -> None:
    datasource = server.datasource()
    with influxdb_client.InfluxDBClient(server.url, token=datasource.key, org="o") as client:
        assert client.ping()
        api = client.write_api(write_options=SYNCHRONOUS)
        point = influxdb_client.Point("cpu").tag("host", "a b").tag("core", 1)
        point = (
            point.field("user", 1.5).field("cores", 8).field("on", True).field("os", 'De"b,i\\an')
        )
        api.write("bucket", record=point.time(datetime.fromtimestamp(T0, UTC)))
        api.write("bucket", record=[f"mem,core=1,host=a\\ b free=2i {T0}"], write_precision="s")
        with pytest.raises(ApiException) as refused:
            api.write("bucket", record=["fine v=1", "no fields"])
    assert stored(datasource) == {
        ("core=1,host=a b", T0_US): {
            "cpu.user": 1.5,
            "cpu.cores": 8,
            "cpu.on": True,
            "cpu.os": 'De"b,i\\an',
            "mem.free": 2,
        }
    }
    assert refused.value.status == 400
    assert '"line":2' in str(refused.value.body)


def test_influxdb_client_writes_in_batches_with_gzip(server: RunningServer) -> None:
    datasource = server.datasource()
    failed: list[Any] = []
    with (
        influxdb_client.InfluxDBClient(
            server.url, token=datasource.key, org="o", enable_gzip=True
        ) as client,
        client.write_api(
            write_options=influxdb_client.WriteOptions(batch_size=500, flush_interval=100),
            error_callback=lambda *found: failed.append(found),
        ) as api,
    ):
        for i in range(2000):
            point = influxdb_client.Point("m").tag("d", i % 10).field("v", i / 2)
            api.write("bucket", record=point.time(T0 + i, write_precision="s"))
    assert failed == []
    held = stored(datasource)
    assert len(held) == 2000
    assert held["d=7", T0_US + 1237 * 1_000_000] == {"m.v": 618.5}


def test_influxdb_v1_client_creates_its_database_and_writes(server: RunningServer) -> None:
    datasource = server.datasource(name="plant")
    port = int(server.url.rpartition(":")[2])
    with influxdb.InfluxDBClient("127.0.0.1", port, "user", datasource.key, "db") as client:
        assert client.ping() == "1.8.10"
        client.create_database("db")
        assert client.get_list_database() == [{"name": "plant"}]
        points = [
            {
                "measurement": "cpu",
                "tags": {"host": "a"},
                "time": "2023-11-14T22:13:20Z",
                "fields": {"v": 1.5, "n": 3, "s": "text", "b": False},
            }
        ]
        assert client.write_points(points)
        assert client.write_points([f"mem,host=a v=2 {T0}"], protocol="line", time_precision="s")
        with pytest.raises(influxdb.exceptions.InfluxDBClientError) as refused:
            client.write_points(["cpu,host=a v=1", "bad"], protocol="line")
    assert refused.value.code == 400
    assert "partial write: unable to parse 'bad': missing fields" in str(refused.value)
    held = stored(datasource)
    assert held["host=a", T0_US] == {
        "cpu.v": 1.5,
        "cpu.n": 3,
        "cpu.s": "text",
        "cpu.b": False,
        "mem.v": 2,
    }
    assert len(held) == 2  # the good line of the refused request is kept


@pytest.mark.parametrize("path", PATHS)
def test_a_write_is_answered_204_and_read_back_at_once(server: RunningServer, path: str) -> None:
    datasource = server.datasource()
    body = "".join(f"cpu,host=h{i % 10} a={i},b={i / 3} {T0 + i}\n" for i in range(100))
    for _ in range(2):  # the first is learned, the second takes the fast path
        answer = write(datasource, path, body)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["X-Influxdb-Version"]
    held = stored(datasource)
    assert held["host=h3", T0_US + 13_000_000] == {"cpu.a": 13, "cpu.b": 13 / 3}
    assert learned(datasource)[2] == len(held) == 100
    assert datasource.data("single", key="cpu.a", device="host=h9")["value"] == 99


def test_several_measurements_in_turn_meet_in_one_reading(server: RunningServer) -> None:
    datasource = server.datasource()
    body = "".join(
        f"cpu,host=h{i % 5} user={i}i,idle={i / 3} {T0 + i}\n"
        f"mem,host=h{i % 5} free={i * 2}i {T0 + i}\n"
        f"disk,host=h{i % 5} " + ",".join(f"k{n}={i + n}" for n in range(20)) + f" {T0 + i}\n"
        for i in range(50)
    )
    for _ in range(2):  # the first is learned, the second takes the fast path
        assert write(datasource, "/write", body).status_code == 204
        held = stored(datasource)
        assert len(held) == learned(datasource)[2] == 50
        assert held["host=h2", T0_US + 7 * 10**6] == {
            "cpu.user": 7,
            "cpu.idle": 7 / 3,
            "mem.free": 14,
            **{f"disk.k{n}": 7 + n for n in range(20)},
        }


@pytest.mark.parametrize("path", PATHS)
def test_every_form_of_a_key_is_accepted(server: RunningServer, path: str) -> None:
    datasource = server.datasource()
    key = datasource.key
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    forms = [key, f"Bearer {key}", f"Token {key}", f"Token user:{key}", f"Basic {basic}"]
    for form in forms:
        answer = server.client.post(path, content="a v=1", headers={"Authorization": form})
        assert answer.status_code == 204, form
    assert server.client.post(path, params={"u": "x", "p": key}, content="a v=1").is_success


@pytest.mark.parametrize("path", [*PATHS, "/query"])
def test_without_a_valid_key_it_is_a_401(server: RunningServer, path: str) -> None:
    for headers in ({}, {"Authorization": "Token tfi_" + "0" * 64}):
        answer = server.client.post(path, content="a v=1", headers=headers)
        assert answer.status_code == 401
        told = answer.json()
        if path == "/api/v2/write":
            assert told["code"] == "unauthorized"
            assert told["message"]
        else:
            assert told["error"]


def test_v1_keeps_the_good_lines(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = write(datasource, "/write", f"a v=1 {T0}\na v {T0}\n\n#\na v=t {T0}\na v=2 {T0 + 1}")
    assert answer.status_code == 400
    told = answer.json()["error"]
    assert told.startswith("partial write: unable to parse 'a v 1700000000'")
    assert "(line 2)" in told
    assert 'field "a.v" is a number, not a boolean (line 5)' in told
    assert told.endswith("dropped=2")
    assert stored(datasource) == {("", T0_US): {"a.v": 1}, ("", T0_US + 10**6): {"a.v": 2}}
    answer = write(datasource, "/write", "bad\nworse")
    assert answer.json()["error"].startswith("unable to parse 'bad': missing fields (line 1)\n")


def test_v2_keeps_nothing_when_a_line_is_malformed(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = write(datasource, "/api/v2/write", f"a v=1 {T0}\n\na v= {T0}\nbad")
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "invalid",
        "message": f"unable to parse 'a v= {T0}': missing field value (line 3)",
        "line": 3,
    }
    assert learned(datasource) == NOTHING


def test_v2_keeps_what_fits(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = write(datasource, "/api/v2/write", f"a v=1 {T0}\na v=t {T0 + 1}")
    assert answer.status_code == 422
    told = answer.json()
    assert (told["code"], told["line"]) == ("unprocessable entity", 2)
    assert "partial write" in told["message"]
    assert stored(datasource) == {("", T0_US): {"a.v": 1}}


def test_v3_lists_bad_lines_and_keeps_the_good_ones_when_asked(server: RunningServer) -> None:
    datasource = server.datasource()
    body = f"a v=1 {T0}\nbad\na v=t {T0 + 1}"
    answer = write(datasource, "/api/v3/write_lp", body, accept_partial="false")
    assert answer.status_code == 400
    told = answer.json()
    assert told["error"] == "parsing failed for write_lp endpoint"
    assert (told["data"]["line_number"], told["data"]["original_line"]) == (2, "bad")
    assert learned(datasource) == NOTHING
    answer = write(datasource, "/api/v3/write_lp", body, no_sync="true")
    assert answer.status_code == 400
    told = answer.json()
    assert told["error"] == "partial write of line protocol occurred"
    assert [(d["line_number"], d["original_line"]) for d in told["data"]] == [
        (2, "bad"),
        (3, f"a v=t {T0 + 1}"),
    ]
    assert told["data"][0]["error_message"] == "unable to parse 'bad': missing fields"
    assert stored(datasource) == {("", T0_US): {"a.v": 1}}


@pytest.mark.parametrize(
    ("path", "precision", "raw"),
    [
        ("/write", "", T0 * 10**9),
        ("/write", "n", T0 * 10**9),
        ("/write", "ns", T0 * 10**9),
        ("/write", "u", T0 * 10**6),
        ("/write", "ms", T0 * 1000),
        ("/write", "s", T0),
        ("/write", "m", T0 // 60),
        ("/write", "h", T0 // 3600),
        ("/api/v2/write", "", T0 * 10**9),
        ("/api/v2/write", "us", T0 * 10**6),
        ("/api/v2/write", "ms", T0 * 1000),
        ("/api/v3/write_lp", "auto", T0),
        ("/api/v3/write_lp", "", T0 * 10**9),
        ("/api/v3/write_lp", "nanosecond", T0 * 10**9),
        ("/api/v3/write_lp", "microsecond", T0 * 10**6),
        ("/api/v3/write_lp", "millisecond", T0 * 1000),
        ("/api/v3/write_lp", "second", T0),
    ],
)
def test_precisions(server: RunningServer, path: str, precision: str, raw: int) -> None:
    datasource = server.datasource()
    assert write(datasource, path, f"a v=1 {raw}", precision=precision).status_code == 204
    step = {"m": 60, "h": 3600}.get(precision, 1)
    assert stored(datasource) == {("", T0 // step * step * 10**6): {"a.v": 1}}


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_precision_is_refused(server: RunningServer, path: str) -> None:
    datasource = server.datasource()
    answer = write(datasource, path, "a v=1 1", precision="fortnight")
    assert answer.status_code == 400
    assert "fortnight" in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_without_a_time_it_is_the_time_of_receipt(server: RunningServer, path: str) -> None:
    datasource = server.datasource()
    before = time.time_ns() // 1000
    assert write(datasource, path, "cpu,h=a v=1\nmem,h=a v=2").status_code == 204
    ((device, ts_us),) = stored(datasource)
    assert device == "h=a"
    assert before <= ts_us <= time.time_ns() // 1000


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_body_is_nothing(server: RunningServer, path: str) -> None:
    datasource = server.datasource()
    for body in ("", "\n", "# only a comment\n"):
        assert write(datasource, path, body).status_code == 204
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("path", PATHS)
def test_bodies_that_cannot_be_decoded_are_refused(server: RunningServer, path: str) -> None:
    datasource = server.datasource()
    whole = gzip.compress(b"a v=1\n" * 1000)
    auth = {"Authorization": f"Token {datasource.key}"}
    for encoding, body, status in (
        ("gzip", whole[:-9], 400),
        ("gzip", b"plain", 400),
        ("br", b"plain", 415),
        ("gzip", gzip.compress(bytes(65 * 2**20)), 413),
    ):
        headers = auth | {"Content-Encoding": encoding}
        answer = server.client.post(path, content=body, headers=headers)
        assert answer.status_code == status
        assert "error" in answer.json() or "code" in answer.json()
    assert learned(datasource) == NOTHING


def test_ping_and_query(server: RunningServer) -> None:
    datasource = server.datasource(name="plant")
    for method in ("GET", "HEAD"):
        answer = server.client.request(method, "/ping")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["X-Influxdb-Version"]
        assert answer.headers["X-Influxdb-Build"]
    assert server.client.get("/ping?verbose=true").json() == {"version": "1.8.10"}
    auth = {"u": "user", "p": datasource.key}
    for statement in (
        'CREATE DATABASE "a"',
        "create database a with duration 1d",
        "SHOW DATABASES",
    ):
        for send in (
            server.client.get("/query", params={**auth, "q": statement}),
            server.client.post("/query", params={**auth, "q": statement}),
            server.client.post("/query", params=auth, data={"q": statement}),
        ):
            assert send.status_code == 200
            (result,) = send.json()["results"]
            assert result["statement_id"] == 0
            if statement.startswith("SHOW"):
                expected = {"name": "databases", "columns": ["name"], "values": [["plant"]]}
                assert result["series"] == [expected]
    for bad in ("SELECT * FROM cpu", "", "DROP DATABASE x"):
        answer = server.client.get("/query", params={**auth, "q": bad})
        assert answer.status_code == 400
        assert answer.json()["error"]


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/write", "/v1/metrics", "/api/v1/x/telemetry"])
def test_another_method_is_a_405(server: RunningServer, path: str) -> None:
    answer = server.client.delete(path)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
