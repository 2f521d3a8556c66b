"""Organisations and applications: made by the operator, apart from one another, asked for a token."""

import os
import subprocess
import sys
import time

import pytest
from support.access import Ask, as_key, made
from support.server import ADMIN_KEY, RunningServer, start_server

ORIGIN = "https://app.example.com"


@pytest.fixture
def operator(server: RunningServer) -> Ask:
    return as_key(server, ADMIN_KEY)


@pytest.fixture
def other(server: RunningServer, operator: Ask) -> Ask:
    """The admin of another organisation."""
    made_org = made(operator("POST", "/v1/organisations", {"name": "other"}))
    return as_key(server, made_org["key"]["api_key"])


def soon(ask: Ask, path: str, status: int) -> None:
    """Every worker answers so within a second."""
    deadline = time.monotonic() + 1
    while {ask("GET", path).status_code for _ in range(6)} != {status}:
        assert time.monotonic() < deadline


def test_made_by_the_operator_alone(server: RunningServer, operator: Ask, other: Ask) -> None:
    own = other("GET", "/v1/organisation").json()
    assert own.keys() == {
        "tenant_id",
        "name",
        "requires_application",
        "allowed_origins",
        "created_at",
    }
    assert own["name"] == "other"
    assert operator("GET", "/v1/organisation").json()["tenant_id"] != own["tenant_id"]
    listed = operator("GET", "/v1/organisations?limit=100").json()
    assert own in listed["items"]
    assert other("GET", "/v1/organisations").status_code == 403
    assert other("POST", "/v1/organisations", {"name": "x"}).status_code == 403
    assert operator("POST", "/v1/organisations", {"name": ""}).status_code == 422
    # An admin key that the operator's made is no operator's.
    key = made(operator("POST", "/v1/keys", {"name": "a", "scopes": ["admin"]}))["api_key"]
    assert as_key(server, key)("POST", "/v1/organisations", {"name": "x"}).status_code == 403
    assert {k["tenant_id"] for k in other("GET", "/v1/keys").json()["keys"]} == {own["tenant_id"]}


def test_changed_by_its_own_admin(server: RunningServer, other: Ask) -> None:
    changed = other("PATCH", "/v1/organisation", {"name": "new", "allowed_origins": [ORIGIN]})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["allowed_origins"]) == ("new", [ORIGIN])
    for origins in (["*"], ["app.example.com"], [ORIGIN + "/"], ["https://A.example"], [""]):
        answer = other("PATCH", "/v1/organisation", {"allowed_origins": origins})
        assert answer.status_code == 422
    body = {"name": "t", "scopes": ["admin"], "environment": "test"}
    tester = as_key(server, made(other("POST", "/v1/keys", body))["api_key"])
    assert tester("PATCH", "/v1/organisation", {"name": "x"}).status_code == 403
    reader = made(other("POST", "/v1/keys", {"name": "r", "scopes": ["read"]}))["api_key"]
    assert as_key(server, reader)("GET", "/v1/organisation").status_code == 200
    assert as_key(server, reader)("PATCH", "/v1/organisation", {}).status_code == 403


def test_an_application_token_is_asked_for(
    server: RunningServer, operator: Ask, other: Ask
) -> None:
    body = {"name": "app", "per_minute": 500, "per_day": None}
    app = made(other("POST", "/v1/applications", body))
    assert app["app_token"].startswith("tfa_")
    assert len(app["app_token"]) == 4 + 64
    strangers = made(operator("POST", "/v1/applications", {"name": "strangers"}))
    assert (strangers["per_minute"], strangers["per_day"]) == (120, 10_000)
    admin_key = made(other("POST", "/v1/keys", {"name": "a", "scopes": ["admin"]}))["api_key"]
    through = as_key(server, admin_key, X_App_Token=app["app_token"])
    changed = other("PATCH", "/v1/organisation", {"requires_application": True})
    tenant = changed.json()["tenant_id"]
    soon(other, "/v1/datasources", 403)
    assert "X-App-Token" in other("GET", "/v1/datasources").json()["message"]
    soon(through, "/v1/datasources", 200)
    for token in ("tfa_" + "0" * 64, strangers["app_token"], "x"):
        answer = as_key(server, admin_key, X_App_Token=token)("GET", "/v1/datasources")
        assert answer.status_code == 403
    url = f"/v1/applications/{app['id']}"
    shown = through("GET", url).json()
    assert shown == {k: v for k, v in app.items() if k != "app_token"}
    assert through("GET", "/v1/applications").json()["items"] == [shown]
    assert through("GET", f"/v1/applications/{strangers['id']}").status_code == 404
    rotated = through("POST", f"{url}/rotate", {"grace_seconds": 60}).json()["app_token"]
    soon(as_key(server, admin_key, X_App_Token=rotated), "/v1/datasources", 200)
    soon(through, "/v1/datasources", 200)
    assert through("PATCH", url, {"is_active": False}).json()["is_active"] is False
    soon(through, "/v1/datasources", 403)
    # Nobody has a token that is taken any more: the way out is at the machine.
    assert other("PATCH", "/v1/organisation", {"requires_application": False}).status_code == 403
    run(server, "orgs", "edit", tenant, "--no-requires-application")
    soon(other, "/v1/datasources", 200)
    told = other("GET", "/v1/audit").json()["items"][0]
    assert (told["actor_kind"], told["changes"]) == (
        "command line",
        {"requires_application": False},
    )
    assert server.get("/v1/datasources").status_code == 200  # the other organisation asks for none


