"""HTTP by hand: what a client library would never send."""

import socket
from urllib.parse import urlsplit

import msgspec


class Answer(msgspec.Struct):
    """A response as it came over the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A TCP connection to a server. Also a context manager."""

    def __init__(self, url: str, timeout_s: float = 20.0, receive_bytes: int = 0) -> None:
        """`receive_bytes`: how much the kernel takes in unread, where that matters."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.socket = socket.socket()
        self.socket.settimeout(timeout_s)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect((parts.hostname, parts.port or 80))
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(b"".join(parts))

    def read(self) -> Answer | None:
        """Read one response; None: the server hung up."""
        line = self._file.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        return Answer(status, headers, self._file.read(length) if length else b"")


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request; a header's underscores become hyphens."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test"]
    if body and "Transfer_Encoding" not in headers and "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; of nothing, the last."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def padded(size: int) -> bytes:
    """Return a reading of exactly so many bytes."""
    body = b'{"ts": 1700000000, "a": 1}'
    return body + b" " * (size - len(body))
