"""The five JSON shapes, and what an accepted or rejected reading leaves behind."""

from typing import Any

import pytest
from support.server import RunningServer
from support.stored import NOTHING, learned, stored

T0 = 1_700_000_000
T0_US = T0 * 1_000_000
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"ts": T0, "a": 42.5}, {("", T0_US): {"a": 42.5}}, id="flat"),
        pytest.param(
            {
                "timestamp": T0,
                "temperature": 42.5,
                "motor": {"rpm": 1500, "vibration": 0.75, "deep": {"er": 1}},
                "state": "RUNNING",
                "door": True,
                "absent": None,
                "device": "m1",
            },
            {
                ("m1", T0_US): {
                    "temperature": 42.5,
                    "motor.rpm": 1500,
                    "motor.vibration": 0.75,
                    "motor.deep.er": 1,
                    "state": "RUNNING",
                    "door": True,
                }
            },
            id="flat, nested, of every kind",
        ),
        pytest.param(
            {"time": T0, "values": {"a": 1, "b": {"c": False}}, "device": "x"},
            {("x", T0_US): {"a": 1, "b.c": False}},
            id="values",
        ),
        pytest.param(
            {"ts": T0, "values": {"ts": 5, "device": 6}},
            {("", T0_US): {"ts": 5, "device": 6}},
            id="inside values every name is a key",
        ),
        pytest.param(
            {"ts": T0, "values": 7}, {("", T0_US): {"values": 7}}, id="a key named values"
        ),
        pytest.param(
            [
                {"ts": T0, "a": 1},
                {"ts": T0 + 1, "values": {"a": 2}, "device": "x"},
                {"ts": T0, "b": True},
            ],
            {("", T0_US): {"a": 1, "b": True}, ("x", T0_US + SECOND): {"a": 2}},
            id="an array of both, meeting in one reading",
        ),
        pytest.param(
            {"ts": T0, "output": {"machines": ["A", "B"], "units": [112, 124], "scrap": [1, None]}},
            {
                ("A", T0_US): {"output.units": 112, "output.scrap": 1},
                ("B", T0_US): {"output.units": 124},
            },
            id="a labelled snapshot",
        ),
        pytest.param(
            {
                "ts": [T0, T0 + 1, T0 + 2],
                "values": {
                    "a": [1, None, 3],
                    "s": ["on", "off", None],
                    "g": {"b": [True, None, 0]},
                },
                "device": ["x", "y", "x"],
            },
            None,
            id="columns with a value of another kind",
        ),
        pytest.param(
            {
                "ts": [T0, T0 + 1],
                "values": {"a": [1, None], "s": ["on", "off"], "g": {"b": [True, None]}},
                "device": ["x", "y"],
            },
            {
                ("x", T0_US): {"a": 1, "s": "on", "g.b": True},
                ("y", T0_US + SECOND): {"s": "off"},
            },
            id="columns",
        ),
        pytest.param(
            {"ts": [T0, T0 + 1], "values": {"a": [1, 2]}, "device": "one"},
            {("one", T0_US): {"a": 1}, ("one", T0_US + SECOND): {"a": 2}},
            id="columns of one device",
        ),
        pytest.param(
            {"ts": T0, "a": 1, "device": "ünï/cødé 'x'\" 🚀"},
            {("ünï/cødé 'x'\" 🚀", T0_US): {"a": 1}},
            id="any device name",
        ),
        pytest.param(
            {"ts": T0, "Größe in m²": 1, "a/b": 2, "%": 3, "a.b.": 4, " ": 5},
            {("", T0_US): {"Größe in m²": 1, "a/b": 2, "%": 3, "a.b.": 4, " ": 5}},
            id="any key",
        ),
        pytest.param(
            {"ts": T0, 'a"b': 1, "a\\b": 2, "a\nb": "x", "plain": True},
            {("", T0_US): {'a"b': 1, "a\\b": 2, "a\nb": "x", "plain": True}},
            id="keys that JSON escapes",
        ),
    ],
)
def test_each_shape_is_stored_as_it_says(
    server: RunningServer, body: Any, expected: dict[Any, Any] | None
) -> None:
    datasource = server.datasource()
    for _ in range(2):  # first by the general path, then with everything learned
        answer = datasource.post(body)
        if expected is None:
            assert answer.status_code == 200
            assert answer.json()["rejected"] == 1
            assert [e["key"] for e in answer.json()["errors"]] == ["g.b"]
            continue
        assert answer.status_code == 200, answer.text
        assert answer.json()["rejected"] == 0
        assert stored(datasource) == expected
        assert learned(datasource)[2] == len(expected)


