"""CSV: what cells and columns are taken for, and what is wrong with a body."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.parsing import NOW_US, parse

from ingest.formats.csv_text import Decoder, record_end
from ingest.formats.media import CSV
from twin.clock import to_us
from twin.errors import Invalid, TooLarge, TwinfeedError, Unreadable, UnsupportedMedia

BERLIN = "Europe/Berlin"


def us(*parts: int) -> int:
    return to_us(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "delimiter", "expected"),
    [
        (["1", "-2.5", "+3", ".5", "1e3"], ",", [1, -2.5, 3, 0.5, 1000]),
        (["1,5", "2"], ";", [1.5, 2]),
        (["1.234,5", "1.234"], ";", [1234.5, 1234]),
        (["1,234.5", "1,234"], ";", [1234.5, 1234]),
        (["1.234"], ";", [1.234]),
        (["1,234"], ";", [1.234]),
        (['"1,234"'], ",", [1234]),
        (["0,125"], ";", [0.125]),
        (["1 234,5", "1'234,5", "1\u202f234,5"], ";", [1234.5, 1234.5, 1234.5]),
        (["-1.234.567,89"], ";", [-1234567.89]),
    ],
)
def test_numbers(cells: list[str], delimiter: str, expected: list[float]) -> None:
    text = "\n".join(["a" + delimiter + "b", *(cell + delimiter + "x" for cell in cells)])
    found = parse(CSV, text.encode())
    assert found.faults == []
    assert [row["a"] for row in found.values] == expected


@pytest.mark.parametrize(
    ("cells", "kind", "bad"),
    [
        (["1", "x"], "number", [1]),
        (["x", "1", "y"], "text", []),
        (["true", "FALSE", "1"], "boolean", []),
        (["true", "false", "maybe"], "boolean", [2]),
        (["1", "NaN", "inf", "1e999"], "number", [1, 2, 3]),
        (["1", "2", "12.5", "1.2.3"], "number", [3]),
        (["1,5", "2,5", "12.5"], "number", [2]),
        (["", "", "7"], "number", []),
    ],
)
def test_a_column_has_one_kind(cells: list[str], kind: str, bad: list[int]) -> None:
    body = "\n".join(["a;b", *(f"{cell};1" for cell in cells)])
    found = parse(CSV, body.encode())
    assert found.taken["a"][:2] == ("key", kind)
    assert found.faults == [(row, "a") for row in bad]


def test_the_kind_that_the_datasource_knows_stands() -> None:
    body = b"a,b,c\n1,1,1\n0,x,2\n"
    found = parse(CSV, body, known={"a": "boolean", "b": "number", "c": "text"})
    assert found.values == [{"a": True, "b": 1, "c": "1"}, {"a": False, "c": "2"}]
    assert found.faults == [(1, "b")]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-06-01T12:00:00Z", us(2024, 6, 1, 12)),
        ("2024-06-01 12:00", us(2024, 6, 1, 10)),
        ("2024-06-01 12:00:00.123456789", us(2024, 6, 1, 10) + 123_456),
        ("2024-06-01T12:00:00,5+05:30", us(2024, 6, 1, 6, 30) + 500_000),
        ("2024-06-01T12:00:00-0800", us(2024, 6, 1, 20)),
        ("2024-06-01", us(2024, 5, 31, 22)),
        ("2024/06/01 12:00", us(2024, 6, 1, 10)),
        ("24.12.2024 13:05", us(2024, 12, 24, 12, 5)),
        ("24.12.2024, 13:05:06,25", us(2024, 12, 24, 12, 5, 6) + 250_000),
        ("1.2.24", us(2024, 1, 31, 23)),
        ("2016-12-31T23:59:60Z", us(2017, 1, 1)),
        ("2023-10-29 02:30", us(2023, 10, 29, 0, 30)),  # shown twice: the first
        ("2024-03-31 02:30", us(2024, 3, 31, 1, 30)),  # never shown
        ("1700000000", 1_700_000_000_000_000),
        ("1700000000000", 1_700_000_000_000_000),
        ("1700000000.5", 1_700_000_000_500_000),
        ("45000,25", us(2023, 3, 15, 5)),
        ("45000", us(2023, 3, 14, 23)),
        ("", NOW_US),
    ],
)
def test_times(cell: str, expected: int) -> None:
    found = parse(CSV, f'time;a\n"{cell}";1\n'.encode(), zone=BERLIN)
    assert (found.faults, found.messages) == ([], [])
    assert found.times == [expected]


@pytest.mark.parametrize(
    "cell",
    ["x", "2024-02-30", "31.04.2024", "2024-01-01 25:00", "12/24/2024", "-5", "1969-12-31T23:00Z"]
    + ["2030-01-01", "20000", "1e400", "inf", "9999999999999999999999", "00.00.0000"],
)
def test_bad_times(cell: str) -> None:
    found = parse(CSV, f"time;a\n{cell};1\n1700000000;2\n".encode())
    assert found.faults == [(0, "time")]
    assert found.times[1] == 1_700_000_000_000_000


@pytest.mark.parametrize("precision", ["s", "ms"])
def test_a_precision_means_no_serial_dates(precision: str) -> None:
    found = parse(CSV, b"time,a\n45000,1\n", f"precision={precision}")
    assert found.times == [45_000_000_000 if precision == "s" else 45_000_000]


@pytest.mark.parametrize(
    ("body", "query", "taken"),
    [
        (
            "Timestamp,Device ID,a\n,,1",
            "",
            {"Timestamp": "time", "Device ID": "device", "a": "key"},
        ),
        ("date,ts,a\n,,1", "", {"date": "key", "ts": "time", "a": "key"}),
        ("a,b,\n1,2,", "", {"a": "key", "b": "key", "": "left out"}),
        ("x,time,a\n,,1", "time_column=x", {"x": "time", "time": "key", "a": "key"}),
        ("sep=|\nts|a\n|1", "", {"ts": "time", "a": "key"}),
        ('"a,b";c\n1;2', "", {"a,b": "key", "c": "key"}),
        ('"a\nb",c\n1,2', "", {"a\nb": "key", "c": "key"}),
        ("a\tb\n1\t2", "", {"a": "key", "b": "key"}),
        ("a:b\n1:2", "delimiter=:", {"a": "key", "b": "key"}),
    ],
)
def test_what_columns_are_for(body: str, query: str, taken: dict[str, str]) -> None:
    found = parse(CSV, body.encode(), query)
    assert {name: role for name, (role, _, _) in found.taken.items()} == taken


@pytest.mark.parametrize(
    ("body", "query", "error", "word"),
    [
        (b"", "", Unreadable, "empty"),
        (b"\n\n", "", Unreadable, "empty"),
        (b"a,b\n", "", Unreadable, "no readings"),
        (b'a,b\n1,"2\n', "", Unreadable, "quoted"),
        (b'"a,b\n1,2\n', "", Unreadable, "quoted"),
        (b"a,a\n1,2\n", "", Invalid, "'a'"),
        (b"time\n1\n", "", Invalid, "delimiter"),
        (b",\n1,2\n", "", Invalid, "no column"),
        (b"a,b\n1,2\n", "time_column=when", Invalid, "when"),
        (b"\xef\xbb\xbfa,\xff\n1,2\n", "", Unreadable, "byte"),
        (b"a,b\n" + b"1" * 6_000_000 + b",2\n", "", TooLarge, "record"),
        (b",".join(b"%d" % i for i in range(3000)) + b"\n1\n", "", Invalid, "3000"),
    ],
)
def test_what_is_refused(body: bytes, query: str, error: type[TwinfeedError], word: str) -> None:
    with pytest.raises(error, match=word):
        parse(CSV, body, query, piece=2**19)


def test_records_of_another_width_are_named_by_place() -> None:
    found = parse(CSV, b"a,b\n1,2\n3\n\n4,5,6\n,\n7,8\n")
    assert found.values == [{"a": 1, "b": 2}, {"a": 7, "b": 8}]
    assert [r.index for r in found.readings] == [0, 4]
    assert (found.faults, found.lost) == ([(1, None), (2, None)], 2)


def test_a_charset_is_followed() -> None:
    media = "text/csv; charset=iso-8859-15"
    assert parse(media, "a;b\n1;5 €\n".encode("iso-8859-15")).values == [{"a": 1, "b": "5 €"}]
    with pytest.raises(UnsupportedMedia):
        parse("text/csv; charset=punycode", b"a,b\n1,2\n")


@given(
    rows=st.lists(
        st.lists(st.text("ab,;\"\n\r ü'1.", max_size=5), min_size=2, max_size=2), max_size=12
    ),
    piece=st.integers(1, 40),
)
def test_pieces_make_no_difference(rows: list[list[str]], piece: int) -> None:
    lines = [",".join('"' + c.replace('"', '""') + '"' for c in row) for row in rows]
    body = "\n".join(["x,y", "k,l", *lines]).encode()
    assert parse(CSV, body, piece=piece).values == parse(CSV, body).values


@given(st.text(max_size=60), st.integers(1, 7), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_text_survives_being_cut(text: str, piece: int, encoding: str) -> None:
    text = "some,ascii" + text
    body = text.encode(encoding)
    decoder = Decoder("")
    parts = [decoder.decode(body[i : i + piece]) for i in range(0, len(body), piece)]
    assert b"".join([*parts, decoder.decode(b"", final=True)]).decode() == text


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0),
        (b"a,b", 0),
        (b"a,b\nc", 4),
        (b'a,"b\nc', 0),
        (b'x\na,"b\nc', 2),
        (b'x\na,"b\nc"', 2),
        (b'x\na,"b\nc"\n', 10),
        (b'5" a\nb', 5),
        (b'a,"x""\n', 0),
    ],
)
def test_a_line_end_within_quotes_ends_no_record(data: bytes, end: int) -> None:
    assert record_end(bytearray(data), b",") == end
