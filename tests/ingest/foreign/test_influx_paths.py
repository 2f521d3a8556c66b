"""The quick ways through line protocol agree with the thorough one, or leave a body to it."""

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.assemble import assemble
from ingest.block import Block
from ingest.foreign.influx_fast import MIN_LINES, FastLines
from ingest.foreign.influx_line import Units, parse
from ingest.foreign.influx_mixed import mixed_block
from ingest.foreign.influx_scattered import ScatteredLines
from ingest.judge import judge, to_block
from twin.schema import DataKey, DatasourceSchema
from twin.settings import Settings

NOW_US = 1_700_000_000_000_000
NS = 1_600_000_000_123_456_789
LIMITS = Settings()

KEYS = [f"{m}.{f}" for m in ("cpu", "mem") for f in ("a", "b", "c d")]


def schema(pages: int = 1) -> DatasourceSchema:
    """A schema that knows the devices h=0 … h=19 and numbers, on one page or several."""
    made = DatasourceSchema(1, UUID(int=1), 1, "live", "test", "UTC")
    made.set_keys(
        [DataKey(key, i * (16 if pages > 1 else 1), "number") for i, key in enumerate(KEYS)]
    )
    stream = 0
    for device in ["", *(f"h={i}" for i in range(20))]:
        for page in range(len(KEYS) if pages > 1 else 1):
            stream += 1
            made.add_stream(stream, device, page)
    return made


def same(body: bytes, unit: int | None, made: DatasourceSchema) -> bool:
    """Return whether the fast path took the body; where it did, both must agree."""
    units = Units(NOW_US, unit)
    fast = FastLines(made, 200)
    block = fast.block(body, units, 1000) or mixed_block(fast, body, units, 1000)
    return agree(block, body, units, made)


def agree(block: Block | None, body: bytes, units: Units, made: DatasourceSchema) -> bool:
    if block is None:
        return False
    found = parse(body, units, 1000, 200)
    assert found.malformed == []
    verdict = judge(found.readings, made, LIMITS)
    assert (verdict.rejected, bool(verdict.wanted)) == (0, False)
    slow = to_block(verdict.accepted, made)
    assert block.readings == slow.readings
    assert block.slots == slow.slots
    ours, theirs = assemble([block]), assemble([slow])
    np.testing.assert_array_equal(ours.owner, theirs.owner)
    np.testing.assert_array_equal(ours.rows.stream_id, theirs.rows.stream_id)
    np.testing.assert_array_equal(ours.rows.ts_us, theirs.rows.ts_us)
    np.testing.assert_array_equal(ours.rows.values, theirs.rows.values)
    return True


def lines(count: int, fields: str, time: str = " {ns}") -> bytes:
    made = [
        ("cpu,h={i} " + fields + time).format(i=i % 20, v=i / 7, ns=NS + i * 1000)
        for i in range(count)
    ]
    return "\n".join(made).encode()


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ("a={v}", " {ns}"),
        ("a={v},b=1,c\\ d=-2e3", " {ns}"),
        ("a={v},b={v}", ""),
        ("a={i}i,b=-5i,c\\ d=1", " {ns}"),
        ("a=-0i,b={i}i", " {ns}"),
        ("a={i}i", ""),
        ("b={v},a=5.", " {ns}"),
        ("a={v},a=1", " {ns}"),
    ],
)
def test_the_fast_path_takes_uniform_lines(fields: str, time: str, pages: int) -> None:
    expected = "\\" not in fields
    for ending in (b"", b"\n"):
        assert same(lines(20, fields, time) + ending, 1, schema(pages)) is expected


