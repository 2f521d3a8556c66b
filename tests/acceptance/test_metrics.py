"""GET /metrics over the sessions of real servers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.desk import open_desk
from support.exposition import eventually, samples, value
from support.server import RunningServer, start_server

from twin.metrics import forget_ended

pytestmark = pytest.mark.one_home


def test_a_session_is_counted(own_server: RunningServer) -> None:
    with open_desk() as desk:
        datasource = own_server.datasource()
        webhook = own_server.post("/v1/webhooks", {"name": "w", "url": desk.url}).json()
        rule = {
            "name": "hot",
            "datasource_id": datasource.id,
            "key": "t",
            "condition": "greater_than",
            "threshold": 10,
            "severity": "warning",
            "webhooks": [webhook["id"]],
        }
        assert own_server.post("/v1/alerts", rule).status_code == 201
        assert datasource.post([{"t": 1}, {"t": 2, "ts": 5}, {"t": "x"}]).status_code == 200
        assert datasource.post([{"t": 3, "ts": 5}]).status_code == 200  # the same time again
        assert datasource.post({"t": 11}).status_code == 200
        assert datasource.post("{").status_code == 400
        assert datasource.post({"t": 1}, Authorization="tfi_" + "0" * 64).status_code == 401

        assert value(own_server, "twinfeed_ingest_readings_total", outcome="accepted") == 4
        assert value(own_server, "twinfeed_ingest_readings_total", outcome="rejected") == 1
        for status, count in {"200": 3, "400": 1, "401": 1, "503": 0}.items():
            assert value(own_server, "twinfeed_ingest_requests_total", status=status) == count
        assert value(own_server, "twinfeed_ingest_request_seconds_count") == 5
        assert value(own_server, "twinfeed_ingest_rows_total") == 4
        assert value(own_server, "twinfeed_ingest_new_readings_total") == 3
        assert value(own_server, "twinfeed_ingest_batch_rows_sum") == 4
        assert value(own_server, "twinfeed_ingest_batch_rows_count") == 3
        assert value(own_server, "twinfeed_ingest_commit_seconds_count") == 3
        copy_s = value(own_server, "twinfeed_ingest_copy_seconds_total")
        assert 0 < copy_s < value(own_server, "twinfeed_ingest_commit_seconds_sum") + 1
        assert value(own_server, "twinfeed_ingest_buffer_rows") == 0
        assert value(own_server, "twinfeed_ingest_buffer_max_rows") == 200_000

        assert value(own_server, "twinfeed_alert_transitions_total", to="firing") == 1
        assert value(own_server, "twinfeed_alert_evaluation_seconds_count") >= 1
        delivered = ("twinfeed_alert_deliveries_total", {"outcome": "delivered"})
        eventually(lambda: value(own_server, delivered[0], **delivered[1]) == 1)
        assert value(own_server, "twinfeed_alert_delivered_seconds_count") == 1
        assert 0 < value(own_server, "twinfeed_alert_delivered_seconds_sum") < 10
        assert value(own_server, "twinfeed_alert_delivery_seconds_count") == 1


def test_the_worker_is_sampled(own_server: RunningServer) -> None:
    eventually(lambda: value(own_server, "twinfeed_database_up") == 1)
    assert value(own_server, "twinfeed_workers") == 1
    assert 2**24 < value(own_server, "twinfeed_resident_bytes") < 2**30
    assert value(own_server, "twinfeed_cpu_seconds_total") > 0
    assert value(own_server, "twinfeed_listener_connected") == 1
    assert value(own_server, "twinfeed_pool_connections") >= 1
    assert value(own_server, "twinfeed_pool_waiting_requests") == 0
    assert value(own_server, "twinfeed_alert_outbox_deliveries") == 0
    assert value(own_server, "twinfeed_database_start_time_seconds") > 1_700_000_000


def test_routes_are_counted_by_their_template(own_server: RunningServer) -> None:
    for _ in range(2):
        own_server.datasource().detail()
    own_server.get("/nothing/here")
    route = "/v1/datasources/{datasource_id}"
    labels = {"method": "GET", "route": route, "status": "200"}
    assert value(own_server, "twinfeed_http_requests_total", **labels) == 2
    assert value(own_server, "twinfeed_http_request_seconds_count", route=route) == 2
    unknown = {"method": "GET", "route": "other", "status": "404"}
    assert value(own_server, "twinfeed_http_requests_total", **unknown) == 1


def test_workers_are_added_up_and_an_ended_one_leaves(database_url: str) -> None:
    with start_server(database_url, workers=2) as server:
        datasource = server.datasource()
        eventually(lambda: value(server, "twinfeed_workers") == 2)
        for number in range(20):
            # A connection each: the workers share them.
            datasource.post({"t": number}, Connection="close")
        assert value(server, "twinfeed_ingest_rows_total") == 20
        assert value(server, "twinfeed_ingest_buffer_max_rows") == 400_000
        assert not [name for name, labels in samples(server) if dict(labels).get("pid")]

        worker = psutil.Process(server.process.pid).children()[0]
        os.kill(worker.pid, signal.SIGKILL)
        eventually(lambda: len(_workers(server) - {worker.pid}) == 2)
        eventually(lambda: value(server, "twinfeed_workers") == 2)
        assert value(server, "twinfeed_ingest_rows_total") == 20
        assert value(server, "twinfeed_ingest_buffer_max_rows") == 400_000
        # The HTTP server's word on it is a line like ours.
        said = [line for line in server.log.read_text().splitlines() if "Twinfeed" not in line]
        assert "_granian" in {json.loads(line)["logger"] for line in said}


def _workers(server: RunningServer) -> set[int]:
    return {process.pid for process in psutil.Process(server.process.pid).children()}


def test_a_restart_of_the_database_shows(tmp_path: Path) -> None:
    with start_server(None, data_dir=str(tmp_path)) as server:
        name = "twinfeed_database_start_time_seconds"
        eventually(lambda: value(server, name) > 0)
        before = value(server, name)
        family = psutil.Process(server.process.pid).children()
        (postmaster,) = [process for process in family if process.name() == "postgres"]
        postmaster.kill()
        eventually(lambda: value(server, name) > before, within_s=60)
        for of_it in ("twinfeed_database_up", "twinfeed_listener_connected"):
            eventually(lambda of_it=of_it: value(server, of_it) == 1, within_s=60)


def test_gauges_of_others_are_forgotten(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        kept = tmp_path / f"gauge_livesum_{child.pid}.db"
        stranger = tmp_path / "gauge_livemin_1.db"  # runs, but is no child of ours
        gone = tmp_path / "gauge_livesum_4194303.db"
        counter = tmp_path / "counter_4194303.db"
        for file in (kept, stranger, gone, counter):
            file.touch()
        forget_ended(tmp_path, os.getpid())
        assert sorted(tmp_path.iterdir()) == sorted([kept, counter])
        child.communicate(b"\n")
    forget_ended(tmp_path, os.getpid())
    assert list(tmp_path.iterdir()) == [counter]


def test_the_main_process_leaves_the_metrics_to_its_workers() -> None:
    """prometheus-client decides at its import whether values are shared, and workers are forks."""
    script = "import sys, twin.cli, twin.demo.run; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
