"""What holds for every route: who asks comes before what is sent, and a body is what it says it is."""

from typing import Any

import pytest
from support.access import as_key, made
from support.server import ADMIN_KEY, RunningServer

ABSENT = "00000000-0000-4000-8000-000000000000"
SIGN_IN = "/v1/session"
"""Its body is the key."""
UNREADABLE = b'\xff{"name": '
WRONG = {
    "none": {},
    "a management key that is wrong": {"Authorization": "Bearer tf_live_" + "0" * 64},
    "an ingest key that is wrong": {"Authorization": "tfi_" + "0" * 64},
}


def bodies(server: RunningServer) -> list[tuple[str, str, list[str]]]:
    """Return (method, path, media types) of every operation that takes a body."""
    document = server.client.get("/openapi.json").json()
    found = [
        (method.upper(), path, list(operation["requestBody"]["content"]))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation and path != SIGN_IN
    ]
    assert len(found) > 40
    return found


@pytest.mark.parametrize("who", list(WRONG))
def test_the_key_comes_before_the_body(server: RunningServer, who: str) -> None:
    told = {}
    for method, path, types in bodies(server):
        url = path.replace("{key}", "tfi_" + "1" * 64).replace("{widget_type}", "line")
        url = "/".join(ABSENT if part.startswith("{") else part for part in url.split("/"))
        for media in types:
            for encoding in ("identity", "gzip", "sideways"):
                headers = {**WRONG[who], "Content-Type": media, "Content-Encoding": encoding}
                answer = server.client.request(method, url, content=UNREADABLE, headers=headers)
                if answer.status_code != 401:
                    told[method, path, media, encoding] = (answer.status_code, answer.text[:200])
    assert told == {}


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/v1/keys", {"name": "k", "rate_limit": "5"}, "rate_limit"),
        ("PATCH", "/v1/keys/{key_id}", {"is_active": 0}, "is_active"),
        ("PATCH", "/v1/keys/{key_id}", {"is_active": "false"}, "is_active"),
        ("PATCH", "/v1/organisation", {"requires_application": 1}, "requires_application"),
        ("POST", "/v1/datasources", {"name": "d", "retention_days": "30"}, "retention_days"),
        ("POST", "/v1/applications", {"name": "a", "per_minute": "1"}, "per_minute"),
    ],
)
def test_a_body_is_taken_as_it_is(
    server: RunningServer, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    """The text "5" is no number, and 0 is not false: both used to be taken for it."""
    ask = as_key(server, ADMIN_KEY)
    key_id = made(ask("POST", "/v1/keys", {"name": "k"}))["key_id"]
    answer = ask(method, path.format(key_id=key_id), body)
    assert answer.status_code == 422, answer.text
    assert [item["key"] for item in answer.json()["errors"]] == [field]
    assert answer.json()["message"].startswith(f"The request is not valid: {field}: Expected ")


def test_options_tells_every_method_of_a_path(server: RunningServer) -> None:
    document = server.client.get("/openapi.json").json()
    wrong = {}
    for path, operations in document["paths"].items():
        if any(operation["tags"] == ["other clients"] for operation in operations.values()):
            continue
        answer = server.client.options(path.replace("{", "").replace("}", ""))
        if answer.status_code == 404:  # an id of another form
            answer = server.client.options(
                "/".join(ABSENT if part.startswith("{") else part for part in path.split("/"))
            )
        told = {name.strip() for name in answer.headers.get("allow", "").split(",")}
        if told - {"HEAD", "OPTIONS"} != {method.upper() for method in operations}:
            wrong[path] = (answer.status_code, told)
    assert wrong == {}


def test_a_charset_is_named_once(server: RunningServer) -> None:
    made_here = server.datasource()
    assert made_here.post({"a": 1}).status_code == 200
    base = f"/v1/datasources/{made_here.id}"
    export = server.get(f"{base}/export", format="csv")
    assert export.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    arrow = server.get(f"{base}/export", format="arrow")
    assert arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert server.get(f"{base}/readings").headers["content-type"] == "application/json"
    audit = server.get("/v1/audit/export")
    assert audit.headers["content-type"] == "text/csv; charset=utf-8"


def test_what_may_hold_a_key_is_not_kept_by_anything_between(server: RunningServer) -> None:
    ask = as_key(server, ADMIN_KEY)
    for answer in (ask("POST", "/v1/keys", {"name": "k"}), ask("GET", "/v1/keys")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert ask("POST", "/v1/applications", {"name": "a"}).headers["cache-control"] == "no-store"


def test_json_under_another_name_is_a_415(server: RunningServer) -> None:
    """Of every operation that takes JSON and nothing else, but where the key itself is the body."""
    told = {}
    for method, path, types in bodies(server):
        if types != ["application/json"] or not path.startswith("/v1/"):
            continue
        url = path.replace("{key}", "k")
        url = "/".join(ABSENT if part.startswith("{") else part for part in url.split("/"))
        for headers in ({"Content-Type": "text/xml"}, {"Content-Encoding": "br"}):
            answer = server.client.request(
                method, url, content=b"{}", headers={**server.auth, **headers}
            )
            named = next(iter(headers.values())) in answer.json()["message"]
            if answer.status_code != 415 or not named:
                told[method, path, *headers] = (answer.status_code, answer.json()["message"])
    assert told == {}
    for media in ("application/json; charset=utf-8", "application/x-www-form-urlencoded"):
        sent = {**server.auth, "Content-Type": media}
        made = server.client.post("/v1/datasources", content=b'{"name": "x"}', headers=sent)
        assert made.status_code == 201, made.text
