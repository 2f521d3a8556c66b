"""Every route of the OpenAPI document × every kind of key, each with the exact status.

A new route is tested without a line here; one that takes a body or names something new is added to
BODIES or to what `things` makes.
"""

import re
from typing import Any

import httpx
import psycopg
import pytest
from support.access import Ask, as_key, made
from support.server import ADMIN_KEY, RunningServer
from support.things import FAR, MODEL, things

from twin.db.pool import conninfo

ADMIN = re.compile(r"/v1/(keys|applications|audit|organisations)(/|$)")
OPERATOR = "/v1/organisations"
READING_POSTS = re.compile(r"/v1/(widgets/data$|alerts/dry_run$|grafana/)")
SESSION = "/v1/session"
"""A browser's own sign-in, with tests of its own."""
STREAMS = {"/v1/stream"}
"""Answered as long as the reader stays; what of others they show has tests of its own."""

Route = tuple[str, str]


def routes(server: RunningServer) -> list[Route]:
    """Every (method, path) that asks for a management key; deletions last, the deepest first."""
    document = server.client.get("/openapi.json").json()
    found = [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1/") and path != SESSION and "security" not in operation
    ]
    assert len(found) > 50
    return sorted(found, key=lambda r: (r[0] == "DELETE", -r[1].count("/"), r[1]))


def body_of(route: Route, ids: dict[str, Any]) -> Any:
    """A valid body; {} for what takes none."""
    source = {"datasource_id": ids["datasource_id"], "key": "a"}
    rule = {"name": "x", "condition": "less_than", "threshold": -5, "severity": "info", **source}
    bodies: dict[str, Any] = {
        "/v1/keys": {"name": "x"},
        "/v1/applications": {"name": "x"},
        "/v1/organisations": {"name": "x"},
        "/v1/datasources": {"name": "x"},
        "/v1/datasources/{datasource_id}/keys": {"name": "x"},
        "/v1/widgets": {"type": "single", "title": "x", **source},
        "/v1/widgets/data": {"ids": [ids["widget_id"]]},
        "/v1/alerts": rule,
        "/v1/alerts/dry_run": {
            "rule": rule,
            "from": "2026-01-01T00:00:00Z",
            "to": "2026-01-01T01:00:00Z",
        },
        "/v1/alerts/{alert_id}/silence": {"until": FAR},
        "/v1/silences": {"alert_id": ids["alert_id"], "until": FAR},
        "/v1/grafana/query": {"range": {"from": "2026-01-01T00:00:00Z", "to": FAR}},
        "/v1/scenes": {"name": "x", "nodes": []},
        "/v1/scenes/{scene_id}": {"name": "x", "nodes": []},
        "/v1/webhooks": {"name": "x", "url": "http://127.0.0.1:9/"},
    }
    if route == ("PATCH", "/v1/assets/{asset_id}"):
        return {"name": "x"}
    return bodies.get(route[1], {}) if route[0] in ("POST", "PUT") else {}


def call(ask: Ask, route: Route, ids: dict[str, Any]) -> httpx.Response:
    """Make a valid request of a route about these things."""
    method, path = route
    if "{key_id}" in path and "{datasource_id}" in path:
        path = path.replace("{key_id}", ids["ingest_key_id"])
    unknown = set(re.findall(r"\{(\w+)\}", path)) - ids.keys()
    assert not unknown, f"let things() make {unknown}"
    params = {}
    if path == "/v1/data/{widget_type}":
        params = {"datasource_id": ids["datasource_id"], "key": "a"}
    if path == "/v1/stream":
        params = {"widgets": ids["widget_id"]}
    if path in ("/v1/assets", "/v1/assets/{asset_id}") and method in ("POST", "PUT"):
        return ask(method, path.format(**ids), params={"name": "x"}, **MODEL)
    if path == "/v1/scenes/import":
        return ask(method, path, content=ids["archive"], content_type="application/zip")
    body = None if method in ("GET", "DELETE") else body_of(route, ids)
    return ask(method, path.format(**ids), body, params=params)


def names_a_thing(route: Route) -> bool:
    """Whether a route speaks of one organisation's thing."""
    naming = ("/v1/alerts", "/v1/alerts/dry_run", "/v1/widgets")
    return "{" in route[1] or (route[1] in naming and route[0] == "POST")


def mismatches(
    found: list[Route], ask: Ask, ids: dict[str, Any], status: int
) -> dict[Route, tuple[int, str]]:
    """The routes that answer otherwise."""
    answers = {route: call(ask, route, ids) for route in found}
    return {
        route: (answer.status_code, answer.text[:200])
        for route, answer in answers.items()
        if answer.status_code != status
    }


@pytest.fixture
def operator(server: RunningServer) -> Ask:
    return as_key(server, ADMIN_KEY)


@pytest.fixture
def admin(server: RunningServer, operator: Ask) -> Ask:
    """The admin of an organisation of the test's own."""
    answer = operator("POST", "/v1/organisations", {"name": "one"})
    return as_key(server, made(answer)["key"]["api_key"])


