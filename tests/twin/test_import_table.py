"""Tables as files have them: encodings, delimiters, quotes, and lines that are too long."""

import codecs
from pathlib import Path

import pytest

from twin.importer.errors import ImportFailed
from twin.importer.table import MAX_LINE_CHARS, Table


def table(tmp_path: Path, content: bytes, delimiter: str | None = None) -> Table:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    return Table(path, delimiter)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_the_delimiter_is_found_in_the_header(
    tmp_path: Path, delimiter: str, ending: str, mark: bytes
) -> None:
    text = ending.join([delimiter.join(["ts", "Volume Flow"]), delimiter.join(["1", "2"])])
    found = table(tmp_path, mark + text.encode())
    assert found.delimiter == delimiter
    assert found.header == ["ts", "Volume Flow"]
    assert [record.cells for record in found.records()] == [["1", "2"]]


def test_a_quoted_name_does_not_mislead(tmp_path: Path) -> None:
    found = table(tmp_path, b'"a, b, c, d";ts\n1;2\n')
    assert found.header == ["a, b, c, d", "ts"]


def test_a_given_delimiter_counts(tmp_path: Path) -> None:
    assert table(tmp_path, b"a,b,c:ts\n", ":").header == ["a,b,c", "ts"]


def test_excels_unicode_text(tmp_path: Path) -> None:
    found = table(tmp_path, "ts\tTemp °C\r\n1\t2\r\n".encode("utf-16"))
    assert found.header == ["ts", "Temp °C"]
    assert [tuple(record) for record in found.records()] == [(2, ["1", "2"])]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    found = table(tmp_path, b'\nts,text\n\n1,"two\nlines"\n\n2,x\n3,y')
    assert [record.line for record in found.records()] == [4, 7, 8]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"ts,v\n1,\xff\xff\n", "not UTF-8"),
        (b"Temp \xb0C,ts\n1,2\n", "not UTF-8"),
        (b'ts,v\n1,2\n3,"open\n4,5\n', "line 3 cannot be read as CSV"),
        (b'ts,v\n1,"a"b\n', "line 2 cannot be read as CSV"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ImportFailed, match=said):
        list(table(tmp_path, content).records())


def test_a_line_is_bounded(tmp_path: Path) -> None:
    longest = b"ts," + b"v" * (MAX_LINE_CHARS - 4) + b"\n"
    with pytest.raises(ImportFailed, match="field larger than"):  # read, then too long for a cell
        table(tmp_path, longest)
    with pytest.raises(ImportFailed, match="line 1 is longer than"):
        table(tmp_path, b"v" + longest)


def test_a_pipe_cannot_be_read_twice(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImportFailed, match="not a regular file"):
        Table(tmp_path / "pipe")


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_a_delimiter_is_one_character(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(ImportFailed, match="one character"):
        table(tmp_path, b"ts,v\n", delimiter)
