"""The main process' side of the front: the listening socket, and the word to stop.

The socket is bound before anything else is started, and listens once the database is ready. Workers
inherit both descriptors: they are forks.
"""

import contextlib
import os
import socket
from pathlib import Path

import msgspec

BACKLOG = 2048
"""Connections that may wait to be accepted."""
SEND_BYTES = 128 * 1024
"""Of answers that the kernel holds for a client; it doubles the number. As much as twin/outflow.py lets
be on its way. Left alone it would hold several MiB for one who does not read."""


class FrontPlan(msgspec.Struct, frozen=True):
    """What the main process made for the fronts of its workers.

    `listen_fd` is bound and listens; `stop_fd` becomes readable when no more is to be accepted;
    `behind_path` is the Unix socket of the server behind.
    """

    listen_fd: int
    stop_fd: int
    behind_path: str


class Door:
    """An address to listen on."""

    def __init__(self, host: str, port: int) -> None:
        """Bind it. Raises OSError."""
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise
        self._stop_fd, self._stopping_fd = os.pipe()

    def open(self, behind_path: Path) -> FrontPlan:
        """Listen. Raises OSError."""
        self._socket.listen(BACKLOG)
        return FrontPlan(self._socket.fileno(), self._stop_fd, str(behind_path))

    def close(self) -> None:
        """Tell the workers to accept no more, now and if called again.

        Nobody reads the byte: it is there for every worker.
        """
        self._socket.close()
        with contextlib.suppress(OSError):
            os.write(self._stopping_fd, b".")
