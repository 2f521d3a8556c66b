"""Management keys of the shared server, and requests made with them."""

from collections.abc import Callable
from typing import Any

import httpx

from support.server import RunningServer

Ask = Callable[..., httpx.Response]


def as_key(server: RunningServer, key: str, **headers: str) -> Ask:
    """Return a function that makes requests with a management key; '': with none."""
    sent = {"Authorization": f"Bearer {key}"} if key else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}

    def ask(method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        more = {}
        if "content_type" in options:
            more["Content-Type"] = options.pop("content_type")
        elif json is not None:
            options["json"] = json
        return server.client.request(method, path, headers=sent | more, **options)

    return ask


def made(answer: httpx.Response) -> dict[str, Any]:
    """Check that something was created and return it."""
    assert answer.status_code == 201, answer.text
    return dict(answer.json())
