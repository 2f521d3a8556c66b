"""Alerts from outside: rules and webhooks over HTTP, readings in, webhooks out."""

import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.desk import Desk, open_desk
from support.server import Datasource, RunningServer, launch

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as one:
        yield one


def created(server: RunningServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = server.post(path, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def add_rule(plant: Datasource, **fields: Any) -> dict[str, Any]:
    body = {
        "name": "too hot",
        "datasource_id": plant.id,
        "key": "temperature",
        "condition": "greater_than",
        "threshold": 80,
        "severity": "critical",
        **fields,
    }
    return created(plant.server, "/v1/alerts", body)


def add_webhook(server: RunningServer, desk: Desk, **fields: Any) -> dict[str, Any]:
    return created(server, "/v1/webhooks", {"name": "desk", "url": desk.url, **fields})


def send(plant: Datasource, *readings: dict[str, Any]) -> None:
    answer = plant.post(list(readings))
    assert answer.status_code == 200, answer.text


def test_from_a_hot_reading_to_a_signed_webhook_and_back(server: RunningServer, desk: Desk) -> None:
    plant = server.datasource()
    webhook = add_webhook(server, desk, secret="s3cret")
    rule = add_rule(plant, webhooks=[webhook["id"]], device="pump-1", widget_color="red")
    start = int(time.time()) - 100
    send(plant, {"ts": start, "device": "pump-1", "temperature": 20})
    send(plant, {"ts": start + 1, "device": "pump-1", "temperature": 92.5})
    (firing,) = desk.wait(1)
    one = firing["alerts"][0]
    assert (firing["version"], firing["status"], firing["receiver"]) == ("4", "firing", "desk")
    assert one["labels"] == {
        "alertname": "too hot",
        "severity": "critical",
        "datasource_id": plant.id,
        "device": "pump-1",
        "key": "temperature",
    }
    assert one["values"] == {"temperature": 92.5}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start + 1))
    assert one["startsAt"] == moment
    _, headers, body = desk.received[0]
    signed = headers["X-Twinfeed-Timestamp"].encode() + b":" + body
    signature = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert headers["X-Twinfeed-Signature"] == signature

    shown = server.get(f"/v1/alerts/{rule['id']}").json()
    assert shown["state"] == "firing"
    nobody = {"acknowledged_at": None, "acknowledged_by": None, "silenced_until": None}
    assert shown["states"] == [
        {
            "device": "pump-1",
            "state": "firing",
            "since": moment,
            "value": 92.5,
            "severity": "critical",
            "error": None,
            **nobody,
        }
    ]
    send(plant, {"ts": start + 2, "device": "pump-1", "temperature": 60})
    resolved = desk.wait(2)[1]
    assert resolved["status"] == "resolved"
    assert resolved["alerts"][0]["startsAt"] == moment
    assert resolved["alerts"][0]["fingerprint"] == one["fingerprint"]

    history = server.get("/v1/alerts/events", alert_id=rule["id"]).json()
    assert [(e["previous_state"], e["state"]) for e in history["items"]] == [
        ("firing", "normal"),
        ("normal", "firing"),
    ]
    assert (history["total"], history["limit"], history["offset"]) == (2, 20, 0)
    deliveries = server.get(f"/v1/webhooks/{webhook['id']}/deliveries").json()
    assert deliveries["total"] == 2
    ids = [item["delivery_id"] for item in deliveries["items"]]
    assert ids[::-1] == [headers["X-Twinfeed-Delivery"] for _, headers, _ in desk.received]


def test_a_secret_is_never_shown(server: RunningServer, desk: Desk) -> None:
    webhook = add_webhook(server, desk, secret="hidden-secret")
    assert webhook["has_secret"] is True
    for path in (f"/v1/webhooks/{webhook['id']}", "/v1/webhooks?limit=100"):
        text = server.get(path).text
        assert webhook["id"] in text
        assert "hidden-secret" not in text
    answer = server.patch(f"/v1/webhooks/{webhook['id']}", {"secret": None})
    assert (answer.status_code, answer.json()["has_secret"]) == (200, False)


