"""The pages of docs/readers: their examples, run where they can be."""

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from support.pages import bash, example
from support.senders import wait_until
from support.server import Datasource, RunningServer

from twin.db.pool import conninfo

READERS = Path(__file__).parents[2] / "docs" / "readers"
T0 = 1_767_225_600  # 2026-01-01T00:00:00Z


@pytest.fixture(scope="module")
def plant(server: RunningServer) -> Datasource:
    datasource = server.datasource("Press line")
    readings: list[dict[str, Any]] = [
        {"ts": T0 + 600 * i, "device": "press", "temperature": 20 + i, "running": i % 2 == 0}
        for i in range(12)
    ]
    readings.append({"temperature": 1.5, "running": True, "device": "press"})  # now
    assert datasource.post(readings).json()["accepted"] == 13
    return datasource


def shown(plant: Datasource, page: str, name: str) -> str:
    return example(f"../readers/{page}", name, plant, READ_KEY=plant.server.admin_key)


def run(plant: Datasource, name: str, directory: Path) -> str:
    (directory / name).write_text(shown(plant, "notebooks.md", name))
    return bash(f"{sys.executable} {name}", directory)


def test_every_page_is_listed() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (READERS / "README.md").read_text()))
    assert linked == {path.name for path in READERS.glob("*.md")} - {"README.md"}


def test_the_shell(plant: Datasource, tmp_path: Path) -> None:
    script = shown(plant, "README.md", "export.sh")
    printed = bash(script.replace("twinfeed export", f"{sys.executable} -m twin export"), tmp_path)
    assert pq.read_table(tmp_path / "readings.parquet").num_rows == 13
    assert (
        (tmp_path / "t.csv").read_text().startswith("ts,device,temperature\n2026-01-01T00:00:00Z")
    )
    assert len(json.loads(printed)["items"]) == 10


def test_notebooks(plant: Datasource, tmp_path: Path) -> None:
    printed = run(plant, "arrow.py", tmp_path)
    assert "ts: timestamp[us, tz=UTC]" in printed
    assert printed.splitlines()[-1] == "13"
    assert run(plant, "parquet.py", tmp_path) == "13\n"
    count, first = run(plant, "pages.py", tmp_path).splitlines()
    assert count == "13"
    assert "'temperature': 20.0" in first


@pytest.mark.parametrize("name", ["readings.pq", "hourly.pq"])
def test_power_query(plant: Datasource, name: str) -> None:
    """There is no Power Query to run here: the request it makes is sent, its columns are looked for."""
    text = shown(plant, "excel.md", name)
    base = re.search(r'Web\.Contents\("([^"]+)"', text)
    path = re.search(r'RelativePath = "([^"]+)"', text)
    asked = re.search(r"Query = \[([^\]]+)\]", text)
    assert base
    assert path
    assert asked
    query = dict(re.findall(r'(\w+) = "([^"]*)"', asked[1]))
    if "from = From" in asked[1]:
        query["from"] = "2026-01-01T00:00:00+0000"
    accept = {"Accept": "text/csv"} if "Headers = [Accept" in text else {}
    answer = plant.server.client.get(
        f"{base[1]}/{path[1]}", params=query, auth=("", plant.server.admin_key), headers=accept
    )
    assert answer.status_code == 200, answer.text
    header, *rows = csv.reader(io.StringIO(answer.text))
    used = set(re.findall(r'\{"(\w+)", ', text))
    assert used <= set(header)
    assert rows
    assert all(re.fullmatch(r"[\d-]+T[\d:.]+Z", row[header.index("ts")]) for row in rows)
    for opening, closing in ("()", "[]", "{}"):
        assert text.count(opening) == text.count(closing)


def test_sql(plant: Datasource) -> None:
    assert plant.server.database_url is not None
    statements = [shown(plant, "sql.md", "hourly.sql"), shown(plant, "grafana.md", "panel.sql")]
    panel = statements[1].replace("$__timeGroup(ts, $__interval)", "date_trunc('minute', ts)")
    statements[1] = panel.replace("$__timeFilter(ts)", "ts BETWEEN '2026-01-01' AND '2026-01-02'")
    with psycopg.connect(conninfo(plant.server.database_url), autocommit=True) as conn:
        exists = "SELECT to_regclass('twin_sql.press_line') IS NOT NULL"
        wait_until(lambda: (conn.execute(exists).fetchone() or (False,))[0], 60)
        hours = conn.execute(statements[0].encode()).fetchall()
        assert [row[1:] for row in hours] == [("press", 22.5, True), ("press", 28.5, True)]
        assert len(conn.execute(statements[1].encode()).fetchall()) == 12


def test_infinity(plant: Datasource) -> None:
    url = shown(plant, "grafana.md", "url").strip()
    url = url.replace("${__from}", str(T0 * 1000)).replace("${__to}", str((T0 + 7200) * 1000))
    answer = plant.server.client.get(url, headers=plant.server.auth | {"Accept": "text/csv"})
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header[:2] == ["ts", "value"]
    assert len(rows) == 12