@pytest.mark.parametrize(
    ("body", "index", "key"),
    [
        ({"a": "text"}, 0, "a"),
        ({"a": True}, 0, "a"),
        ({"a": [1]}, 0, "a"),
        ({}, 0, None),
        ({"ts": T0, "device": "x"}, 0, None),
        ({"values": {}}, 0, None),
        ({"a": 1, "device": 5}, 0, "device"),
        ({"a": 1, "ts": T0, "time": T0}, 0, "time"),
        ({"": 1}, 0, ""),
        ({"k" * 201: 1}, 0, "k" * 200),
        ({"a": 1, "device": "d" * 201}, 0, "device"),
        ({"s": "t" * 201}, 0, "s"),
        ({"a\u0000": 1}, 0, "a\u0000"),
        ({"s": "\u0000"}, 0, "s"),
        ({"a": 1, "device": "\u0000"}, 0, "device"),
        (5, 0, None),
        (None, 0, None),
        ({"values": {"a": 1}, "b": 2}, 0, "b"),
    ],
)
def test_a_rejected_reading_is_named_and_leaves_no_trace(
    server: RunningServer, body: Any, index: int, key: str | None
) -> None:
    datasource = server.datasource(data_keys=[{"key": "a", "kind": "number"}])
    before = learned(datasource)
    if isinstance(body, dict):
        # New things beside the fault must not be learned either.
        body = {**body} if "values" in body or not body else {**body, "new": "label"}
    answer = datasource.post([body])
    if body and isinstance(body, dict) and set(body) == {"ts", "device", "new"}:
        assert answer.status_code == 200
        return
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"], told["status"]) == (0, 1, 422)
    assert told["message"] == told["detail"]
    assert told["errors"][0]["index"] == index
    assert told["errors"][0].get("key") == key
    assert learned(datasource) == before


def test_the_good_are_kept_and_every_bad_key_is_named(server: RunningServer) -> None:
    datasource = server.datasource()
    body = [
        {"ts": T0, "a": 1, "s": "x", "device": "d"},
        {"ts": T0 + 1, "a": "no", "s": 2, "fresh": 1, "device": "ghost"},
        {"ts": T0 + 2, "a": 3},
    ]
    for _ in range(2):
        answer = datasource.post(body)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["accepted"], told["rejected"]) == (2, 1)
        assert {(e["index"], e["key"]) for e in told["errors"]} == {(1, "a"), (1, "s")}
        assert learned(datasource) == (["a", "s"], ["d", ""], 2)


@pytest.mark.parametrize(
    ("reading", "keys"),
    [
        ({"a": "x", "b": [1]}, ["a", "b"]),
        ({"ts": "nope", "a": "x"}, ["a", "ts"]),
        ({"device": 5, "a": "x"}, ["a", "device"]),
        (
            {"values": {"a": 1}, **{f"x{i:02}": i for i in range(12)}},
            [f"x{i:02}" for i in range(12)],
        ),
    ],
)
def test_faults_of_every_kind_are_named_together(
    server: RunningServer, reading: dict[str, Any], keys: list[str]
) -> None:
    datasource = server.datasource()
    assert datasource.post({"ts": T0, "a": 1}).status_code == 200
    answer = datasource.post(reading)
    assert answer.status_code == 422
    assert sorted(e["key"] for e in answer.json()["errors"]) == keys


def test_every_bad_cell_of_a_row_is_named(server: RunningServer) -> None:
    datasource = server.datasource()
    table = f"ts,device,a,c\n{T0},d,1,text\nnever,{'d' * 300},x,{'t' * 300}\n{T0 + 1},d,2,more\n"
    answer = datasource.post(table, Content_Type="text/csv")
    assert answer.json()["accepted"] == 2, answer.text
    named = [(e["index"], e["key"]) for e in answer.json()["errors"]]
    assert sorted(named) == [(1, "a"), (1, "c"), (1, "device"), (1, "ts")]


