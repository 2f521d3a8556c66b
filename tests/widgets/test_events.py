"""What goes over the wire of a stream, and what comes back as Last-Event-ID."""

import json
from uuid import UUID

import pytest

from widgets.cache import body_of
from widgets.events import cursor_of, event, tag_of, tags_of

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_an_event_holds_the_answer_its_widget_and_its_tag() -> None:
    body = body_of(b'{"type":"single","title":"a \\n b","value":1}')
    lines = event("c.d", ONE, body).decode().split("\n")
    assert (lines[0], lines[2:]) == ("id: c.d", ["", ""])
    assert json.loads(lines[1].removeprefix("data: ")) == {
        "widget_id": str(ONE),
        "etag": body.etag,
        "type": "single",
        "title": "a \n b",
        "value": 1,
    }


def test_a_cursor_comes_back_as_it_went() -> None:
    tags = [tag_of(ONE, '"a"'), "", tag_of(OTHER, '"a"')]
    assert tags_of(cursor_of(tags), 3) == tags
    assert len(set(tags)) == 3
    assert tag_of(ONE, '"a"') == tags[0] != tag_of(ONE, '"b"')


@pytest.mark.parametrize("cursor", [None, "", "x", "a.b", "....."])
def test_a_cursor_of_other_widgets_is_none(cursor: str | None) -> None:
    assert tags_of(cursor, 3) == ["", "", ""]
