"""A request is answered alike by the front and by the server behind it."""

import json
import select
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from support.server import RunningServer, start_server
from support.wire import Answer, Wire, chunk, request

pytestmark = pytest.mark.one_home

T0 = 1_790_000_000_000

BODIES = [
    b'{"temp": 1.5}',
    b'{"temp": 1.5, "state": "on"}',
    b'{"ts": "2026-01-01T00:00:00Z", "values": {"temp": 2}}',
    b'[{"temp": 1}, {"temp": "warm"}]',
    b'{"temp": "warm"}',
    b'{"temp": null}',
    b'{"temp": 1e999}',
    b'{"ts": -1, "temp": 1}',
    b'{"new": 1}',
    b"{",
    b"[]",
    b"",
    b"\xff",
]


@pytest.mark.parametrize("query", ["", "?strict=true", "?dry_run=true", "?precision=h", "?tz=Mars"])
def test_the_answers_are_the_same(server: RunningServer, query: str) -> None:
    datasource = server.datasource(data_keys=[{"key": "temp", "kind": "number"}])
    path = urlsplit(datasource.url).path + query
    for body in BODIES:
        for more in ({}, {"Content_Type": "text/plain"}, {"Content_Encoding": "gzip"}):
            answers = []
            for how in ({}, {"TE": "trailers"}):  # the second is not plain
                with Wire(server.url) as wire:
                    told = {"Authorization": datasource.key, **more, **how}
                    wire.send(request("POST", path, body, **told))
                    answer = wire.read()
                    assert answer is not None
                    answers.append((answer.status, answer.headers["content-type"], answer.body))
            assert answers[0] == answers[1], (body, more)


@pytest.mark.parametrize("key", ["", "tfi_" + "0" * 64, "Bearer", "Basic !"])
def test_a_wrong_key_is_refused_alike(server: RunningServer, key: str) -> None:
    path = urlsplit(server.datasource().url).path
    answers = []
    for how in ({}, {"TE": "trailers"}):
        with Wire(server.url) as wire:
            wire.send(request("POST", path, b'{"a": 1}', Authorization=key, **how))
            answer = wire.read()
            assert answer is not None
            assert answer.status == 401
            answers.append((answer.headers["www-authenticate"], answer.body))
    assert answers[0] == answers[1]


def test_one_connection_for_everything(server: RunningServer) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    key = {"Authorization": datasource.key}
    reading = [json.dumps({"ts": T0 + n, "a": n}).encode() for n in range(4)]
    with Wire(server.url) as wire:
        wire.send(
            request("POST", path, reading[0], **key),
            request("POST", path, reading[1], **key),
            request("POST", path, Transfer_Encoding="chunked", **key)
            + chunk(reading[2])
            + chunk(b""),
            request("GET", "/health"),
            request("POST", path, reading[3], **key),
            request("GET", "/nothing"),
        )
        statuses = [answer.status for _ in range(6) if (answer := wire.read()) is not None]
    assert statuses == [200, 200, 200, 200, 200, 404]
    found = server.get(f"/v1/datasources/{datasource.id}").json()
    assert found["readings_total"] == 4


def test_a_key_that_is_taken_back_is_refused_on_an_open_connection(server: RunningServer) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    body = request("POST", path, b'{"a": 1}', Authorization=datasource.key)
    with Wire(server.url) as wire:
        for _ in range(3):
            wire.send(body)
            answer = wire.read()
            assert answer is not None
            assert answer.status == 200
        assert server.delete(f"/v1/datasources/{datasource.id}").status_code == 204
        wire.send(body)
        answer = wire.read()
        assert answer is not None
        assert answer.status == 401


def test_past_the_bound_of_connections_others_wait_for_a_place(database_url: str) -> None:
    with start_server(database_url, max_connections="3") as server:
        datasource = server.datasource()
        server.client.close()
        sent = request(
            "POST", urlsplit(datasource.url).path, b'{"a": 1}', Authorization=datasource.key
        )
        with ExitStack() as stack:
            begun = [stack.enter_context(Wire(server.url)) for _ in range(3)]
            for wire in begun:
                wire.send(sent[:-1])
            late = stack.enter_context(Wire(server.url, timeout_s=0.5))
            late.send(sent)
            with pytest.raises(TimeoutError):
                late.read()
            for wire in begun:
                wire.send(sent[-1:])
                answer = wire.read()
                assert answer is not None
                assert answer.status == 200
        with Wire(server.url) as wire:  # those that were idle have made room
            wire.send(sent)
            answer = wire.read()
            assert answer is not None
            assert answer.status == 200


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.apache.parquet"])
def test_past_the_bound_of_bytes_a_request_is_refused(database_url: str, kind: str) -> None:
    with start_server(database_url, max_held_bytes="3000000") as server:
        datasource = server.datasource()
        path = urlsplit(datasource.url).path
        told = {"Authorization": datasource.key, "Content_Type": kind}
        large = request("POST", path, b" " * 2_999_990 + b'{"a": 1}', **told)
        less = request("POST", path, b" " * 1_500_000 + b"{}", **told)
        refused = None
        while refused is None:
            with Wire(server.url) as one:
                one.send(large[:-1])
                refused = _refused_beside(one, server.url, less)
                if refused is None:
                    continue  # a smaller one came first, and the large one was refused
                assert refused.headers["retry-after"] == "1"
                one.send(large[-1:])
                answer = one.read()
                assert answer is not None
                assert answer.status == (200 if "json" in kind else 400)
        with Wire(server.url) as two:
            two.send(large)
            answer = two.read()
            assert answer is not None
            assert answer.status == (200 if "json" in kind else 400)


