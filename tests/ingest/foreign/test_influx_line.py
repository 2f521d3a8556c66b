"""Line protocol: what a line means, what is wrong with it, and that both paths agree."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.foreign.influx_line import Units, parse
from twin.errors import TooLarge
from twin.settings import Settings

NOW_US = 1_700_000_000_000_000
NS = 1_600_000_000_123_456_789
US = NS // 1000
LIMITS = Settings()


def read(body: bytes, unit: int | None = 1) -> list[tuple[str, int, dict[str, Any]]]:
    found = parse(body, Units(NOW_US, unit), 1000, 200)
    assert found.malformed == []
    return [(r.device, r.ts_us, dict(r.values)) for r in found.readings]


@pytest.mark.parametrize(
    ("line", "device", "values"),
    [
        ("cpu v=1", "", {"cpu.v": 1.0}),
        ("cpu,host=a v=1.5", "host=a", {"cpu.v": 1.5}),
        ("cpu,b=2,a=1 v=-1e3", "a=1,b=2", {"cpu.v": -1000.0}),
        ("cpu v=.5,w=5.,x=+2,y=1E-2", "", {"cpu.v": 0.5, "cpu.w": 5.0, "cpu.x": 2, "cpu.y": 0.01}),
        (
            "cpu i=-12i,u=12u,m=9223372036854775807i",
            "",
            {"cpu.i": -12, "cpu.u": 12, "cpu.m": 2**63},
        ),
        ("c a=t,b=T,c=true,d=True,e=TRUE", "", {f"c.{k}": True for k in "abcde"}),
        ("c a=f,b=F,c=false,d=False,e=FALSE", "", {f"c.{k}": False for k in "abcde"}),
        ('c s="text, with = and space"', "", {"c.s": "text, with = and space"}),
        (r'c s="a \"quote\" and \\ and \n"', "", {"c.s": 'a "quote" and \\ and \\n'}),
        ('c s="two\nlines",t=""', "", {"c.s": "two\nlines", "c.t": ""}),
        (r"my\ cpu\,x,t\ k\=\,=a\ b\=c\,d f\ k\,\=e=1", "t k=,=a b=c,d", {"my cpu,x.f k,=e": 1.0}),
        (r"a\b,c\d=e\f g\h=1", r"c\d=e\f", {r"a\b.g\h": 1.0}),
        (r"a\\,b=c v=1 " + str(NS), "", {r"a\,b=c.v": 1.0}),
        ("a=b,c=d v=1", "c=d", {"a=b.v": 1.0}),
        ('a,q="x" "k"=1', 'q="x"', {'a."k"': 1.0}),
        ("température,où=là °C=1", "où=là", {"température.°C": 1.0}),
        ("  a   v=1   ", "", {"a.v": 1.0}),
        ("a v=1,v=2", "", {"a.v": 2.0}),
    ],
)
def test_a_line_means(line: str, device: str, values: dict[str, Any]) -> None:
    if not line.endswith(str(NS)):
        line += f" {NS}"
    for ending in ("", "\n", "\r\n"):
        assert read((line + ending).encode()) == [(device, US, values)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cpu", "missing fields"),
        ("cpu,host=a", "missing fields"),
        ("cpu ", "missing fields"),
        (",host=a v=1", "missing measurement"),
        ("cpu,host v=1", "missing tag value"),
        ("cpu,host= v=1", "missing tag value"),
        ("cpu,=a v=1", "missing tag key"),
        ("cpu,a=b=c v=1", "invalid tag format"),
        ("cpu,a=1,a=2 v=1", "duplicate tags"),
        ("cpu v", "invalid field format"),
        ("cpu v=", "missing field value"),
        ("cpu =1", "missing field key"),
        ("cpu v=1,", "missing field key"),
        ("cpu v=1,w", "invalid field format"),
        ('cpu v="open', "unbalanced quotes"),
        ('cpu v="a"b', "invalid field format"),
        ("cpu v=1 soon", "bad timestamp"),
        ("cpu v=1 1.5", "bad timestamp"),
        ("cpu v=1 0x10", "bad timestamp"),
        ("cpu v=1 1 2", "bad timestamp"),
        ("cpu v=1 " + "9" * 30, "bad timestamp"),
        ("cpu v=abc", "invalid boolean"),
        ("cpu v=1x", "invalid number"),
        ("cpu v=1_0", "invalid number"),
        ("cpu v=0x1", "invalid number"),
        ("cpu v=nan", "invalid boolean"),
        ("cpu v=1.5i", "invalid number"),
        ("cpu v=9223372036854775808i", "value out of range"),
        ("cpu v=-1u", "value out of range"),
        ("cpu v=18446744073709551616u", "value out of range"),
        ("cpu v=" + "9" * 5000 + "i", "invalid number"),
    ],
)
def test_a_malformed_line_is_named_and_the_others_are_read(line: str, reason: str) -> None:
    body = f"good v=1 {NS}\n{line}\n\n# comment\ngood v=2 {NS}\n"
    found = parse(body.encode(), Units(NOW_US), 1000, 200)
    assert [dict(r.values) for r in found.readings] == [{"good.v": 1.0}, {"good.v": 2.0}]
    assert [r.index for r in found.readings] == [1, 5]
    assert [fault.index for fault in found.malformed] == [2]
    assert reason in found.malformed[0].message
    assert "unable to parse 'cpu" in found.malformed[0].message or line[0] == ","


def test_what_is_not_utf8_is_malformed() -> None:
    for line in (b"c\xff v=1", b"c,t=\xff v=1", b"c \xff=1", b'c v="\xff"'):
        found = parse(line, Units(NOW_US), 10, 200)
        assert (len(found.readings), len(found.malformed)) == (0, 1)


@pytest.mark.parametrize("body", [b"", b"\n\n", b"# a comment", b"  \t\r\n#x\n \n"])
def test_blank_lines_and_comments_are_nothing(body: bytes) -> None:
    assert read(body) == []


@pytest.mark.parametrize(
    ("raw", "unit", "ts_us"),
    [
        (NS, 1, US),
        (US, 1000, US),
        (US // 1000, 10**6, US // 1000 * 1000),
        (1_600_000_000, 10**9, 1_600_000_000_000_000),
        (26_666_666, 60 * 10**9, 1_599_999_960_000_000),
        (444_444, 3600 * 10**9, 1_599_998_400_000_000),
        (1_600_000_000, None, 1_600_000_000_000_000),
        (1_600_000_000_000, None, 1_600_000_000_000_000),
        (1_600_000_000_000_000, None, 1_600_000_000_000_000),
        (NS, None, US),
        (0, 1, 0),
    ],
)
def test_a_time_has_the_unit_of_the_precision(raw: int, unit: int | None, ts_us: int) -> None:
    assert read(f"a v=1 {raw}".encode(), unit) == [("", ts_us, {"a.v": 1.0})]


def test_without_a_time_measurements_of_a_device_meet_and_no_line_is_lost() -> None:
    body = b"cpu,h=a v=1\nmem,h=a v=2\ncpu,h=a v=3\ncpu,h=b v=4"
    assert [(device, ts - NOW_US) for device, ts, _ in read(body)] == [
        ("h=a", 0),
        ("h=a", 0),
        ("h=a", 1),
        ("h=b", 0),
    ]


@pytest.mark.parametrize("raw", [-1, (NOW_US + 2 * 86_400_000_000) * 1000])
def test_a_time_out_of_range_is_a_fault_of_its_line_only(raw: int) -> None:
    found = parse(f"a v=1 {raw}\na v=2".encode(), Units(NOW_US), 10, 200)
    assert [bool(r.faults) for r in found.readings] == [True, False]
    assert found.malformed == []


def test_lines_are_bounded() -> None:
    body = b"a v=1\nb\n" * 5
    parse(body, Units(NOW_US), 10, 200)
    with pytest.raises(TooLarge):
        parse(body + b"a v=1", Units(NOW_US), 10, 200)


def test_a_long_device_keeps_its_start_and_stays_its_own() -> None:
    tags = ",".join(f"key{i}=value{i}" for i in range(30))
    devices = {read(f"a,{tags},z={i} v=1".encode())[0][0] for i in range(3)}
    assert len(devices) == 3
    for device in devices:
        assert re.fullmatch(r"key0=value0,key1=value1,.*#[0-9a-f]{16}", device)
        assert len(device) == 200


@given(st.binary(max_size=300))
@example(b'a b="\n' * 50)
@example(b'a b="\\"\n' * 50)
@example(b"\\" * 200 + b" =" * 50)
def test_no_bytes_are_more_than_malformed(body: bytes) -> None:
    found = parse(body, Units(NOW_US), 1000, 200)
    for fault in found.malformed:
        assert fault.index is not None
        assert 1 <= fault.index <= body.count(b"\n") + 1


SIGNS = st.text('ab,= \\"\n#1i.-t\r\t\0é', max_size=60)


@given(st.lists(SIGNS, max_size=12))
def test_no_text_is_more_than_malformed(lines: list[str]) -> None:
    body = "\n".join(lines).encode()
    found = parse(body, Units(NOW_US), 1000, 200)
    assert len(found.readings) + len(found.malformed) <= body.count(b"\n") + 1
