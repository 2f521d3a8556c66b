"""Rules of every kind through HTTP: the examples of the documentation, dry runs, what is refused."""

import json
import re
from pathlib import Path

import pytest
from support.server import RunningServer

DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
EXAMPLES = [
    json.loads(text)
    for text in re.findall(r"^```json rule\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
]
STEEP = {
    "name": "steep",
    "key": "temperature",
    "condition": "greater_than",
    "threshold": 80,
    "severity": "warning",
    "escalation": [{"severity": "critical", "threshold": 95}],
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.get("condition", "compound"))
def test_the_examples_of_the_documentation(
    server: RunningServer, example: dict[str, object]
) -> None:
    plant = server.datasource()
    answer = server.post("/v1/alerts", {"name": "doc", "datasource_id": plant.id, **example})
    assert answer.status_code == 201, answer.text
    rule = answer.json()
    assert (rule["state"], rule["unseen"]) == ("normal", True)
    assert includes(rule, example)


def includes(whole: object, part: object) -> bool:
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(includes(whole[key], value) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return len(whole) == len(part) and all(map(includes, whole, part))
    return whole == part


def test_an_alert_that_changes_its_severity(server: RunningServer) -> None:
    plant = server.datasource()
    rule = server.post("/v1/alerts", {**STEEP, "datasource_id": plant.id}).json()
    for second, value in enumerate([70, 85, 99, 85, 70]):
        plant.post({"ts": 1_700_000_000 + second, "temperature": value})
    events = server.get("/v1/alerts/events", alert_id=rule["id"]).json()["items"][::-1]
    assert [(e["state"], e["severity"], e["previous_severity"]) for e in events] == [
        ("firing", "warning", None),
        ("firing", "critical", "warning"),
        ("firing", "warning", "critical"),
        ("normal", "warning", "warning"),
    ]
    seen = server.get(f"/v1/alerts/{rule['id']}").json()
    assert (seen["unseen"], seen["unseen_keys"]) == (False, [])


def test_a_dry_run_tells_what_would_have_been(server: RunningServer) -> None:
    plant = server.datasource()
    for second, value in enumerate([70, 85, 99, 70]):
        plant.post({"ts": 1_700_000_000 + second, "temperature": value})
    asked = {
        "rule": {**STEEP, "datasource_id": plant.id},
        "from": "2023-11-14T22:13:20Z",
        "to": "2023-11-14T22:14:20Z",
    }
    answer = server.post("/v1/alerts/dry_run", asked)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [(t["state"], t["severity"], t["value"]) for t in told["transitions"]] == [
        ("firing", "warning", 85),
        ("firing", "critical", 99),
        ("normal", None, 70),
    ]
    assert (told["total"], told["rows"]) == (3, 4)
    silent = {**STEEP, "condition": "no_data", "threshold": 30, "escalation": []}
    asked["rule"] = {**silent, "datasource_id": plant.id}
    told = server.post("/v1/alerts/dry_run", asked).json()
    assert [(t["state"], t["ts"]) for t in told["transitions"]] == [
        ("firing", "2023-11-14T22:13:53Z")
    ]
    assert server.get("/v1/alerts", datasource_id=plant.id).json()["total"] == 0
    asked["to"] = asked["from"]
    refused = server.post("/v1/alerts/dry_run", asked)
    assert (refused.status_code, refused.json()["errors"][0]["key"]) == (422, "to")


def test_a_schedule_without_a_zone_is_refused_by_name(server: RunningServer) -> None:
    plant = server.datasource()
    body = {**STEEP, "datasource_id": plant.id, "schedule": {"from": "06:00", "to": "22:00"}}
    refused = server.post("/v1/alerts", body)
    assert refused.status_code == 422
    assert [e["key"] for e in refused.json()["errors"]] == ["schedule.timezone"]
