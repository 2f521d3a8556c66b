"""The document that describes the API: every route of the contract is in it and says what it takes."""

import base64
import hashlib

from support.server import RunningServer

ROUTES = {
    "/ingest/{datasource_id}": {"post"},
    "/health": {"get"},
    "/metrics": {"get"},
    "/v1/datasources": {"get", "post"},
    "/v1/datasources/{datasource_id}": {"get", "patch", "delete"},
    "/v1/datasources/{datasource_id}/devices": {"get"},
    "/v1/datasources/{datasource_id}/readings": {"get", "delete"},
    "/v1/datasources/{datasource_id}/export": {"get"},
    "/v1/datasources/{datasource_id}/data-keys/{key}": {"patch"},
    "/v1/datasources/{datasource_id}/keys": {"get", "post"},
    "/v1/datasources/{datasource_id}/keys/{key_id}": {"delete"},
    "/v1/datasources/{datasource_id}/keys/{key_id}/rotate": {"post"},
}


def test_every_route_is_described(server: RunningServer) -> None:
    answer = server.client.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"].startswith("3.")
    for path, methods in ROUTES.items():
        assert methods <= document["paths"][path].keys(), path
        for method in methods:
            operation = document["paths"][path][method]
            assert operation["summary"] or operation["description"]
            assert any(code.startswith("2") for code in operation["responses"])
    deletion = document["paths"]["/v1/datasources/{datasource_id}/readings"]["delete"]
    named = {parameter["name"] for parameter in deletion["parameters"]}
    assert {"from", "to", "device", "key"} <= named


def test_the_documentation_is_a_page_of_its_own(server: RunningServer) -> None:
    answer = server.client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{hashed}'" in policy
    assert "style=" not in answer.text
    assert "https://" not in answer.text  # nothing from elsewhere: it works without the internet