def test_an_application_ends(server: RunningServer, operator: Ask) -> None:
    app = made(operator("POST", "/v1/applications", {"name": "app"}))
    through = as_key(server, ADMIN_KEY, X_App_Token=app["app_token"])
    soon(through, "/v1/organisation", 200)
    assert operator("DELETE", f"/v1/applications/{app['id']}").status_code == 204
    soon(through, "/v1/organisation", 403)
    assert operator("DELETE", f"/v1/applications/{app['id']}").status_code == 404
    for body in ({}, {"name": "x", "per_minute": 0}, {"name": "x", "per_day": "x"}, {"name": ""}):
        assert operator("POST", "/v1/applications", body).status_code == 422
    reader = made(operator("POST", "/v1/keys", {"name": "r", "scopes": ["read"]}))["api_key"]
    assert as_key(server, reader)("GET", "/v1/applications").status_code == 403


def test_bounds(database_url: str) -> None:
    bounds = {"max_organisations": "2", "max_applications": "1"}
    with start_server(database_url, **bounds) as server:
        operator = as_key(server, ADMIN_KEY)
        for path in ("/v1/organisations", "/v1/applications"):
            assert operator("POST", path, {"name": "fits"}).status_code == 201
            assert operator("POST", path, {"name": "one too many"}).status_code == 409


def test_browsers_of_allowed_origins(server: RunningServer, operator: Ask, other: Ask) -> None:
    allowed = "https://only-here.example.com"
    assert other("PATCH", "/v1/organisation", {"allowed_origins": [allowed]}).status_code == 200
    asked = {"Origin": allowed, "Access-Control-Request-Method": "GET"}

    def preflight() -> int:
        return server.client.options("/v1/datasources", headers=asked).status_code

    deadline = time.monotonic() + 1
    while {preflight() for _ in range(6)} != {204}:
        assert time.monotonic() < deadline
    answer = server.client.options("/v1/datasources", headers=asked)
    assert answer.headers["access-control-allow-origin"] == allowed
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    elsewhere = {**asked, "Origin": "https://evil.example.com"}
    refused = server.client.options("/v1/datasources", headers=elsewhere)
    assert "access-control-allow-origin" not in refused.headers
    sent = {"Origin": allowed}
    key = made(other("POST", "/v1/keys", {"name": "browser"}))["api_key"]
    answer = as_key(server, key, Origin=allowed)("GET", "/v1/datasources")
    assert answer.headers["access-control-allow-origin"] == allowed
    # Another organisation's answers are not for that page.
    answer = server.client.get("/v1/datasources", headers={**server.auth, **sent})
    assert "access-control-allow-origin" not in answer.headers


def run(server: RunningServer, *arguments: str) -> str:
    env = {**os.environ, "TWINFEED_DATABASE_URL": str(server.database_url)}
    done = subprocess.run(
        [sys.executable, "-m", "twin", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_from_the_command_line(server: RunningServer) -> None:
    tenant, key = run(server, "orgs", "create", "by hand").split()
    admin = as_key(server, key)
    assert admin("GET", "/v1/organisation").json()["tenant_id"] == tenant
    assert any(line.startswith(tenant) for line in run(server, "orgs", "list").splitlines())
    (listed,) = run(server, "keys", "list", "--tenant", tenant).splitlines()
    key_id = listed.split()[0]
    assert key not in listed
    run(server, "keys", "disable", key_id)  # also the last admin key: whoever may is at the machine
    soon(admin, "/v1/organisation", 401)
    run(server, "keys", "enable", key_id)
    soon(admin, "/v1/organisation", 200)
    second = as_key(server, run(server, "keys", "rotate", key_id))
    soon(second, "/v1/organisation", 200)
    soon(admin, "/v1/organisation", 401)
    trail = second("GET", "/v1/audit").json()["items"]
    assert [entry["action"] for entry in trail] == ["rotate", "update", "update", "create"]
    assert {entry["actor_kind"] for entry in trail} == {"command line"}
    operator = run(server, "keys", "create", "--name", "op", "--scope", "read", "--operator")
    assert as_key(server, operator)("GET", "/v1/organisations").status_code == 200
