"""Grafana's JSON source: requests as the plugin sends them, and what it makes of the answers."""

import copy
from typing import Any

import httpx
import pytest
from support.server import Datasource, RunningServer

T0 = 1_767_225_600  # 2026-01-01T00:00:00Z
HOUR = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T01:00:00.000Z"}
QUERY = {
    "app": "dashboard",
    "requestId": "Q101",
    "timezone": "browser",
    "panelId": 2,
    "dashboardUID": "plant",
    "range": {**HOUR, "raw": {"from": "now-1h", "to": "now"}},
    "rangeRaw": {"from": "now-1h", "to": "now"},
    "interval": "10s",
    "intervalMs": 10_000,
    "maxDataPoints": 360,
    "targets": [],
    "scopedVars": {"__interval": {"text": "10s", "value": "10s"}},
    "adhocFilters": [],
    "startTime": 1_767_229_200_000,
}
"""Recorded from the plugin's `query`, 0.6."""


@pytest.fixture(scope="module")
def plant(server: RunningServer) -> Datasource:
    keys = [{"key": "flow", "unit": "m³/h", "label": "Flow"}, {"key": "state"}, {"key": "on"}]
    datasource = server.datasource("Grafana plant", data_keys=keys)
    answer = datasource.post(
        [
            {"ts": T0 + i, "device": device, "flow": float(i), "state": "RUN", "on": i % 2 == 0}
            for i in range(0, 3600, 10)
            for device in ("pump-1", "pump-2")
        ]
    )
    assert answer.json()["accepted"] == 720
    return datasource


def call(datasource: Datasource, path: str, body: Any) -> Any:
    answer = raw(datasource, path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def raw(datasource: Datasource, path: str, body: Any) -> httpx.Response:
    # The plugin can only send the headers of the source: Basic is what Grafana offers first.
    auth = ("grafana", datasource.server.admin_key)
    return datasource.server.client.post(f"/v1/grafana{path}", json=body, auth=auth)


def query(datasource: Datasource, *targets: dict[str, Any], **changes: Any) -> Any:
    body = {**copy.deepcopy(QUERY), **changes}
    body["targets"] = [
        {"refId": "ABCDEFG"[i], "editorMode": "code", **t} for i, t in enumerate(targets)
    ]
    return call(datasource, "/query", body)


def test_the_connection(plant: Datasource) -> None:
    client, auth = plant.server.client, ("grafana", plant.server.admin_key)
    assert client.get("/v1/grafana", auth=auth).status_code == 200
    assert client.get("/v1/grafana/", auth=auth).status_code == 200
    assert client.get("/v1/grafana").status_code == 401
    assert client.post("/v1/grafana/query", json=QUERY).status_code == 401


def test_a_metric_from_the_list_can_be_asked_for(plant: Datasource) -> None:
    listed = call(plant, "/metrics", {"payload": {}})
    metric = next(m for m in listed if m["value"] == f"{plant.id}/flow")
    assert metric["label"] == "Grafana plant / Flow (m³/h)"
    assert [payload["name"] for payload in metric["payloads"]] == [
        "device",
        "agg",
        "group_by",
        "bucket",
    ]
    (series,) = query(plant, {"target": metric["value"]})
    assert (series["target"], series["refId"]) == ("flow", "A")
    assert series["datapoints"][:2] == [[0.0, T0 * 1000], [10.0, T0 * 1000 + 10_000]]
    assert len(series["datapoints"]) == 360


def test_options_of_a_payload(plant: Datasource) -> None:
    asked = {"metric": f"{plant.id}/flow", "payload": {}, "name": "device"}
    found = call(plant, "/metric-payload-options", asked)
    assert found == [{"label": d, "value": d} for d in ("pump-1", "pump-2")]
    assert {"label": "p95", "value": "p95"} in call(
        plant, "/metric-payload-options", {**asked, "name": "agg"}
    )


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"maxDataPoints": 100}, 100),
        ({"maxDataPoints": 1}, 1),
        ({"maxDataPoints": 10_000, "intervalMs": 60_000}, 60),
        ({"maxDataPoints": 50, "intervalMs": 60_000}, 50),
        ({"maxDataPoints": None, "intervalMs": None}, 5000),
    ],
)
def test_no_more_points_than_the_panel_has_room_for(
    plant: Datasource, changes: dict[str, Any], most: int
) -> None:
    (series,) = query(plant, {"target": f"{plant.id}/flow"}, **changes)
    assert 0 < len(series["datapoints"]) <= most


