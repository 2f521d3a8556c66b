"""Polls again and again: the same answers as the first time, and the same refusals."""

import httpx
import psycopg
from support.exposition import eventually, value
from support.server import Datasource, RunningServer

from twin.db.pool import conninfo
from twin.keys.secrets import digest


def poll(server: RunningServer, path: str, **headers: str) -> httpx.Response:
    """Poll with the admin key; headers' underscores become hyphens."""
    sent = server.auth | {name.replace("_", "-"): value for name, value in headers.items()}
    return server.client.get(path, headers=sent)


def save(source: Datasource, **fields: str) -> str:
    spec = {"type": "single", "title": "X", "datasource_id": source.id, "key": "x", **fields}
    answer = source.server.post("/v1/widgets", spec)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_remembered_answer_is_the_route_s_own(own_server: RunningServer) -> None:
    source = own_server.datasource()
    source.post({"x": 1})
    saved = f"/v1/widgets/{save(source)}/data"
    ad_hoc = f"/v1/data/line?datasource_id={source.id}&key=x"
    for path in (saved, ad_hoc):
        for accept in ("*/*", "text/csv", "application/json"):
            first, again = (poll(own_server, path, Accept=accept) for _ in range(2))
            assert again.status_code == first.status_code == 200
            assert again.content == first.content
            told = [
                {k: v for k, v in answer.headers.items() if k != "date"}
                for answer in (first, again)
            ]
            assert told[0] == told[1]
            unchanged = poll(own_server, path, Accept=accept, If_None_Match=first.headers["etag"])
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert unchanged.headers["cache-control"] == first.headers["cache-control"]
    labels = {"method": "GET", "route": "/v1/widgets/{widget_id}/data"}
    assert value(own_server, "twinfeed_http_requests_total", status="200", **labels) == 6
    assert value(own_server, "twinfeed_http_requests_total", status="304", **labels) == 3
    source.post({"x": 2})
    assert poll(own_server, saved).json()["value"] == 2
    assert poll(own_server, f"{saved}?agg=count").json()["value"] == 2
    assert poll(own_server, f"{saved}?color=red").status_code == 422
    assert own_server.client.post(saved, headers=own_server.auth).status_code == 405


def test_who_may_not_read_is_refused_what_another_was_answered(own_server: RunningServer) -> None:
    source = own_server.datasource()
    source.post({"x": 1})
    path = f"/v1/widgets/{save(source)}/data"
    key = "tf_live_" + "c4" * 32
    assert own_server.database_url is not None
    with psycopg.connect(conninfo(own_server.database_url), autocommit=True) as conn:
        conn.execute(
            "INSERT INTO management_keys (key_id, org_id, environment, name, scopes)"
            " SELECT 'key_poll', org_id, 'live', 'poll', '{read}' FROM organisations LIMIT 1"
        )
        conn.execute("INSERT INTO management_secrets VALUES (%s, 'key_poll')", [digest(key)])

        def status() -> int:
            return poll(own_server, path, Authorization=f"Bearer {key}").status_code

        assert [status(), status()] == [200, 200]
        for change, expected in (
            ("scopes = '{write}'", 403),
            ("scopes = '{read}', environment = 'test'", 404),
            ("environment = 'live'", 200),
            ("expires_at = now()", 401),
        ):
            conn.execute(f"UPDATE management_keys SET {change} WHERE key_id = 'key_poll'".encode())
            conn.execute("SELECT tell('keys ')")
            eventually(lambda expected=expected: status() == expected)
        assert own_server.client.get(path).status_code == 401
        assert poll(own_server, path).status_code == 200


def test_a_widget_changed_by_another_host_is_not_answered_from_memory(
    own_server: RunningServer,
) -> None:
    source = own_server.datasource()
    source.post({"x": 1})
    id_ = save(source)
    path = f"/v1/widgets/{id_}/data"
    for _ in range(2):
        assert poll(own_server, path).json()["title"] == "X"
    assert own_server.database_url is not None
    with psycopg.connect(conninfo(own_server.database_url), autocommit=True) as conn:
        conn.execute('UPDATE widgets SET spec = spec || \'{"title": "Y"}\'')
        conn.execute("SELECT tell(%s)", [f"widgets {id_}"])
    eventually(lambda: poll(own_server, path).json()["title"] == "Y")
