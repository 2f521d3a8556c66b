"""HTTP Basic on what only reads: for Excel, wget and others that know nothing else."""

import pytest
from support.server import RunningServer

pytestmark = pytest.mark.one_home

WRONG = "tf_live_" + "0" * 64


@pytest.mark.parametrize("user", ["", "anyone", "a user"])
def test_the_management_key_as_password_reads(server: RunningServer, user: str) -> None:
    datasource = server.datasource()
    for path in ("/v1/datasources", f"/v1/datasources/{datasource.id}", "/v1/widgets"):
        assert server.client.get(path, auth=(user, server.admin_key)).status_code == 200


def test_a_password_changes_nothing(server: RunningServer) -> None:
    """A browser would send it along with any page's form."""
    datasource = server.datasource()
    auth, path = ("", server.admin_key), f"/v1/datasources/{datasource.id}"
    total = server.get("/v1/datasources").json()["total"]
    for answer in (
        server.client.post("/v1/datasources", json={"name": "x"}, auth=auth),
        server.client.patch(path, json={"name": "x"}, auth=auth),
        server.client.delete(path, auth=auth),
    ):
        assert answer.status_code == 401
    assert datasource.detail()["name"] == "test"
    assert server.get("/v1/datasources").json()["total"] == total


@pytest.mark.parametrize(
    ("headers", "is_asked"),
    [
        ({}, True),
        ({"Authorization": "Basic YTpi"}, True),
        ({"Authorization": "Basic !!!"}, True),
        ({"Authorization": f"Bearer {WRONG}"}, False),
        ({"X-API-Key": WRONG}, False),
        ({"Sec-Fetch-Mode": "navigate"}, True),
        ({"Sec-Fetch-Mode": "cors"}, False),
    ],
)
def test_who_is_asked_for_a_password(
    server: RunningServer, headers: dict[str, str], is_asked: bool
) -> None:
    answer = server.client.get("/v1/datasources", headers=headers)
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate")[0].startswith("Bearer ")
    assert ("Basic realm=" in answer.headers["www-authenticate"]) is is_asked


def test_a_page_with_a_token_is_not_asked(server: RunningServer) -> None:
    answer = server.client.get("/v1/datasources", params={"token": "tfv_old"})
    assert "Basic" not in answer.headers["www-authenticate"]
