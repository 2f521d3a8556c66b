"""Alerts that no reading ends: their receivers hear of it, and the history says why."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.desk import Desk, open_desk
from support.server import Datasource, RunningServer

ENDINGS: dict[str, Callable[[RunningServer, Datasource, str], Any]] = {
    "rule changed": lambda server, _plant, rule: server.patch(rule, {"threshold": 99}),
    "rule disabled": lambda server, _plant, rule: server.patch(rule, {"is_active": False}),
    "rule deleted": lambda server, _plant, rule: server.delete(rule),
    "readings deleted": lambda server, plant, _rule: server.delete(
        f"/v1/datasources/{plant.id}/readings", device="pump-1"
    ),
    "datasource deleted": lambda server, plant, _rule: server.delete(f"/v1/datasources/{plant.id}"),
}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as one:
        yield one


@pytest.mark.parametrize("reason", ENDINGS)
def test_an_alert_ends_with_a_reason(server: RunningServer, desk: Desk, reason: str) -> None:
    plant = server.datasource()
    hook = server.post("/v1/webhooks", {"name": "desk", "url": desk.url}).json()
    rule = {
        "name": "too hot",
        "datasource_id": plant.id,
        "key": "temperature",
        "condition": "greater_than",
        "threshold": 80,
        "severity": "critical",
        "webhooks": [hook["id"]],
    }
    made = server.post("/v1/alerts", rule)
    assert made.status_code == 201, made.text
    sent = plant.post([{"device": "pump-1", "temperature": 95}, {"device": "b", "temperature": 20}])
    assert sent.status_code == 200, sent.text
    desk.wait(1)
    ended = ENDINGS[reason](server, plant, f"/v1/alerts/{made.json()['id']}")
    assert ended.is_success, ended.text
    firing, resolved = desk.wait(2, timeout_s=60)
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert resolved["alerts"][0]["fingerprint"] == firing["alerts"][0]["fingerprint"]
    if reason != "datasource deleted":  # its history goes with it
        events = server.get("/v1/alerts/events", alert_id=made.json()["id"]).json()["items"]
        assert [(e["device"], e["state"], e["reason"]) for e in events] == [
            ("pump-1", "normal", reason),
            ("pump-1", "firing", None),
        ]
        assert [e["silenced"] for e in events] == [False, False]
