"""The server as a client sees it: JSON over HTTP, with the admin key."""

import time
from typing import Any

import httpx
import msgspec

from twin.demo.errors import DemoFailed

START_TIMEOUT_S = 60.0
_PAGE = 100


class Api:
    """A connection to the server. Every method raises DemoFailed for what the server refuses."""

    def __init__(self, base_url: str, admin_key: str) -> None:
        """Call the server at `base_url`; proxies of the environment are not for this machine."""
        self.base_url = base_url
        self._auth = {"Authorization": f"Bearer {admin_key}"}
        self._client = httpx.Client(base_url=base_url, timeout=30, trust_env=False)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.close()

    def wait_until_healthy(self) -> None:
        """Return once the server answers that it is well."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if self._client.get("/health").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise DemoFailed(f"The server did not become healthy within {START_TIMEOUT_S:.0f} s.")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the JSON of the answer."""
        return self._send(method, path, body, self._auth)

    def upload(self, path: str, content: bytes, media_type: str) -> Any:
        """Send a file and return the JSON of the answer."""
        return self._send("POST", path, content, self._auth | {"Content-Type": media_type})

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a paged list."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", f"{path}?limit={_PAGE}&offset={len(found)}")
            found += page["items"]
            if not page["items"] or len(found) >= page["total"]:
                return found

    def ingest(self, datasource_id: str, key: str, body: Any) -> Any:
        """Send readings with a datasource's key."""
        return self._send(
            "POST", f"/ingest/{datasource_id}", body, {"Authorization": f"Bearer {key}"}
        )

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        is_file = isinstance(body, bytes)
        content = body if is_file or body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json", **headers}
        try:
            response = self._client.request(method, path, content=content, headers=headers)
        except httpx.TransportError as exc:
            raise DemoFailed(f"{method} {path}: {exc or type(exc).__name__}") from exc
        if not response.is_success:
            raise DemoFailed(
                f"{method} {path} was answered {response.status_code}: {response.text}"
            )
        return response.json()
