"""A webhook receiver on loopback, as one of yours could be: checks the signature, prints a line."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click

MAX_BODY_BYTES = 2**20
_SYMBOLS = {"firing": ("▲ ALERT   ", "red"), "resolved": ("▼ resolved", "green")}


class Receiver:
    """Listens on a free port of 127.0.0.1 in a thread, inside a `with`."""

    def __init__(self, secret: str) -> None:
        """Accept what is signed with `secret`."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(secret))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def is_signed(secret: str, timestamp: str, body: bytes, given: str) -> bool:
    """Return whether `given` is the lowercase hex HMAC-SHA256 of ``timestamp + ":" + body``."""
    signed = timestamp.encode() + b":" + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), given.encode())


def describe(body: bytes) -> list[str]:
    """Return a line for each alert of a delivery. Raises ValueError, KeyError for another body."""
    return [_line(alert) for alert in json.loads(body)["alerts"]]


def _line(alert: dict[str, Any]) -> str:
    labels, annotations = alert["labels"], alert["annotations"]
    firing = alert["status"] == "firing"
    symbol, colour = _SYMBOLS["firing" if firing else "resolved"]
    at = alert["startsAt"] if firing else alert["endsAt"]
    head = click.style(f"{symbol} {labels['severity']:<8}", fg=colour, bold=True)
    return f"{at[:19]}Z {head} {annotations['summary']}"


def _handler(secret: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > MAX_BODY_BYTES:
                self._answer(413)
                return
            body = self.rfile.read(int(length))
            timestamp = self.headers.get("X-Twinfeed-Timestamp", "")
            if not is_signed(secret, timestamp, body, self.headers.get("X-Twinfeed-Signature", "")):
                click.echo("A webhook call with a wrong signature was refused.", err=True)
                self._answer(401)
                return
            try:
                lines = describe(body)
            except (ValueError, KeyError, TypeError):
                self._answer(400)
                return
            for line in lines:
                click.echo(f"{line}  (webhook, signature verified)")
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing: a delivery is a line already."""

    return Handler
