"""The audit trail: who changed what, from where; never a secret; only ever added to."""

import csv
import io

import psycopg
import pytest
from support.access import Ask, as_key, made
from support.server import ADMIN_KEY, RunningServer, start_server

from twin.audit.trail import HIDDEN, MAX_TEXT, shown
from twin.db.pool import conninfo

SECRET = "a secret that nobody may see"


@pytest.fixture
def organisation(server: RunningServer) -> tuple[Ask, str]:
    """An admin of an organisation of the test's own, and the admin key."""
    operator = as_key(server, ADMIN_KEY)
    new = made(operator("POST", "/v1/organisations", {"name": "audited"}))
    return as_key(server, new["key"]["api_key"]), new["key"]["key_id"]


def test_every_change_is_written_down(server: RunningServer, organisation: tuple[Ask, str]) -> None:
    admin, key_id = organisation
    source = made(admin("POST", "/v1/datasources", {"name": "=1+1"}))
    url = f"/v1/datasources/{source['id']}"
    admin("PATCH", url, {"retention_days": 7})
    admin("POST", f"{url}/keys/{source['key_id']}/rotate")
    chart = {"type": "single", "title": "t", "datasource_id": source["id"], "key": "a"}
    widget = made(admin("POST", "/v1/widgets", chart))
    admin("PATCH", f"/v1/widgets/{widget['id']}", {"title": "u"})
    hook = {"name": "h", "url": f"http://user:pw@127.0.0.1:9/{SECRET[:8]}", "secret": SECRET}
    hook_id = made(admin("POST", "/v1/webhooks", {**hook, "url": "http://127.0.0.1:9/T0KEN"}))["id"]
    rule = {"name": "r", "datasource_id": source["id"], "key": "a", "severity": "info"}
    alert = made(admin("POST", "/v1/alerts", {**rule, "condition": "greater_than", "threshold": 1}))
    app = made(admin("POST", "/v1/applications", {"name": "app"}))
    key = made(admin("POST", "/v1/keys", {"name": "k"}))
    assert admin("PATCH", url, {"retention_days": 0}).status_code == 422  # changed nothing
    assert admin("DELETE", f"/v1/keys/{'0' * 8}").status_code == 404
    for path in (
        f"/v1/widgets/{widget['id']}",
        f"/v1/alerts/{alert['id']}",
        f"/v1/webhooks/{hook_id}",
        f"{url}/readings",
        url,
    ):
        assert admin("DELETE", path).status_code == 204
    answer = admin("GET", "/v1/audit?limit=100").json()
    told = [(e["action"], e["object_kind"]) for e in answer["items"]][::-1]
    assert told == [
        ("create", "datasource"),
        ("update", "datasource"),
        ("rotate", "ingest key"),
        ("create", "widget"),
        ("update", "widget"),
        ("create", "webhook"),
        ("create", "alert"),
        ("create", "application"),
        ("create", "management key"),
        ("delete", "widget"),
        ("delete", "alert"),
        ("delete", "webhook"),
        ("delete readings", "datasource"),
        ("delete", "datasource"),
    ]
    assert answer["total"] == len(told)
    for entry in answer["items"]:
        assert (entry["actor_kind"], entry["actor_id"]) == ("key", key_id)
        assert entry["address"] == "127.0.0.1"
    patch = next(e for e in answer["items"] if e["action"] == "update")
    assert patch["changes"] == {"title": "u"}
    export = admin("GET", "/v1/audit/export")
    assert export.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert [(r["action"], r["object_kind"]) for r in rows][::-1] == told
    for text in (str(answer), export.text):
        for secret in (SECRET, "T0KEN", source["api_key"], app["app_token"], key["api_key"]):
            assert secret not in text


def test_filters_and_pages(server: RunningServer, organisation: tuple[Ask, str]) -> None:
    admin, key_id = organisation
    ids = [made(admin("POST", "/v1/datasources", {"name": f"d{i}"}))["id"] for i in range(5)]
    page = admin("GET", "/v1/audit?limit=2&offset=1").json()
    assert page["total"] == 5
    assert [e["object_id"] for e in page["items"]] == [ids[3], ids[2]]
    for query, count in (
        (f"object_id={ids[0]}", 1),
        ("object_kind=datasource", 5),
        ("object_kind=widget", 0),
        ("action=create", 5),
        ("action=%00", 0),
        (f"actor_id={key_id}", 5),
        ("actor_id=nobody", 0),
        ("from=2100-01-01T00:00:00Z", 0),
        ("to=2100-01-01T00:00:00Z", 5),
    ):
        assert admin("GET", f"/v1/audit?{query}").json()["total"] == count, query
    for query in ("limit=101", "offset=-1", "from=soon"):
        assert admin("GET", f"/v1/audit?{query}").status_code == 422


def test_a_cell_that_a_spreadsheet_would_run(
    server: RunningServer, organisation: tuple[Ask, str]
) -> None:
    admin, _ = organisation
    body = {"name": "=cmd()", "scopes": ["admin"]}
    other = as_key(server, made(admin("POST", "/v1/keys", body))["api_key"])
    made(other("POST", "/v1/datasources", {"name": "d"}))
    rows = list(csv.DictReader(io.StringIO(admin("GET", "/v1/audit/export").text)))
    assert rows[0]["actor_name"] == "'=cmd()"


def test_nothing_is_changed_or_removed(server: RunningServer) -> None:
    assert server.database_url is not None
    server.datasource()
    for statement in (
        "UPDATE audit_log SET action = 'nothing'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ):
        with (
            psycopg.connect(conninfo(server.database_url)) as conn,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            conn.execute(statement)


def test_the_address_behind_a_proxy(database_url: str) -> None:
    with start_server(database_url, trusted_proxies="127.0.0.1") as server:
        admin = as_key(server, ADMIN_KEY, X_Forwarded_For="198.51.100.1, 203.0.113.9")
        made(admin("POST", "/v1/datasources", {"name": "d"}))
        (entry,) = admin("GET", "/v1/audit").json()["items"]
        assert entry["address"] == "203.0.113.9"


def test_what_is_kept_of_a_change_is_bounded() -> None:
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"a": deep}
    kept = shown(
        {
            "name": "x" * 10_000 + "\x00",
            "many": list(range(10_000)),
            "deep": deep,
            "nan": float("nan"),
            "nested": [{"secret": "s", "Password": "p"}],
            "secret": None,
            "url": "https://u:p@hooks.example.com:8443/services/T0/B0?x=y",
        }
    )
    assert len(kept["name"]) == MAX_TEXT
    assert len(kept["many"]) == 100
    assert str(kept["deep"]).count("a") < 10
    assert kept["nan"] == "nan"
    assert kept["nested"] == [{"secret": HIDDEN, "Password": HIDDEN}]
    assert kept["secret"] is None
    assert kept["url"] == f"https://hooks.example.com:8443/{HIDDEN}"
