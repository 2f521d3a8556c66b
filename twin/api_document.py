"""GET /openapi.json's document: what the framework makes of the routes, and what else they may answer.

Invariant: an operation names every status that it answers with; errors of the native API have the one
shape. A test asks every operation for much that is right and wrong, and compares.
"""

import re
from typing import Any

import msgspec
from litestar import Litestar

PUBLIC = ("/health", "/metrics", "/ping")
NATIVE = "/v1/"
OTHERS = "other clients"
"""Tag of what `ingest/foreign/document.py` describes by itself."""
SIGN_OUT = "DELETE /v1/session"
"""Whoever is not signed in is signed out too."""
ERRORS = {
    400: "the body cannot be read",
    401: "missing or invalid key",
    403: "the key is valid, but not for this",
    404: "absent, or another organisation's",
    409: "it contradicts what is stored, or a bound is reached",
    413: "the body is too large",
    415: "type or encoding not supported",
    422: "readable, but not valid; `errors` names the fields",
    429: "past a limit; Retry-After says when to try again",
    503: "overloaded, or the database is away; Retry-After says when to try again",
}
UNCHANGED = "nothing new since the answer with the ETag of If-None-Match"
_BOUNDED = re.compile(
    r"POST /v1/(scenes|scenes/import|scenes/\{scene_id\}/view-tokens|assets|keys|applications"
    r"|organisations|datasources|datasources/\{datasource_id\}/keys|widgets|alerts|webhooks|silences"
    r"|alerts/\{alert_id\}/(acknowledge|silence)|webhooks/.+/resend)"
    r"|(PATCH|DELETE) /v1/(keys/\{key_id\}|assets/\{asset_id\})|PUT /v1/scenes/\{scene_id\}"
    r"|PATCH /v1/(scenes/\{scene_id\}|datasources/\{datasource_id\}/data-keys/\{key\})"
)
"""What adds to something bounded, or meets a state that forbids it."""
_NAMING = re.compile(
    r".*\{.*|GET /v1/stream|(POST|PUT) /v1/(widgets|alerts|alerts/dry_run|silences)"
)
"""What speaks of a thing that may not be there."""
_TAGGED = re.compile(r"GET /v1/(widgets/.+/(data|image.svg)|data/.+|assets/.+/content)")
_MODEL = re.compile(r"(POST|PUT) /v1/assets(/\{asset_id\})?")
_TABLES = ("text/csv", "application/vnd.apache.arrow.stream")
_FORMS = (
    (re.compile(r"GET /v1/(audit/export|alerts/events)"), ("text/csv",)),
    (re.compile(r"GET /v1/(widgets/.+/data|data/.+|datasources/.+/readings)"), _TABLES),
    (re.compile(r"GET /v1/datasources/.+/export"), (*_TABLES, "application/vnd.apache.parquet")),
)
"""What is answered in other forms than JSON, by `Accept` or `format`."""
_BINARY = "application/octet-stream"
_UPLOADS = {
    "POST /v1/scenes/import": ("application/zip", _BINARY),
    "POST /v1/assets": ("model/gltf-binary", _BINARY),
    "PUT /v1/assets/{asset_id}": ("model/gltf-binary", _BINARY),
}
"""Bodies that handlers read themselves."""
Document = dict[str, Any]


def document_of(app: Litestar) -> Document:
    """Return the document of an application, made once."""
    made: Document | None = app.state.get("api_document")
    if made is None:
        made = app.state["api_document"] = completed(app.openapi_schema.to_schema())
    return made


def completed(document: Document) -> Document:
    """Add to a document what every operation may answer, and put right what the framework says."""
    document = _corrected(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(f"{method.upper()} {path}", path, operation)
    strict = _strict_structs()
    for schema in document["components"]["schemas"].values():
        if schema.get("title") in strict:
            schema["additionalProperties"] = False
    for name in _bodies(document, "post") - _bodies(document, "patch"):
        _allow_nulls(document["components"]["schemas"][name])
    return document


def _bodies(document: Document, method: str) -> set[str]:
    """Return the names of the schemas that are whole JSON bodies of a method."""
    found = set()
    for operations in document["paths"].values():
        content = operations.get(method, {}).get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        found |= {
            one.get("$ref", "").rpartition("/")[2] for one in (schema, *schema.get("anyOf", ()))
        }
    return found - {""}


def _allow_nulls(schema: Document) -> None:
    """A null is as good as nothing in what creates something: `StrictRequest` takes it out."""
    null = {"type": "null"}
    for name, known in schema["properties"].items():
        if name not in schema.get("required", ()) and null not in known.get("anyOf", ()):
            schema["properties"][name] = {"anyOf": [known, null]}


def _corrected(part: Any) -> Any:
    """Return a part of a document with unions that a value may match twice: a whole number does."""
    if isinstance(part, list):
        return [_corrected(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {"anyOf" if k == "oneOf" else k: _corrected(v) for k, v in part.items()}


def _complete(name: str, path: str, operation: Document) -> None:
    answers, body = operation["responses"], operation.get("requestBody")
    if path in PUBLIC or name == SIGN_OUT:
        operation["security"] = []
    for parameter in operation.get("parameters", ()):
        for schema in (parameter["schema"], *parameter["schema"].get("anyOf", ())):
            if schema.get("format") == "date-time":  # a Unix time is one too
                del schema["format"]
    if body is None and (found := _UPLOADS.get(name)):
        content = {media: {"schema": {"type": "string", "format": "binary"}} for media in found}
        body = operation["requestBody"] = {"content": content, "required": True}
    if body:
        body["required"] = {"type": "null"} not in _alternatives(body)
    for media in next((media for known, media in _FORMS if known.fullmatch(name)), ()):
        answers["200"]["content"][media] = {"schema": {"type": "string", "format": "binary"}}
    answers.get("204", {}).pop("content", None)
    if path.startswith(NATIVE) and OTHERS not in operation["tags"]:
        answers.pop("400", None)  # the framework's, of another shape
        for status in _statuses(name, body, operation):
            answers.setdefault(str(status), _answer(status))
    elif path == "/health":
        answers["503"] = _answer(503)
    operation["responses"] = dict(sorted(answers.items()))


def _alternatives(body: Document) -> list[Document]:
    found: list[Document] = (
        body["content"].get("application/json", {}).get("schema", {}).get("anyOf", [])
    )
    return found


def _strict_structs() -> set[str]:
    """Return the names of bodies that may hold nothing but what they name."""
    strict: set[str] = set()
    lax: set[str] = set()
    todo = [msgspec.Struct]
    while todo:
        for found in todo.pop().__subclasses__():
            (strict if found.__struct_config__.forbid_unknown_fields else lax).add(found.__name__)
            todo.append(found)
    return strict - lax


def _statuses(name: str, body: Document | None, operation: Document) -> list[int]:
    """Return with what an operation of the native API answers beside its success."""
    found = {401, 403, 429, 503}
    if body:
        found |= {400, 413}
    if body or operation.get("parameters"):
        found.add(422)
    for status, pattern in ((404, _NAMING), (409, _BOUNDED), (304, _TAGGED), (415, _MODEL)):
        if pattern.fullmatch(name):
            found.add(status)
    return sorted(found)


def _answer(status: int) -> Document:
    if status == 304:
        return {"description": UNCHANGED}
    schema = {"$ref": "#/components/schemas/ErrorBody"}
    return {"description": ERRORS[status], "content": {"application/json": {"schema": schema}}}
