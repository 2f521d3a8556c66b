"""A TCP proxy before a database that cuts connections: a network that fails."""

import contextlib
import socket
import threading
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Cutter:
    """Forwards a local port to a database. `cut()` breaks everything, `mend()` lets it through again."""

    def __init__(self, database_url: str) -> None:
        self._given: dict[str, Any] = conninfo_to_dict(database_url)
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = make_conninfo(
            **{
                **self._given,
                "host": "127.0.0.1",
                "hostaddr": "127.0.0.1",
                "port": self._listener.getsockname()[1],
            }
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection and accept none."""
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _close(*pair)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        """Stop for good."""
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            pair = (client, self._connect())
            with self._lock:
                is_late = self._is_cut  # cut while this one was being made
                if not is_late:
                    self._pairs.add(pair)
            if is_late:
                _close(*pair)
                continue
            for source, target in (pair, pair[::-1]):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = str(self._given.get("host") or "127.0.0.1"), int(self._given.get("port", 5432))
        if host.startswith("/"):
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(f"{host}/.s.PGSQL.{port}")
            return upstream
        return socket.create_connection((host, port))


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _close(source, target)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
