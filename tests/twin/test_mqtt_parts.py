"""The parts of the MQTT bridge that touch no network: topics, payloads, the inbox, broker URLs."""

from typing import Any

import pytest
from aiomqtt import Message

from twin.mqtt.broker import BrokerURL
from twin.mqtt.inbox import Inbox
from twin.mqtt.payloads import PayloadError, posted
from twin.mqtt.topics import Place, TopicError, Topics, matched

NOW_US = 1_700_000_000_000_000
PLACE = Place("d", "b", "k")


@pytest.mark.parametrize(
    ("given", "topic", "found"),
    [
        ("a/b", "a/b", []),
        ("a/b", "a/c", None),
        ("a/b", "a", None),
        ("a", "a/b", None),
        ("+", "a", [0]),
        ("a/+/c/+", "a/b/c/d", [1, 3]),
        ("a/+", "a/b/c", None),
        ("a/#", "a/b/c", [1, 2]),
        ("a/#", "a", []),
        ("#", "a/b", [0, 1]),
        ("a/+/#", "a/b/c/d", [1, 2, 3]),
        ("+/b", "/b", [0]),
        ("$share/group/a/+", "a/b", [1]),
    ],
)
def test_filters_match_as_brokers_do(given: str, topic: str, found: list[int] | None) -> None:
    assert matched(given, topic.split("/")) == found


@pytest.mark.parametrize(
    ("filters", "topic", "place"),
    [
        (("plant/+/telemetry",), "plant/p1/telemetry", ("p1", "p1", "telemetry")),
        (("plant/+/+",), "plant/p1/rpm", ("p1/rpm", "p1", "rpm")),
        (("plant/#",), "plant/hall/p1/rpm", ("hall/p1/rpm", "hall/p1", "rpm")),
        (("rpm",), "rpm", ("", "", "rpm")),
        (("x", "+/a", "#"), "p1/a", ("p1", "p1", "a")),
    ],
)
def test_wildcards_make_the_device(
    filters: tuple[str, ...], topic: str, place: tuple[str, str, str]
) -> None:
    assert Topics(filters).place(topic) == Place(*place)


def test_templates_make_device_and_key() -> None:
    topics = Topics(("#",), device="{2}-{-1}", data_key="{1}.v")
    assert topics.place("a/b/c") == Place("b-c", "b-c", "a.v")
    assert Topics(("a/+/+",), data_key="v").place("a/b/c") == Place("b/c", "b/c", "v")
    assert Topics(("a/+",), device="").place("a/b").device == ""
    with pytest.raises(TopicError, match="no level 2"):
        topics.place("a")
    with pytest.raises(TopicError, match="no --topic matches"):
        Topics(("a",)).place("b")


@pytest.mark.parametrize("text", ["{0}", "{", "}", "{name}", "{1", "{{1}}", "{1.0}"])
def test_a_template_has_only_levels(text: str) -> None:
    with pytest.raises(TopicError, match="first level"):
        Topics(("a",), device=text)


@pytest.mark.parametrize("given", ["", "a/#/b", "a+/b", "b#", "a\0", "x" * 65536, "$share/g/"])
def test_what_is_no_filter(given: str) -> None:
    with pytest.raises(TopicError):
        Topics((given,))