@pytest.mark.parametrize(
    "body",
    [
        lines(MIN_LINES - 1, "a=1"),
        lines(20, "a=1i") + b"\ncpu,h=1 a=1 1600000000000000000",
        lines(20, "a=1") + b"\ncpu,h=1 a=1i 1600000000000000000",
        lines(20, "a=1i") + b"\ncpu,h=1 a=1.5i 1600000000000000000",
        lines(20, "a=1i") + b"\ncpu,h=1 a=0x5i 1600000000000000000",
        lines(20, "a=1i") + b"\ncpu,h=1 a=\xff 1600000000000000000",
        lines(20, "a=9223372036854775807i"),
        lines(20, "a=1u"),
        lines(20, "a=t"),
        lines(20, 'a="x"'),
        lines(20, "a=nan"),
        lines(20, "a=inf"),
        lines(20, "a=1e999"),
        lines(20, "new=1"),
        lines(20, "a=1") + b"\ncpu,h=1 b=1 1600000000000000000",
        lines(20, "a=1") + b"\ncpu,h=new a=1 1600000000000000000",
        lines(20, "a=1") + b"\ncpu,h=1 a=1 -1",
        lines(20, "a=1") + b"\ncpu,h=1 a=1 0x5F5E100",
        lines(20, "a=1") + b"\ncpu,h=1 a=1 +5",
        lines(20, "a=1") + b"\ncpu,h=1 a= 5",
        lines(20, "a=1") + b"\n\n",
        lines(20, "a=1") + b"\n# comment",
        lines(21, "a=1", ""),
        lines(20, "a=1").replace(b"\n", b"\r\n"),
        lines(20, "a=1").replace(b"\n", b"\n\t"),
        lines(20, "a=1", " 9223372036854775807"),
    ],
)
def test_the_fast_path_leaves_the_rest(body: bytes) -> None:
    assert not same(body, 1, schema())


NUMBERS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-(10**19), 10**19).map("{}i".format),
    st.text("0123456789.eE+-_xinfa ", min_size=1, max_size=6),
)
TIMES = st.one_of(
    st.integers(0, 2 * 10**18).map(str), st.text("0123456789+-xX_ ", min_size=1, max_size=12)
)


@given(data=st.data(), pages=st.sampled_from([1, 2]))
def test_both_paths_agree(data: st.DataObject, pages: int) -> None:
    fields = data.draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3))
    timed = data.draw(st.booleans())
    body = []
    for _ in range(data.draw(st.integers(MIN_LINES, 12))):
        held = ",".join(f"{field}={data.draw(NUMBERS)}" for field in fields)
        device = data.draw(st.integers(0, 19))
        line = f"cpu,h={device} {held}" + (f" {data.draw(TIMES)}" if timed else "")
        body.append(line)
    same(
        "\n".join(body).encode(), data.draw(st.sampled_from([1, 1000, 10**9, None])), schema(pages)
    )


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, (NOW_US + 10**6) * 1000),
    st.sampled_from([1, None]),
)
def test_the_fast_path_reads_every_number(value: float, ns: int, unit: int | None) -> None:
    body = "\n".join(f"cpu,h={i} a={value!r} {ns}" for i in range(MIN_LINES)).encode()
    is_tiny = 0 < abs(value) < 2.3e-308
    if unit == 1 and not is_tiny:
        assert same(body, unit, schema())
    else:
        same(body, unit, schema())


@pytest.mark.parametrize("pages", [1, 2])
def test_measurements_and_fields_that_alternate_are_taken(pages: int) -> None:
    made = schema(pages)
    body = []
    for i in range(60):
        place = f"h={i % 4} {{}} {NS + i // 8 * 1000}"
        body.append("cpu," + place.format(f"a={i},b={i}i"))
        body.append("mem," + place.format(f"b={i}i"))
        body.append("cpu," + place.format(f"a={-i}"))
        body.append("mem," + place.format(f"a={i}.5,b=7i"))
    assert same("\n".join(body).encode(), 1, made)
    assert same("\n".join(body[::-1]).encode() + b"\n", None, made)
    assert not same("\n".join([*body, "cpu,h=1 a=1"]).encode(), 1, made)
    assert not same("\n".join([*body, f'cpu,h=1 a="x" {NS}']).encode(), 1, made)
    assert not same("\n".join([*body, f"cpu,h=1 new=1 {NS}"]).encode(), 1, made)
    assert not same("\n".join(body[:12]).encode(), 1, made)


FORMS = ["a={}", "a={}i", "b={},a={}", "a={},b={}"]