def test_a_key_that_is_null_is_absent(server: RunningServer) -> None:
    datasource = server.datasource()
    full = {f"k{i}": 1 for i in range(256)}
    assert datasource.post({"ts": T0, **full}).status_code == 200
    null: dict[str, Any] = {"new": None, "l" * 300: None, "": None}
    for body in (
        {"ts": T0 + 1, "k0": 2, **null},
        {"ts": [T0 + 2], "values": {"k0": [2], **{key: [None] for key in null}}},
        [{"ts": T0 + 3, "k0": 2, **null}],
    ):
        answer = datasource.post(body)
        assert (answer.status_code, answer.json()["errors"]) == (200, []), answer.text
    assert learned(datasource)[0] == list(full)


def test_numbers_beyond_the_doubles_cost_only_their_reading(server: RunningServer) -> None:
    datasource = server.datasource()
    digits = "9" * 5000
    body = f'[{{"a":1}},{{"a":1e999}},{{"a":-1e400}},{{"a":{digits}}},{{"a":1e308}},{{"a":1e-999}}]'
    answer = datasource.post(body)
    assert answer.status_code == 200, answer.text
    assert [e["index"] for e in answer.json()["errors"]] == [1, 2, 3]
    assert {e["key"] for e in answer.json()["errors"]} == {"a"}
    assert sorted(r["a"] for r in stored(datasource).values()) == [0, 1, 1e308]


def test_at_most_a_hundred_errors_are_listed(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = datasource.post([{"a": 1}] + [{"a": "x"}] * 150)
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 150)
    assert len(answer.json()["errors"]) == 100


def test_the_later_of_two_equal_times_wins_per_key(server: RunningServer) -> None:
    datasource = server.datasource()
    body = [
        {"ts": T0, "a": 1, "b": 1, "s": "first"},
        {"ts": T0, "a": 2, "c": True},
        {"ts": T0, "b": None, "c": False},
    ]
    for _ in range(3):
        assert datasource.post(body).json()["accepted"] == 3
        assert stored(datasource) == {("", T0_US): {"a": 2, "b": 1, "c": False, "s": "first"}}
        assert learned(datasource)[2] == 1
    assert datasource.post({"ts": T0, "s": "second", "d": 4}).status_code == 200
    assert stored(datasource) == {("", T0_US): {"a": 2, "b": 1, "c": False, "s": "second", "d": 4}}
    assert learned(datasource)[2] == 1


def test_sending_again_changes_nothing(server: RunningServer) -> None:
    datasource = server.datasource()
    body = [{"ts": T0 + i, "device": f"d{i % 3}", "a": i, "on": i % 2 == 0} for i in range(300)]
    for _ in range(3):
        assert datasource.post(body).json() == {"accepted": 300, "rejected": 0, "errors": []}
    assert learned(datasource)[2] == 300
    assert datasource.post([*body, {"ts": T0 + 300, "a": 300}]).status_code == 200
    assert learned(datasource)[2] == 301


@pytest.mark.parametrize("count", [16, 17, 33, 70])
def test_keys_go_over_as_many_pages_as_they_need(server: RunningServer, count: int) -> None:
    datasource = server.datasource()
    full = {f"k{i}": float(i) for i in range(count)}
    assert datasource.post({"ts": T0, "device": "m", **full}).status_code == 200
    last = f"k{count - 1}"
    sparse = [{"ts": T0 + 1 + i, "device": "m", last: i} for i in range(3)]
    assert datasource.post(sparse).json()["accepted"] == 3
    assert datasource.post([{"ts": T0, "device": "m", last: -1}, *sparse]).json()["accepted"] == 4
    assert datasource.post({"ts": T0, "device": "other", last: 7}).json()["accepted"] == 1
    expected = {("m", T0_US): {**full, last: -1}, ("other", T0_US): {last: 7}}
    for i in range(3):
        expected["m", T0_US + (i + 1) * SECOND] = {last: i}
    assert stored(datasource) == expected
    assert learned(datasource)[2] == 5


