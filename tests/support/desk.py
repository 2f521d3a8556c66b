"""A webhook receiver for black-box tests: it keeps what it gets and answers 200, or as told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Desk:
    """What came in: (time of receipt, headers, body)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, int] = {}
        """Statuses by path; 200 where none is given."""
        self.received: list[tuple[float, dict[str, str], bytes]] = []
        self.changed = threading.Condition()

    def wait(self, count: int, timeout_s: float = 30.0) -> list[Any]:
        """Return the bodies of what was received once that is `count` deliveries."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, timeout_s), (
                f"{len(self.received)} of {count} deliveries within {timeout_s} s"
            )
            return [json.loads(body) for _, _, body in self.received]


@contextmanager
def open_desk() -> Iterator[Desk]:
    """Run a receiver on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with desk.changed:
                desk.received.append((time.monotonic(), dict(self.headers), body))
                desk.changed.notify_all()
            self.send_response(desk.answers.get(self.path, 200))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    desk = Desk(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield desk
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