@given(st.data())
def test_both_paths_agree_on_mixed_lines(data: st.DataObject) -> None:
    drawn = st.tuples(
        st.sampled_from(["cpu", "mem"]),
        st.integers(0, 2),
        st.sampled_from(FORMS),
        st.integers(0, 3),
        st.integers(-9, 9),
    )
    body = [
        f"{measurement},h={device} {form.format(value, value + 1)} {NS + step * 1000}"
        for measurement, device, form, step, value in data.draw(
            st.lists(drawn, min_size=64, max_size=80)
        )
    ]
    same("\n".join(body).encode(), 1, schema(data.draw(st.sampled_from([1, 2]))))


def test_a_form_is_made_anew_when_keys_change() -> None:
    made = schema()
    fast = FastLines(made, 200)
    assert fast.serves(made)
    made.set_keys([*made.keys.values(), DataKey("cpu.new", 20, "number")])
    assert not fast.serves(made)
    assert not fast.serves(schema())


# Lines whose fields come and go


def scattered(body: bytes, made: DatasourceSchema) -> bool:
    units = Units(NOW_US, 1)
    return agree(ScatteredLines(made, 200).block(body, units, 1000), body, units, made)


FIELD = st.sampled_from(
    ["a=1", "b=-2.5", "a=0", "b=12.75", "a=1e3", "a=5.", "a=1i", "a=t", 'b="x"', "new=1", "a=1=2"]
    + ["1=a=2", "a=nan", "a=1_0", "a=", "=1", "c\\ d=1", "a=1e999"]
)
PLAIN_FIELD = st.sampled_from(["a=1", "b=-2.5", "a=0", "b=12.75", "a=-0.0"])
SERIES_OF = st.sampled_from(["cpu,h=1", "cpu,h=2", "mem,h=3", "cpu", "cpu,h=new", "cpu,g=1"])
PLAIN_SERIES = st.sampled_from(["cpu,h=1", "cpu,h=2", "mem,h=3", "cpu"])
STAMP = st.sampled_from(["", " 1600000000000000000", " 1600000000000000001", " -1", " +1", "  5"])


def bodies(series: Any, field: Any, stamp: Any, least: int) -> Any:
    fields = st.lists(field, min_size=least, max_size=3, unique_by=lambda f: f[:2]).map(",".join)
    line = st.tuples(series, fields, stamp).map(lambda p: f"{p[0]} {p[1]}{p[2]}")
    return st.lists(line, min_size=6, max_size=14).map(lambda found: "\n".join(found).encode())


@given(bodies(PLAIN_SERIES, PLAIN_FIELD, st.just(" 1600000000000000000"), 1))
def test_lines_whose_fields_come_and_go_are_taken(body: bytes) -> None:
    assert scattered(body, schema()) is (body.count(b"\n") + 1 >= MIN_LINES)


@given(
    bodies(PLAIN_SERIES, PLAIN_FIELD, st.just(" 1600000000000000000"), 1),
    st.tuples(SERIES_OF, st.lists(FIELD, max_size=3).map(",".join), STAMP),
)
def test_a_line_out_of_the_ordinary_is_judged_alike_or_left(
    body: bytes, odd: tuple[str, str, str]
) -> None:
    scattered(body + f"\n{odd[0]} {odd[1]}{odd[2]}".encode(), schema())


@pytest.mark.parametrize(
    "odd",
    [
        "cpu,h=1 a=1,a=2 5",
        "cpu,h=1 a,1=b=2 5",
        "cpu,h=1 a=1",
        "cpu,h=1 a=1_0 5",
        "cpu,h=1 a=1 5 5",
        "cpu,h=1 a=1 5_0",
        "cpu,h=1 a=1 9999999999999999999",
        "cpu,h=1 new=1 5",
        "cpu,h=new a=1 5",
        "# a=1 5",
        "",
    ],
)
def test_scattered_lines_that_are_left(odd: str) -> None:
    fine = b"\n".join([b"cpu,h=1 a=1 5"] * MIN_LINES)
    assert scattered(fine, schema())
    assert not scattered(fine + b"\n" + odd.encode() + b"\n" + fine, schema())
    paged = schema(2)
    assert not scattered(b"\n".join([b"cpu,h=1 b=1 5"] * MIN_LINES), paged)
