"""GET /openapi.json, and GET /docs: the API on one page, made from that document.

The page has no script and loads nothing from elsewhere.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

from litestar import MediaType, Request, Response, get

from twin.api_document import document_of

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Twinfeed API</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
details{border:1px solid #8884;border-radius:.5rem;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer}code{font-size:.95em}b.m{display:inline-block;width:4.5rem}
table{border-collapse:collapse;margin:.4rem 0}td,th{padding:.1rem .8rem .1rem 0;text-align:left}
</style><h1>Twinfeed API</h1>
<p>The same as a machine reads it: <a href="/openapi.json">/openapi.json</a>.</p>
"""


_STYLE = _HEAD.partition("<style>")[2].partition("</style>")[0]
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@get("/docs", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
def docs_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show every operation with its parameters, body and answers."""
    document = document_of(request.app)
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict):
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_operation(path, method, operation, document))
    sections = (f"<h2>{escape(tag)}</h2>{''.join(items)}" for tag, items in groups.items())
    page = _HEAD + "".join(sections) + "</html>"
    return Response(page, media_type=MediaType.HTML, headers=HEADERS)


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    return document_of(request.app)


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    what = escape(operation.get("description") or operation.get("summary") or "")
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code><td>{escape(p['in'])}"
        f"<td>{escape(p.get('description', ''))}"
        for p in operation.get("parameters", [])
    ]
    schema = next(
        (c.get("schema", {}) for c in operation.get("requestBody", {}).get("content", {}).values()),
        None,
    )
    rows += [
        f"<tr><td><code>{field}</code><td>body<td>{kind}"
        for field, kind in _fields(schema, document)
    ]
    answers = "".join(
        f"<tr><td>{escape(str(status))}<td>{escape(answer.get('description', ''))}"
        for status, answer in operation.get("responses", {}).items()
    )
    table = f"<table><tr><th>Parameter<th>In<th>Meaning{''.join(rows)}</table>" if rows else ""
    return (
        f"<details><summary><b class=m>{method.upper()}</b> <code>{escape(path)}</code> {what}"
        f"</summary>{table}<table><tr><th>Status<th>Meaning{answers}</table></details>"
    )


def _fields(schema: dict[str, Any] | None, document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (field, type) of a request body's object."""
    if not schema:
        return []
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    required = set(schema.get("required", []))
    return [
        (escape(name), escape(_kind(spec)) + (", required" if name in required else ""))
        for name, spec in schema.get("properties", {}).items()
    ]


def _kind(spec: dict[str, Any]) -> str:
    if "oneOf" in spec or "anyOf" in spec:
        return " or ".join(_kind(part) for part in spec.get("oneOf") or spec["anyOf"])
    if "$ref" in spec:
        return str(spec["$ref"].rsplit("/", 1)[-1])
    if "enum" in spec:
        return " | ".join(map(str, spec["enum"]))
    kind = spec.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