@pytest.mark.parametrize(
    ("payload", "readings"),
    [
        (b'{"n": 1}', [{"n": 1, "device": "d", "ts": NOW_US}]),
        (b'{"n": 1, "ts": 5, "device": "x"}', [{"n": 1, "ts": 5, "device": "x"}]),
        (b'{"n": 1, "time": 5, "device": null}', [{"n": 1, "time": 5, "device": "d"}]),
        (
            b'[{"n": 1}, {"timestamp": 7, "n": 2}, 3]',
            [
                {"n": 1, "device": "d", "ts": NOW_US},
                {"timestamp": 7, "n": 2, "device": "d"},
                3,
            ],
        ),
        (b" 21.5\n", [{"ts": NOW_US, "device": "b", "values": {"k": 21.5}}]),
        (b"+.5", [{"ts": NOW_US, "device": "b", "values": {"k": 0.5}}]),
        (b"007", [{"ts": NOW_US, "device": "b", "values": {"k": 7.0}}]),
        (b"TRUE", [{"ts": NOW_US, "device": "b", "values": {"k": True}}]),
        (b"false", [{"ts": NOW_US, "device": "b", "values": {"k": False}}]),
        (b'"21"', [{"ts": NOW_US, "device": "b", "values": {"k": "21"}}]),
        ("heißt so".encode(), [{"ts": NOW_US, "device": "b", "values": {"k": "heißt so"}}]),
        (b"", []),
        (b"null", []),
        (b"[]", []),
    ],
)
def test_payloads_become_readings(payload: bytes, readings: list[Any]) -> None:
    found = posted(payload, PLACE, NOW_US)
    assert found.readings == readings
    assert found.document is None


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        (b'{"ts": [1], "values": {"n": [2]}}', {"ts": [1], "values": {"n": [2]}, "device": "d"}),
        (b'{"values": {"n": [2]}, "device": ["x"]}', {"values": {"n": [2]}, "device": ["x"]}),
        (b'{"o": {"m": ["A"], "u": [1]}}', {"o": {"m": ["A"], "u": [1]}}),
    ],
)
def test_tables_are_posted_by_themselves(payload: bytes, document: Any) -> None:
    found = posted(payload, PLACE, NOW_US)
    assert found.readings == []
    assert found.document == document


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"n": NaN}', "not JSON"),
        (b"[1", "not JSON"),
        (b'"a', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"n": 1e999}', "not JSON"),
        (b"nan", "finite"),
        (b"-Infinity", "finite"),
        (b"1e999", "finite"),
        (b"\xff\xff", "UTF-8"),
    ],
)
def test_payloads_that_can_never_be_readings(payload: bytes, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        posted(payload, PLACE, NOW_US)


def message(number: int, qos: int = 1, size: int = 1) -> Message:
    return Message("t", bytes(size), qos, False, number, None)


def numbers(messages: list[Message]) -> list[int]:
    return [message.mid for message in messages]


def test_an_inbox_is_bounded_in_messages() -> None:
    inbox = Inbox(max_messages=2)
    for number in (1, 2):
        inbox.put(message(number, qos=0))
    assert inbox.dropped == 0
    inbox.put(message(3, qos=0))
    assert (inbox.dropped, inbox.overflowed) == (1, False)
    inbox.put(message(4))
    assert inbox.overflowed
    assert numbers(inbox.take(1, 100)) == [1]
    inbox.put(message(5))  # after 4, so not before it
    inbox.put(message(6, qos=0))
    assert numbers(inbox.take(9, 100)) == [2, 6]
    inbox.forget_unacknowledged()
    inbox.put(message(4))
    assert numbers(inbox.take(9, 100)) == [4]


def test_an_inbox_is_bounded_in_bytes() -> None:
    inbox = Inbox(max_bytes=10)
    inbox.put(message(1, size=9))
    inbox.put(message(2, size=9))
    assert not inbox.overflowed
    inbox.put(message(3, size=0))
    assert inbox.overflowed
    assert numbers(inbox.take(9, 5)) == [1]
    assert numbers(inbox.take(9, 5)) == [2]


def test_an_inbox_forgets_only_what_comes_again() -> None:
    inbox = Inbox()
    for number, qos in ((1, 0), (2, 1), (3, 0)):
        inbox.put(message(number, qos))
    inbox.forget_unacknowledged()
    assert numbers(inbox.take(9, 9)) == [1, 3]
    inbox.close()
    inbox.put(message(4))
    assert len(inbox) == 0


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("mqtt://h", BrokerURL("h", 1883, False, None, None)),
        ("mqtts://h", BrokerURL("h", 8883, True, None, None)),
        ("mqtt://u:p%40%2Fq@[::1]:18/", BrokerURL("::1", 18, False, "u", "p@/q")),
        ("mqtt://u@h", BrokerURL("h", 1883, False, "u", None)),
    ],
)
def test_broker_urls(text: str, url: BrokerURL) -> None:
    assert BrokerURL.parse(text) == url


@pytest.mark.parametrize(
    "text", ["h", "http://h", "mqtt://", "mqtt://h:x", "mqtt://h/a", "mqtt://h?a"]
)
def test_what_is_no_broker_url(text: str) -> None:
    with pytest.raises(ValueError):
        BrokerURL.parse(text)
