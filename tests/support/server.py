"""Starts the real `twinfeed serve` and talks to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from .leaks import assert_log_is_clean, assert_processes_are_clean

ADMIN_KEY = "tf_live_" + "a1" * 32
LOGS: set[Path] = set()
"""Logs of all servers of this process that were not yet looked through for secrets."""
START_TIMEOUT_S = 100.0
STOP_TIMEOUT_S = 40.0


class Datasource:
    """A datasource of a running server, as a device sees it."""

    def __init__(self, server: "RunningServer", created: dict[str, Any]) -> None:
        self.server = server
        self.created = created
        self.id: str = created["id"]
        self.url: str = created["ingest_url"]
        self.key: str = created["api_key"]

    def post(self, body: Any, *, query: str = "", **headers: str) -> httpx.Response:
        """Send readings: bytes, str and iterators of bytes as they are, anything else as JSON."""
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, (bytes, str, Iterator)):
            return self.server.client.post(self.url + query, content=body, headers=sent)
        return self.server.client.post(self.url + query, json=body, headers=sent)

    def detail(self) -> dict[str, Any]:
        """Read the datasource through the API."""
        answer = self.server.get(f"/v1/datasources/{self.id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def data(self, type_: str, **params: Any) -> dict[str, Any]:
        """Ask for ad-hoc widget data."""
        answer = self.server.get(f"/v1/data/{type_}", datasource_id=self.id, **params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class RunningServer:
    """A server process, its URL and an HTTP client with the admin key."""

    def __init__(
        self, process: subprocess.Popen[bytes], url: str, log: Path, database_url: str | None
    ) -> None:
        self.process = process
        self.database_url = database_url
        self.url = url
        self.log = log
        self.admin_key = ADMIN_KEY
        self.auth = {"Authorization": f"Bearer {ADMIN_KEY}"}
        self.client = httpx.Client(base_url=url, timeout=30)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """GET with the admin key."""
        return self.client.get(path, params=params, headers=self.auth)

    def post(self, path: str, json: Any = None) -> httpx.Response:
        """POST with the admin key."""
        return self.client.post(path, json=json, headers=self.auth)

    def patch(self, path: str, json: Any) -> httpx.Response:
        """PATCH with the admin key."""
        return self.client.patch(path, json=json, headers=self.auth)

    def put(self, path: str, json: Any) -> httpx.Response:
        """PUT with the admin key."""
        return self.client.put(path, json=json, headers=self.auth)

    def delete(self, path: str, **params: Any) -> httpx.Response:
        """DELETE with the admin key."""
        return self.client.delete(path, params=params, headers=self.auth)

    def datasource(self, name: str = "test", **fields: Any) -> Datasource:
        """Create a datasource."""
        answer = self.post("/v1/datasources", {"name": name, **fields})
        assert answer.status_code == 201, answer.text
        return Datasource(self, answer.json())

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Send SIGKILL to the main process, as the kernel would, and wait for it."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(
    database_url: str | None, *, workers: int = 1, port: int | None = None, **settings: str
) -> RunningServer:
    """Start a server and wait until it is healthy. Settings: TWINFEED_* names in lower case.

    The caller stops it; `start_server` does so by itself. Its log is looked through at the latest when
    the tests of this process end (`look_through_logs`).
    """
    port = port or free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    env |= {
        "TWINFEED_ADMIN_KEY": ADMIN_KEY,
        "TWINFEED_PORT": str(port),
        "TWINFEED_WORKERS": str(workers),
        "TWINFEED_WEBHOOK_ALLOW_PRIVATE": "true",
        "TWINFEED_MAX_FAILED_AUTH": "1000000",
        **{f"TWINFEED_{name.upper()}": value for name, value in settings.items()},
    }
    if database_url:
        env["TWINFEED_DATABASE_URL"] = database_url
    log = Path(os.environ.get("TMPDIR", "/tmp")) / f"twinfeed-test-{os.getpid()}-{port}.log"
    LOGS.add(log)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "twin", "serve"], env=env, stdout=output, stderr=output
        )
    server = RunningServer(process, f"http://127.0.0.1:{port}", log, database_url)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if server.client.get("/health").status_code == 200:
                assert_processes_are_clean(process.pid)
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    server.client.close()
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not start:\n{log.read_text()[-4000:]}")


@contextmanager
def start_server(
    database_url: str | None, *, workers: int = 1, **settings: str
) -> Iterator[RunningServer]:
    """Run a server for a block; it must stop cleanly unless the block ended it."""
    server = launch(database_url, workers=workers, **settings)
    try:
        yield server
    finally:
        ended = server.process.poll() is not None
        server.client.close()
        if not ended:
            server.process.send_signal(signal.SIGTERM)
            try:
                code = server.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()
                raise
            assert code == 0, server.log.read_text()[-4000:]
        look_through_logs(server.log)


def look_through_logs(*logs: Path) -> None:
    """Fail for logs with a secret in them, and remove the others."""
    LOGS.difference_update(logs)
    for log in logs:
        assert_log_is_clean(log)
        log.unlink(missing_ok=True)
