"""What a client may write as a rule, and which field an error names."""

from uuid import UUID

import msgspec
import pytest

from alerts.check import check
from alerts.rules import NewRule, RulePatch, defined, patched
from twin.errors import Invalid

GOOD = {
    "name": "too hot",
    "datasource_id": "00000000-0000-0000-0000-000000000001",
    "key": "temperature",
    "condition": "greater_than",
    "threshold": 80,
    "severity": "warning",
}
HOOK = UUID(int=7)
PART = {"key": "temperature", "condition": "greater_than", "threshold": 8, "clear_threshold": 7}
OTHER_PART = {"key": "rpm", "condition": "between", "threshold": 8, "threshold_high": 9}


def escalated(**changes: object) -> dict[str, object]:
    return {"escalation": [{"severity": "critical", "threshold": 95, **changes}]}


def made(**changes: object):
    return defined(msgspec.convert({**GOOD, **changes}, NewRule))


def wrong_fields(kind: str | None = None, **changes: object) -> list[str | None]:
    try:
        check(made(**changes), {"temperature": kind})
    except Invalid as exc:
        return [error.key for error in exc.errors]
    return []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"device": "pump-1", "for_seconds": 30, "clear_threshold": 70},
        {"clear_threshold": 80},
        {"condition": "less_than", "clear_threshold": 90},
        {"condition": "between", "threshold_high": 80},
        {"condition": "outside", "threshold_high": 90.5},
        {"condition": "equal_to", "threshold": "FAULT"},
        {"condition": "not_equal_to", "threshold": True},
        {"webhooks": [str(HOOK)]},
        {"name": "n" * 200},
        {"for_seconds": 30 * 86_400},
        {"condition": "rate_above", "threshold": 5, "clear_threshold": 2},
        {"condition": "no_data", "threshold": 60},
        {"condition": None, "threshold": None, "key": None, "all": [PART]},
        {"condition": None, "threshold": None, "key": "rpm", "any": [PART] * 9 + [OTHER_PART]},
        {"escalation": [{"severity": "critical", "threshold": 95, "clear_threshold": 90}]},
        {"schedule": {"timezone": "Europe/Berlin"}},
        {"schedule": {"timezone": "UTC", "days": ["sat"], "from": "22:00", "to": "06:00"}},
    ],
)
def test_good_rules(changes: dict[str, object]) -> None:
    assert wrong_fields(**changes) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"key": ""}, "key"),
        ({"device": "d" * 201}, "device"),
        ({"device": "a\x00"}, "device"),
        ({"condition": "hotter_than"}, "condition"),
        ({"condition": "rate_above", "threshold": "hot"}, "threshold"),
        ({"condition": "no_data", "threshold": 0.5}, "threshold"),
        ({"condition": "no_data", "threshold": 30 * 86_400 + 1}, "threshold"),
        ({"condition": "no_data", "threshold": 60, "for_seconds": 5}, "for_seconds"),
        ({"condition": "no_data", "threshold": 60, "clear_threshold": 5}, "clear_threshold"),
        ({"threshold": None}, "threshold"),
        ({"condition": None}, "condition"),
        ({"all": [PART]}, "condition"),
        ({"condition": None, "all": [PART]}, "threshold"),
        ({"condition": None, "threshold": None, "all": []}, "all"),
        ({"condition": None, "threshold": None, "any": [PART] * 11}, "any"),
        ({"condition": None, "threshold": None, "all": [OTHER_PART]}, "key"),
        (
            {"condition": None, "threshold": None, "all": [{**PART, "key": " "}, PART]},
            "all.0.key",
        ),
        (
            {"condition": None, "threshold": None, "any": [{**PART, "condition": "no_data"}]},
            "any.0.condition",
        ),
        (
            {"condition": None, "threshold": None, "any": [PART, {**PART, "clear_threshold": 9}]},
            "any.1.clear_threshold",
        ),
        (escalated(severity="warning"), "escalation.0.severity"),
        (escalated(severity="fatal"), "escalation.0.severity"),
        (escalated(threshold=80), "escalation.0.threshold"),
        (escalated(threshold=float("inf")), "escalation.0.threshold"),
        (escalated(clear_threshold=96), "escalation.0.clear_threshold"),
        ({**escalated(threshold=80), "condition": "less_than"}, "escalation.0.threshold"),
        ({**escalated(), "condition": "equal_to"}, "escalation"),
        ({"schedule": {}}, "schedule.timezone"),
        ({"schedule": {"timezone": "Mars/Olympus"}}, "schedule.timezone"),
        ({"schedule": {"timezone": "UTC", "days": []}}, "schedule.days"),
        ({"schedule": {"timezone": "UTC", "days": ["monday"]}}, "schedule.days"),
        ({"schedule": {"timezone": "UTC", "from": "6:00"}}, "schedule.from"),
        ({"schedule": {"timezone": "UTC", "from": "24:00"}}, "schedule.from"),
        ({"schedule": {"timezone": "UTC", "to": "25:00"}}, "schedule.to"),
        ({"schedule": {"timezone": "UTC", "from": "06:00", "to": "06:00"}}, "schedule.to"),
        ({"threshold": "hot"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"threshold": float("inf")}, "threshold"),
        ({"condition": "between"}, "threshold_high"),
        ({"condition": "outside", "threshold_high": 79}, "threshold_high"),
        ({"condition": "outside", "threshold_high": float("nan")}, "threshold_high"),
        ({"threshold_high": 90}, "threshold_high"),
        ({"clear_threshold": 81}, "clear_threshold"),
        ({"clear_threshold": float("nan")}, "clear_threshold"),
        ({"condition": "less_or_equal", "clear_threshold": 79}, "clear_threshold"),
        ({"condition": "equal_to", "clear_threshold": 79}, "clear_threshold"),
        ({"severity": "fatal"}, "severity"),
        ({"for_seconds": -1}, "for_seconds"),
        ({"for_seconds": 30 * 86_400 + 1}, "for_seconds"),
        ({"webhooks": [str(HOOK), str(HOOK)]}, "webhooks"),
        ({"webhooks": [str(UUID(int=i)) for i in range(21)]}, "webhooks"),
        ({"icon": "i" * 201}, "icon"),
        ({"widget_color": "c" * 51}, "widget_color"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], field: str) -> None:
    assert wrong_fields(**changes) == [field]


