"""A null for what has a default is as good as nothing: clients of typed languages send every field."""

from typing import Any

import pytest
from support.server import RunningServer

CREATED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("/v1/keys", {"name": "k"}, ["scopes", "environment"]),
    ("/v1/datasources", {"name": "d"}, ["timezone", "data_keys", "description", "retention_days"]),
    ("/v1/webhooks", {"name": "w", "url": "http://127.0.0.1:9/"},
     ["type", "signature", "group_wait_seconds", "secret"]),
    ("/v1/alerts", {"name": "a", "key": "t", "condition": "less_than", "threshold": 1,
                    "severity": "info"},
     ["escalation", "for_seconds", "webhooks", "device", "icon"]),
]  # fmt: skip
OWN = ("id", "key_id", "api_key", "created_at", "updated_at", "ingest_url", "example")
"""What differs between two things that were made alike."""


@pytest.mark.parametrize(("path", "fields", "optional"), CREATED, ids=lambda one: str(one)[:12])
def test_a_null_is_as_good_as_nothing(
    server: RunningServer, path: str, fields: dict[str, Any], optional: list[str]
) -> None:
    if path == "/v1/alerts":
        fields = fields | {"datasource_id": server.datasource().id}
    made = [server.post(path, fields | more) for more in ({}, dict.fromkeys(optional))]
    assert [one.status_code for one in made] == [201, 201], made[1].text
    plain, nulls = ({k: v for k, v in one.json().items() if k not in OWN} for one in made)
    assert plain == nulls


def test_a_null_is_refused_where_something_must_be(server: RunningServer) -> None:
    for path, fields, _ in CREATED:
        answer = server.post(path, fields | {"name": None})
        assert answer.status_code == 422
        assert "name" in answer.text
    source = server.datasource()
    assert server.patch(f"/v1/datasources/{source.id}", {"timezone": None}).status_code == 422
