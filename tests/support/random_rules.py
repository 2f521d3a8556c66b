"""Random rules and readings of three devices with three keys, for tests that compare."""

from typing import Any

from hypothesis import strategies as st

from alerts.check import check
from alerts.plan import Schema
from alerts.rules import Definition
from support.timelines import defined

DEVICES = {"a": [1, 5], "b": [2, 6], "c": [3, 7]}
KEYS = {"x": 0, "y": 1, "z": 17}
WHERE = Schema(slots=KEYS, kinds=dict.fromkeys(KEYS, "number"), devices=DEVICES, codes={})
HOUR = 3600.0
LIMIT = st.sampled_from([0.0, 1.0, 2.0, 3.0])
LASTING = st.sampled_from([0.0, 0.0, 2.0])
PLAIN = st.sampled_from(["equal_to", "not_equal_to", "less_or_equal", "greater_or_equal"])
SCHEDULES = st.sampled_from(
    [
        None,
        None,
        {"timezone": "UTC", "from": "00:00", "to": "03:00"},
        {"timezone": "Europe/Berlin", "days": ["thu", "sun"], "from": "22:00", "to": "05:00"},
        {"timezone": "Asia/Kolkata", "to": "24:00"},
    ]
)


@st.composite
def questions(draw: st.DrawFn, parts: bool = False) -> dict[str, Any]:
    """One comparison over small whole limits, so that readings often lie exactly on one."""
    kind = draw(st.sampled_from(["plain", "range", "clear"]))
    low = draw(LIMIT)
    if kind == "plain":
        return {"condition": draw(PLAIN), "threshold": low}
    if kind == "range":
        condition = draw(st.sampled_from(["between", "outside"]))
        return {"condition": condition, "threshold": low, "threshold_high": low + draw(LIMIT)}
    up = draw(st.booleans())
    clear = low + draw(st.sampled_from([0.0, 1.0])) * (-1 if up else 1)
    condition = "greater_than" if up else "less_than"
    return {"condition": condition, "threshold": low, "clear_threshold": clear}


@st.composite
def rules(draw: st.DrawFn) -> Definition:
    """Rules of every kind that readings judge."""
    kind = draw(st.sampled_from(["simple", "rate", "escalating", "compound"]))
    spec: dict[str, Any] = {"severity": "info", "schedule": draw(SCHEDULES)}
    spec["for_seconds"] = draw(LASTING)
    key = draw(st.sampled_from([*KEYS, "unknown"]))
    if kind == "simple":
        spec |= draw(questions())
    elif kind == "rate":
        spec |= {"condition": "rate_above", "threshold": 60.0, "clear_threshold": 30.0}
    elif kind == "escalating":
        steps = [
            {"severity": "warning", "threshold": 2.0, "clear_threshold": draw(LIMIT) % 2 + 1},
            {"severity": "critical", "threshold": 3.0},
        ]
        spec |= {"condition": "greater_than", "threshold": draw(LIMIT) % 2}
        spec["escalation"] = steps[draw(st.integers(0, 1)) :]
    else:
        some = draw(
            st.lists(st.tuples(st.sampled_from([*KEYS]), questions()), min_size=1, max_size=3)
        )
        field = draw(st.sampled_from(["all", "any"]))
        spec[field] = [{"key": name, **question} for name, question in some]
        key = some[0][0]
    device = draw(st.sampled_from([None, None, "a", "b", "c"]))
    made = defined(key=key, device=device, **spec)
    check(made, dict.fromkeys(KEYS, "number"))
    return made


VALUES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0])
MOMENTS = st.one_of(
    st.integers(0, 12).map(float), st.integers(0, 40).map(lambda hours: hours * HOUR)
)
READING = st.tuples(
    st.sampled_from([*DEVICES]), MOMENTS, st.dictionaries(st.sampled_from([*KEYS]), VALUES)
)
BATCHES = st.lists(st.lists(READING, max_size=14), max_size=5)
