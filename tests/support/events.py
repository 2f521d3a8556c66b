"""A reader of server-sent events, as a browser's EventSource is one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from support.server import RunningServer


class Events:
    """An open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.retry_ms = 0
        self.comments: list[str] = []
        self._lines = response.iter_lines()

    def next(self) -> dict[str, Any] | None:
        """Return the next event's data; None: the stream ended."""
        data = None
        for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "" and data is not None:
                return dict(json.loads(data))
            if name == "id":
                self.last_id = value
            elif name == "retry":
                self.retry_ms = int(value)
            elif name == "data":
                data = value
            elif name == "" and line:
                self.comments.append(value)
        return None

    def until(self, field: str, value: Any) -> dict[str, Any]:
        """Return the first event in which a field has a value."""
        while (event := self.next()) is not None:
            if event.get(field) == value:
                return event
        raise AssertionError(f"the stream ended before {field} was {value}")


@contextmanager
def streamed(server: RunningServer, ids: list[str], **headers: str) -> Iterator[Events]:
    """Open a stream of widgets with the admin key; headers' underscores become hyphens."""
    sent = server.auth | {name.replace("_", "-"): value for name, value in headers.items()}
    params = {"widgets": ",".join(ids)}
    with (
        httpx.Client(base_url=server.url, timeout=20) as client,
        client.stream("GET", "/v1/stream", params=params, headers=sent) as response,
    ):
        if response.status_code != 200:
            response.read()
        yield Events(response)