def _refused_beside(one: Wire, url: str, less: bytes) -> Answer | None:
    """Send smaller requests until one is refused for want of room; None: `one` was."""
    while not select.select([one.socket], [], [], 0)[0]:
        with Wire(url) as other:
            other.send(less)
            answer = other.read()
            assert answer is not None
            if answer.status == 503:
                return answer
    return None


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("{ingest}?delimiter=ab", "mine", 422),
        ("{ingest}", "tfi_wrong", 401),
        ("/v1/datasources", "wrong", 401),
        ("/v1/nothing", "wrong", 404),
    ],
)
def test_a_body_that_comes_after_its_refusal_was_decided(
    server: RunningServer, path: str, key: str, status: int
) -> None:
    datasource = server.datasource()
    body = b'{"name": "x"}'
    head = request(
        "POST",
        path.format(ingest=urlsplit(datasource.url).path),
        Authorization=datasource.key if key == "mine" else key,
        Content_Type="text/csv" if "?" in path else "application/json",
        Content_Length=str(len(body)),
    )
    with Wire(server.url) as wire:
        for _ in range(20):
            wire.send(
                request("GET", "/health", TE="trailers")
            )  # not plain: from here on the server behind answers
            health = wire.read()
            assert health is not None
            assert health.status == 200
            wire.send(head)
            wire.send(body)
            answer = wire.read()
            assert answer is not None
            assert (answer.status, answer.headers.get("connection")) == (status, None)


PLANT = "/v1/datasources/{id}"
LINE = "/v1/data/line?datasource_id={id}&key=temp&from=1790000000&to=1790000600"
READS = [
    "/health",
    "/v1/datasources?limit=1",
    PLANT,
    PLANT + "/readings?limit=2",
    PLANT + "/export?format=csv",
    LINE,
    LINE + "&agg=nothing",
    "/nothing",
]


def _plant(server: RunningServer) -> str:
    datasource = server.datasource(data_keys=[{"key": "temp", "kind": "number"}])
    assert datasource.post([{"ts": T0 + n, "temp": n} for n in range(3)]).status_code == 200
    return datasource.id


@pytest.mark.parametrize("path", READS)
def test_the_application_answers_alike_in_front_and_behind(
    server: RunningServer, path: str
) -> None:
    told = {"Authorization": f"Bearer {server.admin_key}", "X-Forwarded-For": "192.0.2.1"}
    url = path.format(id=_plant(server))
    with httpx.Client(base_url=server.url, headers=told) as client:
        answers = [client.get(url, headers=how) for how in ({}, {"TE": "trailers"})]
    headers = [dict(answer.headers) for answer in answers]
    for found in headers:
        found.pop("date")
        found.pop("server", None)  # each names itself or does not
    assert "nothing" in path or answers[0].is_success, answers[0].text
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].content == answers[1].content
    assert headers[0] == headers[1]


@pytest.mark.parametrize("how", [{}, {"TE": "trailers"}], ids=["in front", "behind"])
@pytest.mark.parametrize("path", READS)
def test_head_is_get_without_its_body(
    server: RunningServer, path: str, how: dict[str, str]
) -> None:
    url = path.format(id=_plant(server))
    with httpx.Client(base_url=server.url, headers=server.auth | how) as client:
        got, headers = client.get(url), client.head(url)
        after = client.get("/health")  # on the same connection
    assert headers.status_code == got.status_code
    assert headers.content == b""
    for found in (got, headers):
        found.headers.pop("date")
        found.headers.pop("transfer-encoding", None)  # RFC 9110 9.3.2 lets HEAD leave it out
    assert dict(headers.headers) == dict(got.headers)
    assert after.status_code == 200


@pytest.mark.parametrize("how", [{}, {"TE": "trailers"}], ids=["in front", "behind"])
def test_head_of_a_widget_has_its_tag_and_knows_what_did_not_change(
    server: RunningServer, how: dict[str, str]
) -> None:
    source = _plant(server)
    spec = {"type": "single", "title": "t", "datasource_id": source, "key": "temp"}
    url = f"/v1/widgets/{server.post('/v1/widgets', spec).json()['id']}/data"
    with httpx.Client(base_url=server.url, headers=server.auth | how) as client:
        got = client.get(url)
        told = client.head(url)
        assert told.headers["etag"] == got.headers["etag"]
        assert told.headers["content-length"] == str(len(got.content))
        same = client.head(url, headers={"If-None-Match": told.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        stream = client.head("/v1/stream", params={"widgets": url.split("/")[3]})
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert client.get(url).content == got.content


def test_head_where_there_is_no_get_is_refused(server: RunningServer) -> None:
    answer = server.client.head("/v1/widgets/data", headers=server.auth)
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
    answer = server.client.put("/v1/widgets", headers=server.auth)
    assert answer.status_code == 405
    assert {"GET", "HEAD", "POST"} <= set(answer.headers["allow"].split(", "))


def test_a_connection_stays_with_the_front_whatever_is_asked(server: RunningServer) -> None:
    told = {"Authorization": f"Bearer {server.admin_key}", "Content_Type": "application/json"}
    with Wire(server.url) as wire:

        def ask(method: str, path: str, body: bytes = b"") -> Answer:
            wire.send(request(method, path, body, **told))
            answer = wire.read()
            assert answer is not None
            return answer

        made = ask("POST", "/v1/datasources", b'{"name": "one"}')
        assert made.status == 201
        path = f"/v1/datasources/{json.loads(made.body)['id']}"
        assert json.loads(ask("PATCH", path, b'{"name": "two"}').body)["name"] == "two"
        assert json.loads(ask("GET", path).body)["name"] == "two"
        assert ask("DELETE", path).status == 204
        assert ask("GET", path).status == 404
