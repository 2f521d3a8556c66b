"""The body and the headers of a delivery."""

import hashlib
import hmac
from typing import Any

import pytest
from support.moments import at

from alerts import signing
from alerts.channels import pushed
from alerts.payload import Alert, body, fingerprint, own_group, shared_group, told
from alerts.rules import Spec
from alerts.targeting import Target
from twin.clock import to_us

STARTED_US = to_us(at("2026-11-20T12:00:00Z"))
ENDED_US = to_us(at("2026-11-20T12:05:00.250Z"))


def alert(**changes: object) -> Alert:
    fields = {
        "rule_id": "r1",
        "name": "Too hot",
        "datasource_id": "d1",
        "key": "temperature",
        "device": "pump-1",
        "spec": Spec(condition="greater_than", threshold=80.0, severity="critical"),
        "firing": True,
        "value": 92.5,
        "starts_us": STARTED_US,
        "ends_us": None,
    }
    return Alert(**{**fields, **changes})


def test_a_firing_alert_in_alertmanagers_shape() -> None:
    labels = {
        "alertname": "Too hot",
        "severity": "critical",
        "datasource_id": "d1",
        "device": "pump-1",
        "key": "temperature",
    }
    annotations = {
        "summary": "Too hot: temperature of pump-1 is 92.5",
        "description": "The alert fires when temperature is above 80.",
    }
    one = told(alert(), "https://twin.example/")
    group = own_group("r1", "Too hot", "pump-1")
    assert body([one], group, "desk", "https://twin.example/") == {
        "version": "4",
        "groupKey": '{}:{alert="r1", device="pump-1"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "desk",
        "groupLabels": {"alertname": "Too hot", "device": "pump-1"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "https://twin.example",
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": "2026-11-20T12:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://twin.example/v1/alerts/r1",
                "fingerprint": fingerprint(labels),
                "values": {"temperature": 92.5},
            }
        ],
    }


def test_a_resolved_alert_keeps_its_start_and_fingerprint() -> None:
    firing = told(alert(), "")
    resolved = told(alert(firing=False, value=70.0, ends_us=ENDED_US), "")
    assert resolved["status"] == "resolved"
    assert resolved["startsAt"] == firing["startsAt"]
    assert resolved["endsAt"] == "2026-11-20T12:05:00.25Z"
    assert resolved["fingerprint"] == firing["fingerprint"]
    assert resolved["annotations"]["summary"] == "Too hot: temperature of pump-1 is back at 70"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Spec(condition="less_or_equal", threshold=3, severity="info"), "at or below 3"),
        (
            Spec(condition="outside", threshold=1.5, threshold_high=4.0, severity="info"),
            "outside 1.5 and 4",
        ),
        (Spec(condition="equal_to", threshold="FAULT", severity="info"), "equal to FAULT"),
        (Spec(condition="equal_to", threshold=True, severity="info"), "equal to true"),
        (
            Spec(condition="greater_than", threshold=80, severity="info", for_seconds=30),
            "above 80 for 30 s",
        ),
    ],
)
def test_the_description_says_what_the_rule_asks(spec: Spec, text: str) -> None:
    description = told(alert(spec=spec), "")["annotations"]["description"]
    assert description == f"The alert fires when temperature is {text}."


def test_the_fingerprint_is_prometheus_own() -> None:
    """The empty set's is FNV-1a's offset; one label's is worked out by hand from the algorithm."""
    assert fingerprint({}) == "cbf29ce484222325"
    digest = 0xCBF29CE484222325
    for byte in b"name\xffvalue\xff":
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    assert fingerprint({"name": "value"}) == f"{digest:016x}"


def test_a_group_tells_what_its_alerts_have_in_common() -> None:
    hot = told(alert(), "")
    cool = told(alert(device="pump-2", firing=False, ends_us=ENDED_US), "")
    group = shared_group({"severity": "critical", "alertname": 'Too "hot"'})
    found = body([hot, cool], group, "desk", "")
    assert found["groupKey"] == '{}:{alertname="Too \\"hot\\"", severity="critical"}'
    assert found["groupLabels"] == {"severity": "critical", "alertname": 'Too "hot"'}
    assert found["status"] == "firing"
    common = {k: v for k, v in hot["labels"].items() if k != "device"}
    assert found["commonLabels"] == common
    assert found["commonAnnotations"] == {"description": hot["annotations"]["description"]}
    assert body([cool], group, "desk", "")["status"] == "resolved"


def target(**changes: Any) -> Target:
    fields = dict.fromkeys(Target.__struct_fields__)
    fields |= {"webhook_id": "w1", "name": "desk", "type": "webhook", "signature": "twinfeed"}
    return Target(**{**fields, **changes})


def test_a_signed_delivery_can_be_checked_by_its_receiver() -> None:
    headers = signing.headers("id-1", target(secret="s3cret"), STARTED_US, b'{"a":1}')
    assert headers["X-Twinfeed-Delivery"] == "id-1"
    assert headers["X-Twinfeed-Timestamp"] == "1795176000"
    signed = b'1795176000:{"a":1}'
    expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert headers["X-Twinfeed-Signature"] == expected


@pytest.mark.parametrize("header", [None, "X-Sent-At"])
def test_a_receiver_of_grafanas_webhooks_can_check_it_too(header: str | None) -> None:
    to = target(secret="s3cret", signature="grafana", timestamp_header=header)
    headers = signing.headers("id-1", to, STARTED_US, b"{}")
    signed = b"{}" if header is None else b"1795176000:{}"
    expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert headers["X-Grafana-Alerting-Signature"] == expected
    assert headers.get("X-Sent-At") == (header and "1795176000")
    assert "X-Twinfeed-Signature" not in headers


def test_without_a_secret_there_is_no_signature() -> None:
    headers = signing.headers("id-1", target(), STARTED_US, b"{}")
    assert "X-Twinfeed-Signature" not in headers
    assert "X-Twinfeed-Timestamp" not in headers


def test_an_alertmanager_is_pushed_what_its_api_takes() -> None:
    hot, cool = told(alert(), "https://t"), told(alert(firing=False, ends_us=ENDED_US), "https://t")
    body_ = body([hot, cool], own_group("r1", "Too hot", ""), "am", "")
    firing, resolved = pushed(body_, 30.0, STARTED_US)
    assert firing["endsAt"] == "2026-11-20T12:02:00Z"
    assert resolved["endsAt"] == cool["endsAt"]
    assert firing["labels"] == hot["labels"]
    assert set(firing) == {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}


def test_an_alert_whose_severity_changed_ends_under_the_old_one() -> None:
    old = told(alert(), "")["labels"]
    new = told(alert(severity="warning"), "") | {"replaces": old}
    ended, goes_on = pushed(body([new], own_group("r1", "x", ""), "am", ""), 30.0, STARTED_US)
    assert (ended["labels"], ended["endsAt"]) == (old, "2026-11-20T12:00:00Z")
    assert goes_on["labels"] == {**old, "severity": "warning"}
    assert goes_on["endsAt"] == "2026-11-20T12:02:00Z"