def test_a_key_keeps_the_kind_of_its_first_value(server: RunningServer) -> None:
    datasource = server.datasource(data_keys=[{"key": "declared"}, {"key": "n", "kind": "number"}])
    assert datasource.post({"declared": "text", "n": 1, "b": True, "nothing": None}).is_success
    kinds = {k["key"]: k["kind"] for k in datasource.detail()["data_keys"]}
    assert kinds == {"declared": "text", "n": "number", "b": "boolean"}
    for key, value in (("declared", 1), ("n", True), ("n", "1"), ("b", 1), ("b", "true")):
        answer = datasource.post({key: value})
        assert answer.status_code == 422
        assert kinds[key] in answer.json()["errors"][0]["message"]
    assert {k["key"]: k["kind"] for k in datasource.detail()["data_keys"]} == kinds


def test_strict_is_all_or_nothing(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = datasource.post([{"a": 1, "device": "x"}, {"a": "bad"}], query="?strict=true")
    assert answer.status_code == 422
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (0, 2)
    assert [e["index"] for e in answer.json()["errors"]] == [1]
    assert learned(datasource) == NOTHING
    assert datasource.post([{"a": 1}, {"a": 2}], query="?strict=true").json()["accepted"] == 2
    assert datasource.post([{"a": 1}, {"a": "x"}], query="?strict=true").status_code == 422
    assert learned(datasource)[2] == 2


def test_dry_run_stores_nothing_and_learns_nothing(server: RunningServer) -> None:
    datasource = server.datasource()
    body = [{"ts": T0, "a": 1, "s": "label", "device": "x"}, {"a": "bad"}]
    answer = datasource.post(body, query="?dry_run=true")
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    assert learned(datasource) == NOTHING
    assert datasource.post({"ts": T0, "a": 1}).is_success
    assert datasource.post({"ts": T0 + 1, "a": 2}, query="?dry_run=1").json()["accepted"] == 1
    assert datasource.post({"a": "bad"}, query="?dry_run=true").status_code == 422
    assert learned(datasource)[2] == 1


@pytest.mark.parametrize("name", ["precision", "strict", "dry_run"])
def test_a_parameter_that_is_none_of_its_values_is_named(server: RunningServer, name: str) -> None:
    datasource = server.datasource()
    answer = datasource.post({"a": 1}, query=f"?{name}=perhaps")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["key"] == name
    assert learned(datasource) == NOTHING


def test_a_key_given_twice_has_its_last_value(server: RunningServer) -> None:
    datasource = server.datasource()
    for _ in range(2):
        assert datasource.post(f'{{"ts": {T0}, "a": 1, "a": 2}}').is_success
        assert stored(datasource) == {("", T0_US): {"a": 2}}


def test_a_reading_that_names_no_key_is_rejected_on_either_path(server: RunningServer) -> None:
    datasource = server.datasource()
    for _ in range(2):
        answer = datasource.post([{"ts": T0, "a": 1}, {"ts": T0 + 1}])
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    assert datasource.post({"ts": T0 + 2, "a": None}).json()["accepted"] == 1
    assert stored(datasource) == {("", T0_US): {"a": 1}, ("", T0_US + 2 * SECOND): {}}


@pytest.mark.parametrize(
    "body",
    [
        b'{"ts": [1735689600, 1735689601], "values": {"a": [1]}}',
        b'{"ts": [1735689636], "values": {"a": 5}}',
        b'{"device": "x", "output": {"machines": ["A"], "units": [1, 2]}}',
        b"null",
        b"5",
        b'{"a": 1',
        b"",
    ],
)
def test_a_body_that_fails_whole_says_that_nothing_was_taken(
    server: RunningServer, body: bytes
) -> None:
    datasource = server.datasource()
    answer = datasource.post(body)
    assert answer.status_code in (400, 422)
    assert (answer.json()["accepted"], answer.json()["rejected"] <= 1) == (0, True)
    assert learned(datasource)[2] == 0


def test_a_byte_order_mark_is_passed_over(server: RunningServer) -> None:
    datasource = server.datasource()
    for text in ('{"ts": 1735689600, "a": 1}', '[{"ts": 1735689601, "a": 2}]'):
        assert datasource.post(text.encode("utf-8-sig")).json()["accepted"] == 1
    assert len(stored(datasource)) == 2
