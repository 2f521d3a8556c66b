"""Makes the sample plant through HTTP, or finds what an earlier start made."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from twin.clock import to_us
from twin.demo.api import Api
from twin.demo.catalog import ALERT, DATASOURCES, PUMP_LINE, WEBHOOK, WIDGETS, alert
from twin.demo.history import past_requests
from twin.demo.stage import Stage, set_stage
from twin.demo.state import State, save_state


class Source(msgspec.Struct, frozen=True):
    """A datasource of the demo with its key and saved widgets (type, title, id)."""

    name: str
    id: str
    key: str
    widgets: list[tuple[str, str, str]]


class Plant(msgspec.Struct, frozen=True):
    """Everything that the demo made."""

    sources: dict[str, Source]
    alert_id: str
    webhook_id: str
    stage: Stage


def set_up(api: Api, directory: Path, state: State, webhook_url: str, now_us: int) -> Plant:
    """Return the plant, with whatever was missing created. Raises DemoFailed.

    The past is stored while the alert rule tells nobody: it fires for every cycle of a day, which
    is worth seeing, not reading.
    """
    existing = {item["name"]: item["id"] for item in api.items("/v1/datasources")}
    sources = {}
    for name, fields in DATASOURCES.items():
        id_, key = _datasource(api, name, fields, existing.get(name), state)
        save_state(directory, state)
        sources[name] = Source(name, id_, key, _widgets(api, id_, WIDGETS[name]))
    pump = sources[PUMP_LINE]
    alert_id = _alert(api, pump.id)
    _store_past(api, pump, now_us)
    webhook_id = _webhook(api, webhook_url, state.webhook_secret)
    api.call("PATCH", f"/v1/alerts/{alert_id}", {"webhooks": [webhook_id]})
    titles = {title: id_ for source in sources.values() for _, title, id_ in source.widgets}
    stage = set_stage(api, state, titles)
    save_state(directory, state)
    return Plant(sources, alert_id, webhook_id, stage)


def _store_past(api: Api, pump: Source, now_us: int) -> None:
    """Store the day before now, or as much of it as an earlier run has left out."""
    last = api.call("GET", f"/v1/datasources/{pump.id}")["last_reading_at"]
    for request in past_requests(now_us, to_us(datetime.fromisoformat(last)) if last else None):
        api.ingest(pump.id, pump.key, request)


def _datasource(
    api: Api, name: str, fields: dict[str, Any], id_: str | None, state: State
) -> tuple[str, str]:
    if id_ is None:
        made = api.call("POST", "/v1/datasources", {"name": name, **fields})
        state.ingest_keys[made["id"]] = made["api_key"]
        return made["id"], made["api_key"]
    if id_ not in state.ingest_keys:
        made = api.call("POST", f"/v1/datasources/{id_}/keys", {"name": "demo"})
        state.ingest_keys[id_] = made["api_key"]
    return id_, state.ingest_keys[id_]


def _widgets(
    api: Api, datasource_id: str, wanted: list[dict[str, Any]]
) -> list[tuple[str, str, str]]:
    existing = {
        item["title"]: item["id"]
        for item in api.items("/v1/widgets")
        if item["datasource_id"] == datasource_id
    }
    found = []
    for fields in wanted:
        id_ = existing.get(fields["title"])
        if id_ is None:
            body = {"datasource_id": datasource_id, **fields}
            id_ = api.call("POST", "/v1/widgets", body)["id"]
        found.append((fields["type"], fields["title"], id_))
    return found


def _webhook(api: Api, url: str, secret: str) -> str:
    """Return the webhook's id; the receiver has another port at every start."""
    for item in api.items("/v1/webhooks"):
        if item["name"] == WEBHOOK:
            api.call("PATCH", f"/v1/webhooks/{item['id']}", {"url": url, "secret": secret})
            return str(item["id"])
    made = api.call("POST", "/v1/webhooks", {"name": WEBHOOK, "url": url, "secret": secret})
    return str(made["id"])


def _alert(api: Api, datasource_id: str) -> str:
    """Return the id of the rule, which tells nobody when this returns."""
    for item in api.items("/v1/alerts"):
        if item["name"] == ALERT and item["datasource_id"] == datasource_id:
            api.call("PATCH", f"/v1/alerts/{item['id']}", {"webhooks": []})
            return str(item["id"])
    return str(api.call("POST", "/v1/alerts", alert(datasource_id))["id"])