def key_of(server: RunningServer, admin: Ask, **fields: Any) -> tuple[Ask, str]:
    key = made(admin("POST", "/v1/keys", {"name": "x", "rate_limit": None, **fields}))
    return as_key(server, key["api_key"]), key["key_id"]


def test_without_a_valid_key(server: RunningServer, admin: Ask) -> None:
    ids, found = things(server, admin), routes(server)
    (disabled, disabled_id), (expired, expired_id) = (
        key_of(server, admin, scopes=["admin"]) for _ in range(2)
    )
    assert admin("PATCH", f"/v1/keys/{disabled_id}", {"is_active": False}).status_code == 200
    assert server.database_url is not None
    with psycopg.connect(conninfo(server.database_url)) as conn:
        past = "UPDATE management_keys SET expires_at = now() WHERE key_id = %s"
        conn.execute(past, [expired_id])
    ingest_key = made(admin("POST", f"/v1/datasources/{ids['datasource_id']}/keys", {"name": "i"}))

    callers = {
        "none": as_key(server, ""),
        "wrong": as_key(server, "tf_live_" + "0" * 64),
        "malformed": as_key(server, "x"),
        "an ingest key": as_key(server, ingest_key["api_key"]),
        "disabled": disabled,
        "expired": expired,
    }
    for name, ask in callers.items():
        assert mismatches(found, ask, ids, 401) == {}, name
    refused = call(callers["wrong"], found[0], ids)
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_without_the_scope(server: RunningServer, admin: Ask) -> None:
    ids, found = things(server, admin), routes(server)
    reader, _ = key_of(server, admin, scopes=["read"])
    writer, _ = key_of(server, admin, scopes=["write"])
    reads = [r for r in found if r[0] == "GET" or READING_POSTS.match(r[1])]
    administers = [r for r in found if ADMIN.match(r[1]) or r == ("PATCH", "/v1/organisation")]
    writes = [r for r in found if r not in reads]
    assert mismatches(sorted({*reads, *administers}), writer, ids, 403) == {}
    assert mismatches(sorted({*writes, *administers}), reader, ids, 403) == {}
    operates = [r for r in found if r[1] == OPERATOR]
    assert mismatches(operates, admin, ids, 403) == {}


def test_of_another_organisation_or_environment(
    server: RunningServer, operator: Ask, admin: Ask
) -> None:
    ids = things(server, admin)
    stranger = as_key(
        server,
        made(operator("POST", "/v1/organisations", {"name": "two"}))["key"]["api_key"],
    )
    tester, _ = key_of(server, admin, scopes=["admin"], environment="test")
    found = routes(server)
    named = [r for r in found if names_a_thing(r)]
    listing = [r for r in found if r[0] == "GET" and "{" not in r[1] and r[1] not in STREAMS]
    secrets = {v for k, v in ids.items() if k not in ("key", "widget_type", "archive")}
    for who, ask in {"another organisation": stranger, "test": tester}.items():
        assert mismatches(named, ask, ids, 404) == {}, who
        for route in listing:
            if route[1] != OPERATOR:
                answer = call(ask, route, ids)
                assert answer.status_code == 200, (who, route)
                assert not [id_ for id_ in secrets if id_ in answer.text], (who, route)
        for field in ("alert_id", "datasource_id"):
            for path in ("/v1/alerts/events", "/v1/silences", "/v1/alerts", "/v1/widgets"):
                answer = ask("GET", path, params={field: ids[field]})
                assert answer.status_code in (200, 404, 422), (who, path)
                assert answer.json().get("items", []) == [], (who, path)
        answer = ask("POST", "/v1/widgets/data", {"ids": [ids["widget_id"]]})
        assert answer.json()["widgets"][ids["widget_id"]]["status"] == 404
        alert = {**body_of(("POST", "/v1/alerts"), ids), "webhooks": [ids["webhook_id"]]}
        own = made(ask("POST", "/v1/datasources", {"name": "own"}))["id"]
        answer = ask("POST", "/v1/alerts", {**alert, "datasource_id": own})
        assert answer.status_code in (404, 422), who
    again = things(server, admin)  # nothing of it was changed by anybody
    assert call(admin, ("GET", "/v1/datasources/{datasource_id}"), ids).json()["name"] == "d"
    assert again.keys() == ids.keys()


def test_with_the_right_key(server: RunningServer, operator: Ask, admin: Ask) -> None:
    ids = things(server, admin)
    wrong = {}
    for route in routes(server):
        method, path = route
        if path in STREAMS:
            continue
        answer = call(operator if path == OPERATOR else admin, route, ids)
        created = method == "POST" and not READING_POSTS.match(path) and not path.endswith("}")
        expected = {204} if method == "DELETE" else {201, 200} if created else {200}
        if path.endswith("/resend"):
            expected = {404}  # no delivery was made
        if path.startswith("/v1/grafana/"):
            expected = {200, 422}  # its bodies have tests of their own
        if path.endswith("/acknowledge"):
            expected = {409}  # nothing fires
        if answer.status_code not in expected:
            wrong[route] = (answer.status_code, answer.text[:200])
    assert wrong == {}