def test_payloads_name_a_series(plant: Datasource) -> None:
    found = query(
        plant,
        {"target": "Grafana plant/flow", "payload": {"device": "pump-1", "agg": "max"}},
        {"target": "Grafana plant/flow", "payload": '{"group_by": "device", "bucket": "30m"}'},
        {"target": "Grafana plant/on", "payload": ""},
        {"target": "Grafana plant/flow", "hide": True},
        {"target": ""},
        maxDataPoints=10,
    )
    assert [(item["refId"], item["target"]) for item in found] == [
        ("A", "flow"),
        ("B", "flow pump-1"),
        ("B", "flow pump-2"),
        ("C", "on"),
    ]
    assert found[0]["datapoints"][0][0] > 500
    assert [len(item["datapoints"]) for item in found[1:3]] == [2, 2]
    assert {value for value, _ in found[3]["datapoints"]} <= {0.0, 1.0}


def test_texts_are_a_table(plant: Datasource) -> None:
    (table,) = query(plant, {"target": f"{plant.id}/state"}, maxDataPoints=4)
    assert table["type"] == "table"
    assert table["columns"] == [
        {"text": "Time", "type": "time"},
        {"text": "state", "type": "string"},
    ]
    assert table["rows"][0] == [T0 * 1000, "RUN"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ([("=", "pump-1")], ["flow"]),
        ([("!=", "pump-1")], ["flow pump-2"]),
        ([("=~", "pump-.*")], ["flow pump-1", "flow pump-2"]),
        ([("!~", "1$")], ["flow pump-2"]),
        ([("=", "pump-1"), ("!=", "pump-1")], []),
        ([("=", "not here")], []),
    ],
)
def test_ad_hoc_filters(
    plant: Datasource, filters: list[tuple[str, str]], names: list[str]
) -> None:
    adhoc = [{"key": "device", "operator": op, "value": value} for op, value in filters]
    found = query(plant, {"target": f"{plant.id}/flow"}, adhocFilters=adhoc)
    assert [series["target"] for series in found] == names


def test_tags_and_variables(plant: Datasource) -> None:
    assert call(plant, "/tag-keys", {}) == [{"text": "device", "type": "string"}]
    assert {"text": "pump-2"} in call(plant, "/tag-values", {"key": "device"})

    def variable(target: str) -> list[tuple[str, str]]:
        body = {"payload": {"target": target}, "range": QUERY["range"]}
        return [(item["__text"], item["__value"]) for item in call(plant, "/variable", body)]

    assert ("Grafana plant", plant.id) in variable("datasources")
    assert variable("keys(Grafana plant)") == [(k, k) for k in ("flow", "state", "on")]
    assert variable(f"devices({plant.id})") == [(d, d) for d in ("pump-1", "pump-2")]
    assert ("pump-1", "pump-1") in variable("devices")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/query", {"targets": [{"target": "nowhere/flow"}]}, "targets.target"),
        ("/query", {"targets": [{"target": "Grafana plant"}]}, "targets.target"),
        ("/query", {"targets": [{"target": "Grafana plant/nope"}]}, "key"),
        (
            "/query",
            {"targets": [{"target": "Grafana plant/flow", "payload": {"agg": "nope"}}]},
            "agg",
        ),
        (
            "/query",
            {"targets": [{"target": "Grafana plant/flow", "payload": {"x": 1}}]},
            "targets.payload",
        ),
        ("/query", {"targets": [{"target": "a"}] * 101}, "targets"),
        ("/query", {"range": {"from": "now-1h", "to": "now"}}, "range.from"),
        ("/query", {"adhocFilters": [{"key": "city", "value": "x"}]}, "adhocFilters"),
        (
            "/query",
            {"adhocFilters": [{"key": "device", "operator": "=~", "value": "("}]},
            "adhocFilters",
        ),
        ("/tag-values", {"key": "city"}, "key"),
        ("/variable", {"payload": {"target": "everything"}}, "payload.target"),
    ],
)
def test_what_is_refused(plant: Datasource, path: str, body: dict[str, Any], field: str) -> None:
    sent = {**copy.deepcopy(QUERY), **body} if path == "/query" else body
    answer = raw(plant, path, sent)
    assert answer.status_code == 422, answer.text
    assert [error["key"] for error in answer.json()["errors"]] == [field]
