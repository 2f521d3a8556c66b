"""What parsers hand on of a body that comes slowly."""

from ingest.formats.ndjson import NdjsonParser
from ingest.formats.part import Lines


def test_complete_lines_are_handed_on() -> None:
    parser = NdjsonParser()
    assert list(parser.feed(b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n{"a"')) == []
    assert list(parser.flush()) == [Lines(0, [b'{"a": 1}', b'{"a": 2}'])]
    assert list(parser.flush()) == []
    assert list(parser.feed(b": 3}\n\n")) == []
    assert list(parser.flush()) == [Lines(2, [b'{"a": 3}'])]
    assert list(parser.finish()) == []