def test_the_life_of_a_rule(server: RunningServer) -> None:
    plant = server.datasource()
    rule = add_rule(plant, for_seconds=5, clear_threshold=70, icon="flame")
    path = f"/v1/alerts/{rule['id']}"
    assert server.get(path).json() == rule
    assert (rule["state"], rule["states"], rule["icon"]) == ("normal", [], "flame")
    listed = server.get("/v1/alerts", datasource_id=plant.id).json()
    assert (listed["items"], listed["total"]) == ([rule], 1)
    patched = server.patch(path, {"threshold": 90, "icon": None})
    assert patched.status_code == 200
    assert (patched.json()["threshold"], patched.json()["icon"]) == (90.0, None)
    assert patched.json()["clear_threshold"] == 70.0
    assert server.delete(path).status_code == 204
    assert server.get(path).status_code == 404
    assert server.delete(path).status_code == 404
    assert server.patch(path, {"name": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"condition": "hotter"}, "condition"),
        ({"condition": "between"}, "threshold_high"),
        ({"severity": "fatal"}, "severity"),
        ({"threshold": "hot"}, "threshold"),
        ({"clear_threshold": 90}, "clear_threshold"),
        ({"webhooks": [NOBODY]}, "webhooks"),
        ({"for_seconds": -1}, "for_seconds"),
    ],
)
def test_a_wrong_rule_is_told_which_field(
    server: RunningServer, fields: dict[str, Any], field: str
) -> None:
    plant = server.datasource()
    body = {
        "name": "r",
        "datasource_id": plant.id,
        "key": "t",
        "condition": "greater_than",
        "threshold": 80,
        "severity": "info",
    }
    answer = server.post("/v1/alerts", {**body, **fields})
    assert answer.status_code == 422, answer.text
    assert [error["key"] for error in answer.json()["errors"]] == [field]
    assert server.get("/v1/alerts", datasource_id=plant.id).json()["total"] == 0


def test_what_is_not_there_is_not_found(server: RunningServer) -> None:
    body = {
        "name": "r",
        "datasource_id": NOBODY,
        "key": "t",
        "condition": "greater_than",
        "threshold": 80,
        "severity": "info",
    }
    assert server.post("/v1/alerts", body).status_code == 404
    for path in (
        f"/v1/alerts/{NOBODY}",
        f"/v1/webhooks/{NOBODY}",
        f"/v1/webhooks/{NOBODY}/deliveries",
    ):
        assert server.get(path).status_code == 404, path
    assert server.post(f"/v1/webhooks/{NOBODY}/test").status_code == 404


def test_the_test_call(server: RunningServer, desk: Desk) -> None:
    webhook = add_webhook(server, desk)
    answer = server.post(f"/v1/webhooks/{webhook['id']}/test")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["last_status"]) == ("delivered", 200)
    (body,) = desk.wait(1)
    assert body["alerts"][0]["labels"]["alertname"] == "Twinfeed test"


def test_a_url_that_is_no_target(server: RunningServer) -> None:
    answer = server.post("/v1/webhooks", {"name": "x", "url": "ftp://example.com"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["key"] == "url"


def test_a_deleted_datasource_resolves_its_alerts(server: RunningServer, desk: Desk) -> None:
    plant = server.datasource()
    webhook = add_webhook(server, desk)
    add_rule(plant, webhooks=[webhook["id"]])
    send(plant, {"temperature": 99})
    desk.wait(1)
    assert server.delete(f"/v1/datasources/{plant.id}").status_code == 204
    resolved = desk.wait(2)[1]
    assert resolved["status"] == "resolved"


def test_a_killed_server_delivers_what_it_had_committed(database_url: str, desk: Desk) -> None:
    first = launch(database_url)
    plant = first.datasource()
    webhook = created(first, "/v1/webhooks", {"name": "desk", "url": "http://127.0.0.1:9/"})
    add_rule(plant, webhooks=[webhook["id"]])
    send(plant, {"temperature": 99})
    first.kill()
    first.client.close()
    second = launch(database_url)
    try:
        answer = second.patch(f"/v1/webhooks/{webhook['id']}", {"url": desk.url})
        assert answer.status_code == 200, answer.text
        (body,) = desk.wait(1, timeout_s=60)
        assert body["status"] == "firing"
    finally:
        second.stop()


def test_each_reading_is_told_before_the_next_is_sent(server: RunningServer, desk: Desk) -> None:
    """How soon is the benchmark's: here, that nothing waits for what comes after it."""
    plant = server.datasource()
    webhook = add_webhook(server, desk)
    for n in range(30):
        add_rule(plant, device=f"pump-{n}", webhooks=[webhook["id"]])
    send(plant, *({"device": f"pump-{n}", "temperature": 20} for n in range(30)))
    for n in range(30):
        send(plant, {"device": f"pump-{n}", "temperature": 99})
        desk.wait(n + 1)
        assert len(desk.received) == n + 1
        (told,) = desk.wait(n + 1)[n]["alerts"]
        assert told["labels"]["device"] == f"pump-{n}"
