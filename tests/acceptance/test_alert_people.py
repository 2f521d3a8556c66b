"""Acknowledging, silencing, history and dead letters, over HTTP."""

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.desk import Desk, open_desk
from support.server import Datasource, RunningServer

START = 1_790_000_000


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with open_desk() as one:
        yield one


@pytest.fixture(scope="module")
def plant(server: RunningServer) -> Datasource:
    return server.datasource()


@pytest.fixture(scope="module")
def rule(plant: Datasource, desk: Desk) -> dict[str, Any]:
    """A rule that fired for two devices; for one of them it is over."""
    server = plant.server
    hook = server.post("/v1/webhooks", {"name": "desk", "url": desk.url}).json()
    body = {"name": "=too hot", "datasource_id": plant.id, "key": "temperature"}
    body |= {"condition": "greater_than", "threshold": 80, "severity": "critical"}
    made = server.post("/v1/alerts", {**body, "webhooks": [hook["id"]]}).json()
    readings = [("a", 1, -5), ("a", 2, 91), ("b", 2, 92), ("a", 62.5, -5)]
    for device, second, value in readings:
        reading = {"ts": START + second, "device": device, "temperature": value}
        assert plant.post(reading).status_code == 200
    desk.wait(3)
    return dict(made)


def later(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_the_history_tells_causes_and_durations(plant: Datasource, rule: dict[str, Any]) -> None:
    server = plant.server
    page = server.get("/v1/alerts/events", alert_id=rule["id"]).json()
    told = [(e["device"], e["state"], e["value"], e["duration_seconds"]) for e in page["items"]]
    assert told == [
        ("a", "normal", -5, None),
        ("b", "firing", 92, None),
        ("a", "firing", 91, 60.5),
    ]
    wanted: list[tuple[dict[str, Any], int]] = [
        ({"device": "a"}, 2),
        ({"severity": "critical"}, 3),
        ({"severity": "info"}, 0),
        ({"state": "firing"}, 2),
        ({"from": datetime.fromtimestamp(START + 3, UTC).isoformat()}, 1),
        ({"to": datetime.fromtimestamp(START + 3, UTC).isoformat()}, 2),
        ({"device": "\x00"}, 0),
    ]
    for filters, total in wanted:
        found = server.get("/v1/alerts/events", alert_id=rule["id"], **filters).json()
        assert found["total"] == total, filters
    second = server.get("/v1/alerts/events", alert_id=rule["id"], limit=1, offset=1).json()
    assert [e["device"] for e in second["items"]] == ["b"]
    assert server.get("/v1/alerts/events", severity="grave").status_code in (400, 422)


@pytest.mark.parametrize("how", ["header", "parameter"])
def test_the_history_is_csv_too(plant: Datasource, rule: dict[str, Any], how: str) -> None:
    headers = dict(plant.server.auth)
    params = {"alert_id": rule["id"]}
    if how == "header":
        headers["Accept"] = "text/csv"
    else:
        params["format"] = "csv"
    answer = plant.server.client.get("/v1/alerts/events", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["device"], r["state"], r["value"], r["duration_seconds"]) for r in rows] == [
        ("a", "normal", "-5.0", ""),
        ("b", "firing", "92.0", ""),
        ("a", "firing", "91.0", "60.5"),
    ]
    assert {r["name"] for r in rows} == {"'=too hot"}
    assert rows[2]["ts"] == datetime.fromtimestamp(START + 2, UTC).isoformat().replace(
        "+00:00", "Z"
    )


def test_an_acknowledgement_is_shown(plant: Datasource, rule: dict[str, Any]) -> None:
    server = plant.server
    path = f"/v1/alerts/{rule['id']}/acknowledge"
    answer = server.post(path)
    assert answer.status_code == 200, answer.text
    (state,) = answer.json()["states"]
    assert state["device"] == "b"
    assert state["acknowledged_by"]
    assert state["acknowledged_at"]
    again = server.post(path, {"device": "b", "by": "somebody else"}).json()["states"][0]
    assert again["acknowledged_by"] == state["acknowledged_by"]
    (event,) = server.get("/v1/alerts/events", alert_id=rule["id"], device="b").json()["items"]
    assert event["acknowledged_by"] == state["acknowledged_by"]
    assert server.post(path, {"device": "a"}).status_code == 409
    assert server.post(path, {"device": "\x00"}).status_code == 422
    assert server.post(path, {"who": "me"}).status_code in (400, 422)
    assert server.post(path.replace(rule["id"], plant.id)).status_code == 404


def test_silences_are_made_listed_and_ended(plant: Datasource, rule: dict[str, Any]) -> None:
    server = plant.server
    made = server.post(f"/v1/alerts/{rule['id']}/silence", {"until": later(1), "device": "b"})
    assert made.status_code == 200, made.text
    one = made.json()
    assert (one["alert_id"], one["device"], one["state"]) == (rule["id"], "b", "active")
    (state,) = server.get(f"/v1/alerts/{rule['id']}").json()["states"]
    assert state["silenced_until"] == one["until"]
    wide = server.post("/v1/silences", {"until": later(2), "datasource_id": plant.id})
    assert wide.status_code == 201, wide.text
    listed = server.get("/v1/silences", alert_id=rule["id"], state="active").json()
    assert [s["id"] for s in listed["items"]] == [one["id"]]
    for made_one in (one, wide.json()):
        assert server.delete(f"/v1/silences/{made_one['id']}").status_code == 204
    assert server.get(f"/v1/silences/{one['id']}").json()["state"] == "expired"
    (state,) = server.get(f"/v1/alerts/{rule['id']}").json()["states"]
    assert state["silenced_until"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"until": "2999-01-01T00:00:00"}, "until"),
        ({"until": "2999-01-01T00:00:00Z", "starts_at": "2999-01-02T00:00:00Z"}, "starts_at"),
        ({"until": "2999-01-01T00:00:00Z", "comment": "x" * 501}, "comment"),
    ],
)
def test_a_silence_that_makes_no_sense(
    plant: Datasource, rule: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    answer = plant.server.post(f"/v1/alerts/{rule['id']}/silence", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["key"] == field


def test_a_dead_letter_is_seen_and_sent_again(server: RunningServer, desk: Desk) -> None:
    plant = server.datasource()
    body = {"name": "gone", "url": desk.url.replace("/hook", "/missing")}
    hook = server.post("/v1/webhooks", body).json()
    fields = {"name": "hot", "datasource_id": plant.id, "key": "t", "severity": "info"}
    fields |= {"condition": "greater_than", "threshold": 10, "webhooks": [hook["id"]]}
    assert server.post("/v1/alerts", fields).status_code == 201
    path = f"/v1/webhooks/{hook['id']}/deliveries"
    desk.answers["/missing"] = 404
    plant.post({"t": 20})
    deadline = time.monotonic() + 20
    while not (dead := server.get(path, status="failed").json()["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (dead[0]["last_status"], dead[0]["attempts"]) == (404, 1)
    del desk.answers["/missing"]
    answer = server.post(f"{path}/{dead[0]['delivery_id']}/resend")
    assert answer.status_code == 200, answer.text
    while not (sent := server.get(path, status="delivered").json()["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (sent[0]["delivery_id"], sent[0]["attempts"]) == (dead[0]["delivery_id"], 2)
    ids = [headers["X-Twinfeed-Delivery"] for _, headers, _ in desk.received]
    assert ids.count(dead[0]["delivery_id"]) == 2
    assert server.post(f"{path}/{plant.id}/resend").status_code == 404
    assert server.get(path, status="lost").status_code in (400, 422)
