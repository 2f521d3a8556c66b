"""The head of a plain request. Pure.

Plain is HTTP/1.1 in its simplest form: every header once, a Content-Length or no body, nothing that
changes how the message is read. Whatever is not certainly that is not plain, and None.
"""

import re
from typing import Any

import msgspec

_TARGET = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\Z")
_HEADER = re.compile(rb"([!#$&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?|)[ \t]*\Z")
_NOT_PLAIN = frozenset(
    ("transfer-encoding", "expect", "upgrade", "trailer", "te", "http2-settings")
)
"""Headers that change how a message is framed or answered."""
_LENGTH_DIGITS = 9


class Head(msgspec.Struct, eq=False):
    """A request's head, with the names of an RSGI scope: header names are in lower case.

    `length` is of the body in bytes; `memo` is the route's, kept as long as equal heads arrive.
    """

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    length: int
    memo: Any = None
    http_version: str = "1.1"
    scheme: str = "http"
    authority: str | None = None
    client: str = ""
    server: str = ""


def parse_head(raw: bytes) -> Head | None:
    """Return the head of a plain request, from its first line to before the empty one; else None."""
    first, *lines = raw.split(b"\r\n")
    target = _TARGET.match(first)
    if target is None:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.match(line)
        if found is None:
            return None
        name = found[1].decode().lower()
        if name in headers or name in _NOT_PLAIN:
            return None
        headers[name] = found[2].decode()
    length = headers.get("content-length", "0")
    if "host" not in headers or headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    if not length.isdigit() or len(length) > _LENGTH_DIGITS:
        return None
    path, _, query = target[2].decode().partition("?")
    if "%" in path or b"#" in target[2]:
        return None
    return Head(target[1].decode(), path, query, headers, int(length))
