"""Prometheus, Debian's package, with remote_write; and the answers on the wire."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cramjam
import httpx
import pytest
from support.exposition import eventually
from support.pages import merged
from support.prometheus import run_prometheus
from support.server import Datasource, RunningServer
from support.stored import NOTHING, learned, stored

from ingest.foreign.prometheus_messages import WriteRequest

EXPOSED = b"""# TYPE temperature gauge
temperature{room="a"} 21.5
temperature{room="b"} NaN
parts_total 7
"""
CONFIG = """
global: {{scrape_interval: 500ms, external_labels: {{site: north}}}}
scrape_configs:
  - job_name: plant
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
remote_write:
  - url: {url}/api/v1/write
    {auth}
    queue_config: {{batch_send_deadline: 200ms}}
"""
T_MS = 1_700_000_000_000


@pytest.fixture
def target() -> Iterator[int]:
    """The port of something to scrape."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(EXPOSED)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's prometheus")
@pytest.mark.parametrize("kind", ["bearer", "basic"])
def test_prometheus_writes_what_it_scrapes(
    server: RunningServer, target: int, kind: str, tmp_path: Path
) -> None:
    datasource = server.datasource()
    auth = {
        "bearer": f"bearer_token: {datasource.key}",
        "basic": f"basic_auth: {{username: x, password: {datasource.key}}}",
    }[kind]
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(port=target, url=server.url, auth=auth))
    base = f"instance=127.0.0.1:{target},job=plant"
    with run_prometheus(config, tmp_path):
        eventually(lambda: f"{base},site=north" in learned(datasource)[1], within_s=40)
        eventually(lambda: learned(datasource)[2] >= 4, within_s=40)
        # A scrape that takes too long for its interval says 0.
        eventually(lambda: merged(datasource)[f"{base},site=north"]["up"] == 1, within_s=40)
    held = merged(datasource)
    assert held[f"{base},room=a,site=north"] == {"temperature": 21.5}
    assert f"{base},room=b,site=north" not in held
    assert held[f"{base},site=north"]["parts_total"] == 7
    assert (
        "remote_write"
        not in (tmp_path / "prometheus.log").read_text().replace("Starting WAL watcher", "")
        or "non-recoverable error" not in (tmp_path / "prometheus.log").read_text()
    )


def request(*samples: tuple[str, float, int]) -> bytes:
    message = WriteRequest()
    for name, value, ts_ms in samples:
        series = message.timeseries.add()
        series.labels.add(name="__name__", value=name)
        series.labels.add(name="room", value="a")
        series.samples.add(value=value, timestamp=ts_ms)
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


def send(datasource: Datasource, body: bytes, **headers: str) -> httpx.Response:
    sent = {
        "Authorization": f"Bearer {datasource.key}",
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return datasource.server.client.post("/api/v1/write", content=body, headers=sent)


def test_names_of_one_set_of_labels_meet_in_one_reading(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = send(datasource, request(("a", 1, T_MS), ("b", 2, T_MS), ("a", 3, T_MS + 1)))
    assert (answer.status_code, answer.content) == (204, b"")
    assert stored(datasource) == {
        ("room=a", T_MS * 1000): {"a": 1, "b": 2},
        ("room=a", T_MS * 1000 + 1000): {"a": 3},
    }


def test_what_does_not_fit_is_told_and_the_rest_kept(server: RunningServer) -> None:
    datasource = server.datasource()
    infinite = float("inf")
    answer = send(datasource, request(("a", 1, T_MS), ("b", infinite, T_MS), ("c", 1, -5)))
    assert answer.status_code == 400
    assert "b: must be a finite number" in answer.text
    assert "c: the time is before 1970" in answer.text
    assert stored(datasource) == {("room=a", T_MS * 1000): {"a": 1}}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"\xff\xfe\xfd", {}, 400),
        (b"plain text", {}, 400),
        (bytes(cramjam.snappy.compress_raw(b"\xff\xff")), {}, 400),
        (request(("a", 1, T_MS))[:-3], {}, 400),
        (bytes(cramjam.snappy.compress_raw(bytes(9 * 2**20))), {}, 413),
        (b"", {"Content_Encoding": "br"}, 415),
        (
            request(("a", 1, T_MS)),
            {"Content_Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
            415,
        ),
        (b"", {"Authorization": "Bearer tfi_" + "0" * 64}, 401),
    ],
)
def test_garbage_is_refused(
    server: RunningServer, body: bytes, headers: dict[str, str], status: int
) -> None:
    datasource = server.datasource()
    answer = send(datasource, body, **headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.strip()
    assert learned(datasource) == NOTHING
