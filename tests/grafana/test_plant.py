"""The plant dashboard on the demo's plant: every panel's SQL as its login, every URL and every query."""

import asyncio
import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.server import RunningServer, start_server

from twin.clock import now_us, to_rfc3339
from twin.db.pool import AsyncConnection, conninfo
from twin.demo.api import Api
from twin.demo.catalog import PUMP_LINE
from twin.demo.setup import set_up
from twin.demo.state import open_state
from twin.sqlviews.job import keep_views
from twin.sqlviews.names import role_name
from twin.sqlviews.users import create_user

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "grafana/dashboards/plant.json").read_text("utf-8")
)
LOGIN = "grafana_reader_of_tests"
MAX_POINTS = 360
TARGETS = [
    pytest.param(target, id=panel["title"])
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
]


def of_type(ending: str) -> list[Any]:
    return [p for p in TARGETS if ending in p.values[0]["datasource"]["type"]]  # type: ignore[index]


class Plant:
    """A server with the demo's plant, as Grafana has it."""

    def __init__(self, server: RunningServer, source: str, login_url: str) -> None:
        self.server = server
        self.source = source
        self.login_url = login_url
        self.to_us = now_us()
        self.from_us = self.to_us - 3_600_000_000


@pytest.fixture(scope="module")
def plant(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plant]:
    url = new_database()
    with start_server(url) as server:
        with Api(server.url, server.admin_key) as api:
            directory = tmp_path_factory.mktemp("plant")
            state = open_state(directory, server.admin_key)
            made = set_up(api, directory, state, server.url, now_us())
        asyncio.run(make_views(url))
        tenant = server.get("/v1/keys").json()["keys"][0]["tenant_id"]
        user = create_user(url, LOGIN, tenant, "live")
        login = {**conninfo_to_dict(url), "user": LOGIN, "password": user.password}
        try:
            yield Plant(server, made.sources[PUMP_LINE].id, make_conninfo(**login))
        finally:
            with psycopg.connect(url, autocommit=True) as conn:
                for role in (LOGIN, role_name(tenant, "live")):
                    conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                    conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


async def make_views(url: str) -> None:
    async with await AsyncConnection.connect(conninfo(url), autocommit=True) as conn:
        await keep_views(conn)


def expanded(statement: str, plant: Plant) -> str:
    """Expand Grafana's macros and variables as its PostgreSQL source does."""
    begin, end = to_rfc3339(plant.from_us), to_rfc3339(plant.to_us)
    statement = statement.replace("$__interval", "10s")
    statement = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{begin}' AND '{end}'", statement)
    statement = re.sub(
        r"\$__timeGroup\((\w+), (\d+)s\)", r"floor(extract(epoch from \1)/\2)*\2", statement
    )
    assert "$" not in statement
    return statement


@pytest.mark.parametrize("target", of_type("postgresql"))
def test_a_panels_sql(plant: Plant, target: dict[str, Any]) -> None:
    with psycopg.connect(plant.login_url, autocommit=True) as conn:
        cursor = conn.execute(expanded(target["rawSql"], plant).encode())
        names = [column.name for column in cursor.description or []]
        rows = cursor.fetchall()
    assert rows
    if target["format"] == "time_series":
        assert names[0] == "time"
        times = [row[0] for row in rows]
        assert times == sorted(times)
        assert all(any(value is not None for value in row[1:]) for row in rows)


def test_the_sql_login_sees_only_views(plant: Plant) -> None:
    with (
        psycopg.connect(plant.login_url, autocommit=True) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("SELECT * FROM twinfeed.readings")


@pytest.mark.parametrize("target", of_type("infinity"))
def test_a_panels_url(plant: Plant, target: dict[str, Any]) -> None:
    url = target["url"].replace("${source}", plant.source)
    url = url.replace("${__from}", str(plant.from_us // 1000))
    url = url.replace("${__to}", str(plant.to_us // 1000))
    assert "$" not in url
    headers = {item["key"]: item["value"] for item in target["url_options"]["headers"]}
    answer = plant.server.client.get(url, headers=plant.server.auth | headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(answer.text))
    for column in target["columns"]:
        assert column["selector"] in header
        cells = [row[header.index(column["selector"])] for row in rows]
        held = [cell for cell in cells if cell]
        assert held, column["selector"]
        if column["type"] == "number":
            assert [float(cell) for cell in held]


@pytest.mark.parametrize("target", of_type("simpod"))
def test_a_panels_json_query(plant: Plant, target: dict[str, Any]) -> None:
    sent = {**target, "target": target["target"].replace("$source", plant.source)}
    window = {"from": to_rfc3339(plant.from_us), "to": to_rfc3339(plant.to_us)}
    body = {
        "panelId": 1,
        "range": {**window, "raw": {"from": "now-1h", "to": "now"}},
        "intervalMs": 10_000,
        "maxDataPoints": MAX_POINTS,
        "targets": [sent],
        "adhocFilters": [],
    }
    answer = plant.server.post("/v1/grafana/query", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()
    for series in answer.json():
        assert len(series["datapoints"]) <= MAX_POINTS
    # A device without the key is a line without points.
    assert any(value is not None for s in answer.json() for value, _ in s["datapoints"])


def test_the_dashboards_variable_finds_the_plant(plant: Plant) -> None:
    (variable,) = [v for v in DASHBOARD["templating"]["list"] if v["type"] == "query"]
    body = {"payload": {"target": variable["query"]["query"]}}
    found = plant.server.post("/v1/grafana/variable", body).json()
    chosen = [item for item in found if re.search(variable["regex"].strip("/"), item["__text"])]
    assert [item["__value"] for item in chosen] == [plant.source]


def test_the_background_job_makes_the_view_of_a_new_datasource(plant: Plant) -> None:
    plant.server.datasource("Freshly made")
    deadline = time.monotonic() + 60
    while True:
        with psycopg.connect(plant.login_url, autocommit=True) as conn:
            query = (
                "SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class AS c WHERE relname = %s"
            )
            row = conn.execute(query, ["freshly_made"]).fetchone()
        if row is not None:
            assert row[0]
            return
        assert time.monotonic() < deadline
        time.sleep(0.2)
