"""Who looks: view tokens, which see one scene, and browsers that signed in."""

from typing import Any

import httpx
import psycopg
import pytest
from support.events import streamed
from support.models import triangle
from support.server import RunningServer

from twin.db.pool import conninfo


class Shown:
    """A scene with a model and a widget, and a token for it."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.source = server.datasource("shown")
        assert self.source.post({"x": 1}).status_code == 200
        spec = {"type": "single", "title": "X", "datasource_id": self.source.id, "key": "x"}
        self.widget, self.hidden = (server.post("/v1/widgets", spec).json()["id"] for _ in "ab")
        headers = server.auth | {"Content-Type": "model/gltf-binary"}
        made = server.client.post("/v1/assets?name=m", content=triangle(), headers=headers)
        self.asset = made.json()
        bound = [{"widget_id": self.widget, "anchor": "Motor 1", "display": "card"}]
        node = {"id": "n", "asset_id": self.asset["id"], "widgets": bound}
        scene = server.post("/v1/scenes", {"name": "S", "nodes": [node]}).json()
        self.id, self.path = scene["id"], f"/v1/scenes/{scene['id']}"
        created = server.post(f"{self.path}/view-tokens", {"name": "wall", "expires_in_days": 7})
        assert created.status_code == 201, created.text
        self.token = created.json()
        self.headers = {"Authorization": f"Bearer {self.token['token']}"}

    def asked(self, path: str, **params: Any) -> httpx.Response:
        return self.server.client.get(path, params=params, headers=self.headers)


@pytest.fixture(scope="module")
def shown(server: RunningServer) -> Shown:
    return Shown(server)


def test_a_token_sees_its_scene(shown: Shown) -> None:
    assert shown.token["token"].startswith("tfv_")
    assert shown.token["url"].endswith(f"/viewer/{shown.id}?token={shown.token['token']}")
    assert shown.asked(shown.path).json()["name"] == "S"
    assert shown.asked(shown.asset["url"]).content == triangle()
    data = shown.asked(f"/v1/widgets/{shown.widget}/data")
    assert data.json()["value"] == 1
    tag = {"If-None-Match": data.headers["etag"]} | shown.headers
    again = shown.server.client.get(f"/v1/widgets/{shown.widget}/data", headers=tag)
    assert again.status_code == 304
    together = shown.server.client.post(
        "/v1/widgets/data", json={"ids": [shown.widget, shown.hidden]}, headers=shown.headers
    ).json()["widgets"]
    assert together[shown.widget]["value"] == 1
    assert together[shown.hidden]["status"] == 404
    asks = {"token": shown.token["token"]}
    for path in (shown.path, shown.asset["url"], f"/v1/widgets/{shown.widget}/data"):
        by_query = shown.server.client.get(path, params=asks)
        assert by_query.status_code == 200, by_query.text
    chosen = {**asks, "agg": "count"}
    counted = shown.server.client.get(f"/v1/widgets/{shown.widget}/data", params=chosen)
    assert counted.json()["value"] == 1
    with streamed(shown.server, [shown.widget], **shown.headers) as events:
        event = events.next()
        assert event is not None
        assert event["value"] == 1


def test_a_token_sees_nothing_else(shown: Shown) -> None:
    other = Shown(shown.server)
    for path in (other.path, f"/v1/widgets/{other.widget}/data", other.asset["url"]):
        assert shown.asked(path).status_code == 404, path
    assert shown.asked("/v1/stream", widgets=f"{shown.widget},{other.widget}").status_code == 404
    for path in (
        "/v1/scenes",
        "/v1/assets",
        "/v1/widgets",
        f"/v1/widgets/{shown.widget}",
        "/v1/datasources",
        f"/v1/datasources/{shown.source.id}",
        f"/v1/datasources/{shown.source.id}/readings",
        "/v1/data/single",
        f"{shown.path}/view-tokens",
        f"{shown.path}/export",
        "/v1/alerts",
        "/v1/webhooks",
        "/v1/keys",
        "/v1/audit",
        "/v1/session",
    ):
        assert shown.asked(path).status_code == 403, path
    for method, path in (("PUT", shown.path), ("DELETE", shown.path), ("POST", "/v1/scenes")):
        answer = shown.server.client.request(
            method, path, json={"name": "x"}, headers=shown.headers
        )
        assert answer.status_code == 403, (method, path)
    assert shown.server.client.post(
        shown.source.url, json={"x": 2}, headers=shown.headers
    ).status_code == 401  # fmt: skip


def test_a_token_ends(shown: Shown) -> None:
    path = f"{shown.path}/view-tokens"
    made = shown.server.post(path).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert shown.server.client.get(shown.path, headers=headers).status_code == 200
    listed = shown.server.get(path).json()
    assert made["token_id"] in [item["token_id"] for item in listed["items"]]
    assert "token" not in listed["items"][0]
    assert shown.server.delete(f"{path}/{made['token_id']}").status_code == 204
    ended = shown.server.client.get(shown.path, headers=headers)
    assert (ended.status_code, ended.json()["error"]) == (401, "UNAUTHORIZED")
    expired = shown.server.post(path, {"expires_in_days": 1}).json()
    assert shown.server.database_url is not None
    with psycopg.connect(conninfo(shown.server.database_url), autocommit=True) as conn:
        conn.execute(
            "UPDATE view_tokens SET expires_at = now() - interval '1 s' WHERE token_id = %s",
            [expired["token_id"]],
        )
    headers = {"Authorization": f"Bearer {expired['token']}"}
    assert shown.server.client.get(shown.path, headers=headers).status_code == 401


def test_a_token_follows_what_its_scene_shows(server: RunningServer) -> None:
    shown = Shown(server)
    assert shown.asked(f"/v1/widgets/{shown.hidden}/data").status_code == 404
    node = {"id": "n", "widgets": [{"widget_id": shown.hidden}]}
    assert server.put(shown.path, {"name": "S", "nodes": [node]}).status_code == 200
    assert shown.asked(f"/v1/widgets/{shown.hidden}/data").status_code == 200
    assert shown.asked(f"/v1/widgets/{shown.widget}/data").status_code == 404


SAME = {"Sec-Fetch-Site": "same-origin"}


def test_a_browser_signs_in_and_out(server: RunningServer) -> None:
    with httpx.Client(base_url=server.url) as browser:
        assert browser.get("/v1/session").status_code == 401
        refused = browser.post("/v1/session", json={"api_key": "tf_live_" + "0" * 64})
        assert refused.status_code == 401
        signed = browser.post("/v1/session", json={"api_key": server.admin_key})
        assert signed.status_code == 201, signed.text
        assert "admin" in signed.json()["scopes"]
        cookie = signed.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert server.admin_key not in cookie
        assert browser.get("/v1/session").json()["tenant_id"] == signed.json()["tenant_id"]
        assert browser.get("/v1/datasources").status_code == 200
        body = {"name": "by a browser"}
        assert browser.post("/v1/datasources", json=body, headers=SAME).status_code == 201
        for site in ("cross-site", "same-site", "none"):
            answer = browser.post("/v1/datasources", json=body, headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 403, site
        foreign = {"Origin": "https://evil.example"}
        assert browser.post("/v1/datasources", json=body, headers=foreign).status_code == 403
        kept = dict(browser.cookies)
        assert browser.delete("/v1/session", headers=SAME).status_code == 204
        assert browser.get("/v1/datasources").status_code == 401
        assert httpx.get(f"{server.url}/v1/datasources", cookies=kept).status_code == 401


def test_a_session_ends_with_its_key(server: RunningServer) -> None:
    made = server.post("/v1/keys", {"name": "for a browser", "scopes": ["read"]}).json()
    with httpx.Client(base_url=server.url) as browser:
        assert browser.post("/v1/session", json={"api_key": made["api_key"]}).status_code == 201
        assert browser.get("/v1/datasources").status_code == 200
        assert browser.post("/v1/datasources", json={"name": "x"}, headers=SAME).status_code == 403
        server.patch(f"/v1/keys/{made['key_id']}", {"is_active": False})
        assert browser.get("/v1/datasources").status_code == 401
