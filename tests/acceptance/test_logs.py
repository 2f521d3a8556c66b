"""What a server prints over a session that uses keys in every form, and bad requests."""

import base64
import json
import socket
from typing import Any

import httpx
import pytest
from support.server import ADMIN_KEY, Datasource, RunningServer, start_server

pytestmark = pytest.mark.one_home

BODIES: tuple[Any, ...] = ({"t": 1}, "{", "", [], {"t": "x" * 300}, b"\xff\xfe", {"ts": "soon"})


def key_headers(key: str) -> list[dict[str, str]]:
    """Every form in which a key may be sent."""
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    forms = [key, f"Bearer {key}", f"Token {key}", f"Basic {basic}"]
    return [*({"Authorization": form} for form in forms), {"X-API-Key": key}]


def speak(server: RunningServer, datasource: Datasource) -> list[str]:
    """Use keys in every way, right and wrong; return those that came into being meanwhile."""
    server.client.headers.clear()
    for headers in key_headers(datasource.key):
        for body in BODIES:
            content = body if isinstance(body, (str, bytes)) else json.dumps(body)
            server.client.post(datasource.url, content=content, headers=headers)
    for headers in [*key_headers(ADMIN_KEY), *key_headers("tf_live_" + "9" * 64)]:
        server.client.post(datasource.url, json={"t": 1}, headers=headers)
        server.client.get("/v1/datasources", headers=headers)
        server.client.post("/v1/datasources", content="{", headers=headers)
        server.client.get(f"/v1/data/single?key={datasource.key}", headers=headers)
        server.client.get(f"/{datasource.key}?token={ADMIN_KEY}", headers=headers)
    rotated = server.post(
        f"/v1/datasources/{datasource.id}/keys/{datasource.created['key_id']}/rotate",
        {"grace_seconds": 60},
    )
    second = server.post(f"/v1/datasources/{datasource.id}/keys", {"name": "second"})
    return [str(answer.json()["api_key"]) for answer in (rotated, second)]


def test_no_key_is_ever_printed(database_url: str) -> None:
    with start_server(database_url, log_level="debug") as server:
        datasource = server.datasource()
        secrets = [datasource.key, ADMIN_KEY, *speak(server, datasource)]
        raw = httpx.Request("GET", server.url).url
        _send_garbage(str(raw.host), int(raw.port or 0), datasource.key)
        printed = server.log.read_text()
        assert printed
        for secret in secrets:
            shown = base64.b64encode(f"user:{secret}".encode()).decode()
            for form in (secret, secret.partition("_")[2], shown):
                assert form not in printed
        for line in printed.splitlines():
            assert line.startswith(("{", "Twinfeed listens on ")), line
            if line[0] == "{":
                assert {"event", "level", "logger", "timestamp"} <= json.loads(line).keys()


def _send_garbage(host: str, port: int, key: str) -> None:
    """A request that is not HTTP, with a key in it: the HTTP server's to refuse."""
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(f"\x01 {key} HTTP/9\r\nAuthorization {key}\r\n\r\n".encode())
        connection.recv(1000)
