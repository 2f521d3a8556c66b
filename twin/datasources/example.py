"""A payload that a datasource would accept now, made from the keys it has learned."""

import json
import shlex
from typing import Any

from twin.schema import DatasourceSchema

MAX_KEYS = 10
"""An example shows at most this many keys."""

PARTS = {"ts", "timestamp", "time", "device", "values"}
"""What a flat reading's own parts are called."""

_BY_KIND: dict[str | None, Any] = {"number": 42.5, "boolean": True, "text": "RUNNING", None: 42.5}


def example_payload(schema: DatasourceSchema) -> dict[str, Any]:
    """Return a reading with a value of the right kind for each of the first keys.

    It is flat, unless a key is called as a part of a reading is.
    """
    payload: dict[str, Any] = {}
    values: dict[str, Any] = {}
    device = next((d for d in schema.devices if d), None)
    if device is not None:
        payload["device"] = device
    for key in list(schema.keys.values())[:MAX_KEYS]:
        is_known_text = key.kind == "text" and schema.label_texts
        values[key.key] = schema.label_texts[0] if is_known_text else _BY_KIND[key.kind]
    if not schema.keys:
        values["temperature"] = 42.5
    return payload | ({"values": values} if values.keys() & PARTS else values)


def example_curl(ingest_url: str, payload: dict[str, Any], api_key: str | None) -> str:
    """Return a shell command that posts the payload; without a key it reads $TWINFEED_KEY."""
    header = (
        f"'Authorization: Bearer {api_key}'" if api_key else '"Authorization: Bearer $TWINFEED_KEY"'
    )
    body = shlex.quote(json.dumps(payload, ensure_ascii=False))
    return (
        f"curl -X POST {shlex.quote(ingest_url)} -H {header}"
        f" -H 'Content-Type: application/json' -d {body}"
    )