def test_all_wrong_fields_are_named_at_once() -> None:
    assert wrong_fields(name="", condition="x", severity="y") == ["name", "condition", "severity"]


@pytest.mark.parametrize(
    ("kind", "threshold", "wrong"),
    [
        ("number", 80, []),
        ("number", "A", ["threshold"]),
        ("number", True, ["threshold"]),
        ("text", "A", []),
        ("text", 1, ["threshold"]),
        ("boolean", False, []),
        ("boolean", 0, ["threshold"]),
    ],
)
def test_a_threshold_is_of_its_keys_kind(kind: str, threshold: object, wrong: list[str]) -> None:
    assert wrong_fields(kind, condition="equal_to", threshold=threshold) == wrong


def test_the_conditions_that_exist_are_listed() -> None:
    with pytest.raises(Invalid, match=r"greater_than, greater_or_equal, .* between, outside"):
        check(made(condition="above"), {})


def test_a_patch_changes_only_what_it_holds() -> None:
    old = made(device="pump-1", widget_color="red", clear_threshold=70)
    new = patched(old, msgspec.convert({"name": "hot", "widget_color": None}, RulePatch))
    assert (new.name, new.device, new.spec.widget_color) == ("hot", "pump-1", None)
    assert new.spec.clear_threshold == 70
    assert new.asks_like(old)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "rpm"},
        {"device": None},
        {"condition": "less_than"},
        {"threshold": 81},
        {"clear_threshold": None},
        {"for_seconds": 1},
        {"is_active": False},
    ],
)
def test_a_patch_that_asks_something_else_is_told_apart(change: dict[str, object]) -> None:
    old = made(device="pump-1", clear_threshold=70)
    assert not patched(old, msgspec.convert(change, RulePatch)).asks_like(old)


def test_one_and_true_are_different_thresholds() -> None:
    one, true = made(condition="equal_to", threshold=1), made(condition="equal_to", threshold=True)
    assert not one.asks_like(true)
