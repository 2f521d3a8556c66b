"""The check of locked versions against known vulnerabilities: what it asks, and what it says."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


@contextmanager
def osv(vulnerable: str | None) -> Iterator[tuple[str, list[Any]]]:
    """Run a server that knows one vulnerable package; give its URL and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.extend(body["queries"])
            results = [
                {"vulns": [{"id": "PYSEC-1"}]} if q["package"]["name"] == vulnerable else {}
                for q in body["queries"]
            ]
            answer = json.dumps({"results": results}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def _audit(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ".ci/audit.py", *LOCKS]
    env = {**os.environ, "OSV_URL": url}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def test_every_locked_version_is_asked_for() -> None:
    with osv(None) as (url, asked):
        done = _audit(url)
    assert done.returncode == 0, done.stderr
    assert "audit: 0 of " in done.stdout
    pins = {q["package"]["name"]: q["version"] for q in asked}
    pinned = sum("==" in line for line in (ROOT / LOCKS[1]).read_text().splitlines())
    assert len(pins) >= pinned - 5  # one name may be pinned per platform
    assert pins["litestar"] in (ROOT / LOCKS[0]).read_text()


def test_a_vulnerable_version_fails_the_check() -> None:
    with osv("litestar") as (url, _):
        done = _audit(url)
    assert done.returncode == 1
    assert "litestar" in done.stderr
    assert "PYSEC-1" in done.stderr


def test_a_service_out_of_reach_is_said_and_does_not_fail() -> None:
    done = _audit("http://127.0.0.1:9/")
    assert done.returncode == 0
    assert "skipped: not reachable" in done.stdout
