"""Room for what requests want: whole or not at all, in order of arrival."""

from uuid import UUID

import pytest

from twin.schema import DataKey, DatasourceSchema, Kind, Wanted
from twin.schema.learning import grant
from twin.settings import Settings

LIMITS = Settings(max_keys=3, max_devices=2, max_labels=2)


def schema(*keys: DataKey) -> DatasourceSchema:
    made = DatasourceSchema(1, UUID(int=1), 1, "live", "x", "UTC")
    made.set_keys(list(keys))
    return made


def want(
    kinds: dict[str, Kind] | None = None, devices: tuple[str, ...] = (), labels: str = ""
) -> Wanted:
    wanted = Wanted()
    wanted.kinds.update(kinds or {})
    wanted.streams.update({(device, 0): None for device in devices})
    wanted.labels.update(dict.fromkeys(labels))
    return wanted


def test_all_that_fits_is_granted_in_order() -> None:
    granted = grant(
        [want({"a": "number"}, ("x",), "p"), want({"b": "text", "a": "number"}, ("y", "x"), "q")],
        schema(),
        LIMITS,
    )
    assert list(granted.kinds.items()) == [("a", "number"), ("b", "text")]
    assert list(granted.streams) == [("x", 0), ("y", 0)]
    assert list(granted.labels) == ["p", "q"]


@pytest.mark.parametrize(
    "greedy",
    [
        want(dict.fromkeys("abcd", "number")),
        want({"a": "number"}, ("x", "y", "z")),
        want({"a": "number"}, (), "pqr"),
    ],
)
def test_what_does_not_fit_leaves_nothing_and_room_for_the_next(greedy: Wanted) -> None:
    modest = want({"b": "boolean"}, ("u",), "v")
    granted = grant([greedy, modest], schema(), LIMITS)
    assert (granted.kinds, granted.streams, granted.labels) == (
        {"b": "boolean"},
        {("u", 0): None},
        {"v": None},
    )


def test_the_first_kind_of_a_key_stands() -> None:
    granted = grant(
        [want({"a": "number"}), want({"a": "text"}, ("x",), "p"), want({"d": "text"})],
        schema(DataKey("d", 0, None), DataKey("e", 1, "boolean")),
        LIMITS,
    )
    assert granted.kinds == {"a": "number", "d": "text"}
    assert not granted.streams
    assert not grant([want({"e": "number"})], schema(DataKey("e", 1, "boolean")), LIMITS)


def test_what_is_known_takes_no_room() -> None:
    held = schema(*(DataKey(key, i, "number") for i, key in enumerate("abc")))
    held.add_stream(1, "x", 0)
    held.add_stream(2, "y", 0)
    wanted = want({"a": "number"}, ("x",))
    wanted.streams["x", 1] = None
    assert ("x", 1) in grant([wanted], held, LIMITS).streams
    assert not grant([want({}, ("z",))], held, LIMITS)
