"""Remote write: what a request means, and that damaged ones are refused."""

import struct
from contextlib import suppress
from typing import Any

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.foreign.prometheus import MAX_MESSAGE_BYTES, RemoteWrite, parse, unsnappy
from ingest.foreign.prometheus_messages import WriteRequest
from twin.errors import TooLarge, Unreadable

NOW_US = 1_700_000_000_000_000
T_MS = 1_699_999_999_123
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]

Series = tuple[dict[str, str], list[tuple[float, int]]]


def request(*series: Series) -> bytes:
    message = WriteRequest()
    for labels, samples in series:
        added = message.timeseries.add()
        for name, value in labels.items():
            added.labels.add(name=name, value=value)
        for sample, ts_ms in samples:
            added.samples.add(value=sample, timestamp=ts_ms)
    return bytes(message.SerializeToString())


REAL = request(
    ({"__name__": "up", "job": "node", "instance": "a:9100"}, [(1.0, T_MS), (0.0, T_MS + 1)]),
    ({"__name__": "load", "instance": "a:9100", "job": "node"}, [(0.25, T_MS)]),
    ({"__name__": "gone", "instance": "a:9100"}, [(STALE, T_MS), (float("nan"), T_MS)]),
    ({"__name__": "alone"}, [(5.0, T_MS)]),
)


def read(body: bytes) -> list[tuple[str, int, list[Any]]]:
    return [(r.device, r.ts_us, r.values) for r in parse(body, NOW_US, 1000, 200)]


def test_labels_become_device_and_key() -> None:
    ts_us = T_MS * 1000
    assert read(REAL) == [
        ("instance=a:9100,job=node", ts_us, [("up", 1.0)]),
        ("instance=a:9100,job=node", ts_us + 1000, [("up", 0.0)]),
        ("instance=a:9100,job=node", ts_us, [("load", 0.25)]),
        ("", ts_us, [("alone", 5.0)]),
    ]


def test_the_wire_format_is_the_specification_s() -> None:
    # timeseries { labels { name: "__name__" value: "m" } samples { value: 1 timestamp: 1 } }
    label = b"\x0a\x08__name__\x12\x01m"
    sample = b"\x09" + struct.pack("<d", 1.0) + b"\x10\x01"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    unknown = b"\x1a\x02\x08\x01"  # metadata, field 3
    body = b"\x0a" + bytes([len(series)]) + series + unknown
    assert read(body) == [("", 1000, [("m", 1.0)])]


def test_a_time_out_of_range_is_a_fault_of_its_sample_only() -> None:
    body = request(({"__name__": "m"}, [(1, -1), (2, T_MS), (3, 2**62)]))
    assert [bool(r.faults) for r in parse(body, NOW_US, 10, 200)] == [True, False, True]


def test_samples_are_bounded() -> None:
    body = request(({"__name__": "m"}, [(1, T_MS)] * 10))
    assert len(parse(body, NOW_US, 10, 200)) == 10
    with pytest.raises(TooLarge):
        parse(body, NOW_US, 9, 200)


def test_a_snappy_block_is_bounded() -> None:
    body = bytes(cramjam.snappy.compress_raw(bytes(1000)))
    assert unsnappy(body, 1000) == bytes(1000)
    with pytest.raises(TooLarge):
        unsnappy(body, 999)
    with pytest.raises(TooLarge):
        unsnappy(b"\xff\xff\xff\xff\x0f", 2**20)


def test_a_message_is_bounded_below_the_body() -> None:
    body = bytes(cramjam.snappy.compress_raw(bytes(MAX_MESSAGE_BYTES + 1)))
    with pytest.raises(TooLarge):
        RemoteWrite().decode(body, "snappy", 2**30)


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x05abc", REAL])
def test_what_is_not_snappy_is_refused(body: bytes) -> None:
    with pytest.raises((Unreadable, TooLarge)):
        unsnappy(body, 2**20)


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_refused(body: bytes) -> None:
    for read_it in (lambda: unsnappy(body, 2**16), lambda: parse(body, NOW_US, 1000, 200)):
        with suppress(Unreadable, TooLarge):
            read_it()


@given(st.data())
def test_damaged_requests_are_no_more_than_refused(data: st.DataObject) -> None:
    packed = bytes(cramjam.snappy.compress_raw(REAL))
    for whole, read_it in (
        (packed, lambda body: parse(unsnappy(body, 2**16), NOW_US, 1000, 200)),
        (REAL, lambda body: parse(body, NOW_US, 1000, 200)),
    ):
        damaged = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(damaged)))
        for body in (bytes(damaged), bytes(damaged[:cut])):
            with suppress(Unreadable, TooLarge):
                read_it(body)
