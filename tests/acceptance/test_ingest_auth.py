"""Who may send readings: every form of the key header, and everything that is not a valid key."""

import base64
from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from support.server import Datasource, RunningServer
from support.stored import NOTHING, learned

READING = {"a": 1}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


FORMS: dict[str, Callable[[str], dict[str, str]]] = {
    "raw": lambda key: {"Authorization": key},
    "Bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "bearer in lower case": lambda key: {"authorization": f"bearer {key}"},
    "Bearer and spaces": lambda key: {"Authorization": f"Bearer   {key}"},
    "Token": lambda key: {"Authorization": f"Token {key}"},
    "X-API-Key": lambda key: {"X-API-Key": key},
    "x-api-key in lower case": lambda key: {"x-api-key": key},
    "Basic password": lambda key: {"Authorization": basic("anyone", key)},
    "Basic without a user": lambda key: {"Authorization": basic("", key)},
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_the_header(server: RunningServer, form: str) -> None:
    datasource = server.datasource()
    for _ in range(2):  # the second answer comes from the cache
        answer = server.client.post(
            datasource.url, json=READING, headers=FORMS[form](datasource.key)
        )
        assert answer.status_code == 200, answer.text
    assert learned(datasource)[2] == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "tfi_" + "0" * 64},
        {"Authorization": "Bearer tfi_" + "0" * 64},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": basic("user", "wrong")},
        {"Authorization": "Digest nonsense"},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "x" * 8000},
    ],
)
def test_a_wrong_or_missing_key_stores_nothing(
    server: RunningServer, headers: dict[str, str]
) -> None:
    datasource = server.datasource()
    answer = server.client.post(datasource.url, json=READING, headers=headers)
    refused(answer.status_code, answer.headers.get("www-authenticate"), answer.json())
    assert learned(datasource) == NOTHING


def test_almost_the_key_is_not_the_key(server: RunningServer) -> None:
    datasource = server.datasource()
    key = datasource.key
    for almost in (
        key[:-1],
        key + "0",
        key.upper(),
        key[4:],
        f"{key} {key}",
        f"{key},",
        f'"{key}"',
    ):
        answer = server.client.post(datasource.url, json=READING, headers={"Authorization": almost})
        assert answer.status_code == 401, almost
    latin = "Bearer k\xe9y".encode("latin-1")
    answer = server.client.post(datasource.url, json=READING, headers={b"Authorization": latin})
    assert answer.status_code == 401
    assert learned(datasource) == NOTHING


def test_keys_of_others_are_refused(server: RunningServer) -> None:
    datasource, other = server.datasource(), server.datasource()
    for key in (other.key, server.admin_key):
        answer = server.client.post(
            datasource.url, json=READING, headers={"Authorization": f"Bearer {key}"}
        )
        refused(answer.status_code, answer.headers.get("www-authenticate"), answer.json())
        assert key not in answer.text
    assert learned(datasource) == learned(other) == NOTHING


def test_an_ingest_key_opens_nothing_else(server: RunningServer) -> None:
    datasource = server.datasource()
    for path in ("/v1/datasources", f"/v1/datasources/{datasource.id}", "/v1/widgets"):
        answer = server.client.get(path, headers={"Authorization": f"Bearer {datasource.key}"})
        assert answer.status_code == 401, answer.text


def test_a_datasource_that_does_not_exist(server: RunningServer) -> None:
    datasource = server.datasource()
    for id_ in (str(uuid4()), "nonsense", "%00", "%ff", "%zz", datasource.id[:-1], ""):
        answer = server.client.post(
            f"/ingest/{id_}", json=READING, headers={"Authorization": datasource.key}
        )
        assert answer.status_code == 401, id_
    assert learned(datasource) == NOTHING


def test_the_id_may_be_written_in_any_way_a_uuid_may(server: RunningServer) -> None:
    datasource = server.datasource()
    for id_ in (datasource.id.upper(), datasource.id.replace("-", "")):
        assert posted(server, datasource, f"/ingest/{id_}") == 200


def test_the_url_is_absolute_and_works_as_given(server: RunningServer) -> None:
    datasource = server.datasource()
    assert datasource.url == f"{server.url}/ingest/{datasource.id}"
    assert urlsplit(datasource.url).scheme == "http"
    assert posted(server, datasource, datasource.url) == 200


def posted(server: RunningServer, datasource: Datasource, url: str) -> int:
    headers = {"Authorization": datasource.key}
    return server.client.post(url, json=READING, headers=headers).status_code


def refused(status: int, challenge: str | None, body: dict[str, object]) -> None:
    """Check a 401 in the contract's shape."""
    assert status == 401
    assert challenge is not None
    assert (body["error"], body["status"]) == ("UNAUTHORIZED", 401)
    assert body["message"] == body["detail"]
