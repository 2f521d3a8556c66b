"""One of everything that an organisation can have."""

from typing import Any
from uuid import uuid4

from support.access import Ask, made
from support.models import triangle
from support.server import RunningServer

MODEL: dict[str, Any] = {"content": triangle(), "content_type": "model/gltf-binary"}
FAR = "2100-01-01T00:00:00Z"


def things(server: RunningServer, admin: Ask) -> dict[str, Any]:
    """Make one of everything; return ids by the names that paths give them."""
    source = made(admin("POST", "/v1/datasources", {"name": "d"}))
    headers = {"Authorization": source["api_key"]}
    assert server.client.post(source["ingest_url"], json={"a": 1}, headers=headers).is_success
    chart = {"type": "single", "title": "t", "datasource_id": source["id"], "key": "a"}
    hook = {"name": "h", "url": "http://127.0.0.1:9/hook"}
    rule = {
        "name": "r",
        "datasource_id": source["id"],
        "key": "a",
        "condition": "greater_than",
        "threshold": 5,
        "severity": "info",
    }
    alert = made(admin("POST", "/v1/alerts", rule))["id"]
    asset = made(admin("POST", "/v1/assets", params={"name": "m"}, **MODEL))["id"]
    scene = made(admin("POST", "/v1/scenes", {"name": "s", "nodes": []}))["id"]
    token = made(admin("POST", f"/v1/scenes/{scene}/view-tokens"))
    return {
        "asset_id": asset,
        "scene_id": scene,
        "token_id": token["token_id"],
        "archive": admin("GET", f"/v1/scenes/{scene}/export").content,
        "datasource_id": source["id"],
        "ingest_key_id": source["key_id"],
        "ingest_key": source["api_key"],
        "key": "a",
        "widget_type": "single",
        "widget_id": made(admin("POST", "/v1/widgets", chart))["id"],
        "webhook_id": made(admin("POST", "/v1/webhooks", hook))["id"],
        "alert_id": alert,
        "silence_id": made(admin("POST", "/v1/silences", {"alert_id": alert, "until": FAR}))["id"],
        "delivery_id": str(uuid4()),
        "key_id": made(admin("POST", "/v1/keys", {"name": "k"}))["key_id"],
        "application_id": made(admin("POST", "/v1/applications", {"name": "a"}))["id"],
    }
