"""ThingsBoard's device API, as curl and its SDKs use it."""

from typing import Any

import httpx
import pytest
from support.exposition import samples
from support.server import Datasource, RunningServer, start_server
from support.stored import NOTHING, learned, stored

T0_MS = 1_700_000_000_000
T0_US = T0_MS * 1000


def send(datasource: Datasource, body: Any, key: str | None = None) -> httpx.Response:
    url = f"/api/v1/{key or datasource.key}/telemetry"
    if isinstance(body, (str, bytes)):
        return datasource.server.client.post(url, content=body)
    return datasource.server.client.post(url, json=body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"ts": T0_MS, "values": {"t": 1.5, "on": True, "s": "x", "o": {"a": 1}, "n": None}},
            {T0_US: {"t": 1.5, "on": True, "s": "x", "o.a": 1}},
        ),
        (
            [{"ts": T0_MS, "values": {"t": 1}}, {"ts": T0_MS + 1, "values": {"t": 2}}],
            {T0_US: {"t": 1}, T0_US + 1000: {"t": 2}},
        ),
        ([{"ts": T0_MS, "values": {"ts": 5, "device": "d"}}], {T0_US: {"ts": 5, "device": "d"}}),
    ],
)
def test_telemetry_is_stored(server: RunningServer, body: Any, expected: dict[int, Any]) -> None:
    datasource = server.datasource()
    answer = send(datasource, body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert stored(datasource) == {("", ts): values for ts, values in expected.items()}


@pytest.mark.parametrize("body", [{"t": 1, "ts": 5}, [{"t": 1, "ts": 5}], '{"t": 1.0, "ts": 5}'])
def test_without_values_everything_is_a_key_and_now_the_time(
    server: RunningServer, body: Any
) -> None:
    datasource = server.datasource()
    assert send(datasource, body).status_code == 200
    ((_, ts_us),) = stored(datasource)
    assert ts_us > T0_US
    assert list(stored(datasource).values()) == [{"t": 1, "ts": 5}]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "5",
        "[5]",
        "{}",
        '{"t": [1]}',
        '[{"t": 1}, {"t": [1]}]',
        '{"ts": "soon", "values": {"t": 1}}',
        '{"ts": true, "values": {"t": 1}}',
        '{"ts": 1e999, "values": {"t": 1}}',
        b"\xff",
        "[" * 100_000,
    ],
)
def test_what_is_not_telemetry_is_refused_whole(server: RunningServer, body: Any) -> None:
    datasource = server.datasource()
    answer = send(datasource, body)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert answer.json()["message"]
    assert learned(datasource) == NOTHING


def test_a_value_that_does_not_fit_costs_only_its_reading(server: RunningServer) -> None:
    datasource = server.datasource()
    items = [{"ts": T0_MS, "values": {"t": 1}}, {"ts": T0_MS + 1, "values": {"t": "x"}}]
    answer = send(datasource, items)
    assert answer.status_code == 400
    assert "t: is a number, not a text" in answer.json()["message"]
    assert stored(datasource) == {("", T0_US): {"t": 1}}


def test_a_wrong_key_is_a_401(server: RunningServer) -> None:
    datasource = server.datasource()
    for key in ("tfi_" + "0" * 64, "A1_TEST_TOKEN", "%2e%2e"):
        assert send(datasource, {"t": 1}, key).status_code == 401


def test_the_key_in_the_path_is_never_repeated(database_url: str) -> None:
    with start_server(database_url, log_level="debug") as server:
        datasource = server.datasource()
        answers = [send(datasource, body) for body in ({"t": 1}, "{", {"t": "x"}, [])]
        for method in ("GET", "POST", "DELETE"):
            for rest in ("telemetry", "attributes", "telemetry/x", ""):
                url = f"/api/v1/{datasource.key}/{rest}"
                answers.append(server.client.request(method, url, content="{"))
        assert {a.status_code for a in answers} <= {200, 400, 404, 405}
        for answer in answers:
            assert datasource.key not in answer.text
        assert not [labels for _, labels in samples(server) if datasource.key in str(labels)]
        assert datasource.key.partition("_")[2] not in server.log.read_text()
