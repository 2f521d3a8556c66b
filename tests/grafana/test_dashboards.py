"""Every dashboard, on metrics that the server exposes, through a real Prometheus."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.desk import open_desk
from support.exposition import eventually, samples, value
from support.prometheus import Prometheus, run_prometheus
from support.server import RunningServer, start_server

GRAFANA = Path(__file__).parents[2] / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
RATE_INTERVAL = "10s"
METRIC = re.compile(r"\btwinfeed_\w+")

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs Debian's package prometheus"
)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something, also in collapsed rows."""
    for panel in dashboard["panels"]:
        yield from panel.get("panels", [])
        if panel["type"] != "row":
            yield panel


def load(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


EXPRESSIONS = sorted(
    {
        target["expr"]
        for path in DASHBOARDS
        for panel in panels(load(path))
        for target in panel["targets"]
        if "expr" in target
    }
)


@pytest.fixture(scope="module")
def busy_server(new_database: Any) -> Iterator[RunningServer]:
    """A server with two workers that has done some of everything, and goes on being used."""
    with start_server(new_database(), workers=2) as server, open_desk() as desk:
        datasource = server.datasource()
        webhook = server.post("/v1/webhooks", {"name": "desk", "url": desk.url}).json()
        gone = server.post("/v1/webhooks", {"name": "gone", "url": desk.url + "/gone"}).json()
        desk.answers["/hook/gone"] = 404
        rule = {"name": "hot", "datasource_id": datasource.id, "key": "t", "severity": "info"}
        rule |= {
            "condition": "greater_than",
            "threshold": 10,
            "webhooks": [webhook["id"], gone["id"]],
        }
        assert server.post("/v1/alerts", rule).status_code == 201
        stop = threading.Event()

        def use() -> None:
            number = 0
            while not stop.wait(0.2):
                number += 1
                datasource.post({"t": 20 * (number % 2), "n": number})
                datasource.post({"t": "text"})
                datasource.data("single", key="t")

        user = threading.Thread(target=use, name="user")
        user.start()
        eventually(lambda: value(server, "twinfeed_alert_delivered_seconds_count") > 0)
        eventually(lambda: value(server, "twinfeed_database_up") == 1)
        yield server
        stop.set()
        user.join()


@pytest.fixture(scope="module")
def prometheus(
    busy_server: RunningServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Our configuration with this server as its target, every second."""
    directory = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((GRAFANA / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [
        busy_server.url.removeprefix("http://")
    ]
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    with run_prometheus(file, directory) as running:
        scraped = "count_over_time(twinfeed_workers[1m]) >= 3"
        eventually(lambda: bool(running.query(scraped)))
        yield running


def test_there_is_an_operations_dashboard() -> None:
    assert "operations.json" in [path.name for path in DASHBOARDS]
    assert len(EXPRESSIONS) > 30


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["uid"]
    assert dashboard["title"]
    files = (GRAFANA / "provisioning/datasources").glob("*.yml")
    provisioned = [s for file in files for s in yaml.safe_load(file.read_text())["datasources"]]
    known = {(source["uid"], source["type"]) for source in provisioned}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, f"{panel['title']} covers another panel"
        assert at["x"] + at["w"] <= 24
        taken |= cells
    for panel in panels(dashboard):
        assert (panel["datasource"]["uid"], panel["datasource"]["type"]) in known
        assert panel["targets"], panel["title"]


def test_every_metric_is_exposed(busy_server: RunningServer) -> None:
    exposed = {name for name, _ in samples(busy_server)}
    named = {name for expression in EXPRESSIONS for name in METRIC.findall(expression)}
    assert named - exposed == set()


@needs_prometheus
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_finds_something(prometheus: Prometheus, expression: str) -> None:
    query = expression.replace("$__rate_interval", RATE_INTERVAL)
    assert "$" not in query
    assert prometheus.query(query) != []
