"""How much of an answer still waits in the kernel for its reader.

The HTTP server takes a streamed answer's parts without a bound and without a word about what became of
them; only the socket knows. Invariant: whoever awaits `room` after each part holds no more than
`WINDOW_BYTES` and the last `CHECK_BYTES` for one reader, however slow he is.
"""

import asyncio
import fcntl
import os
import socket
import struct
import termios
import time

CHECK_BYTES = 64 * 1024
"""How much is sent between two looks at the socket."""
WINDOW_BYTES = 256 * 1024
"""How much may be on its way: enough for 20 Mbit/s over the round trip of a satellite's 100 ms."""
UNSEEN_BYTES = 16 * 2**20
"""Most that is sent to a reader whose socket cannot be seen."""
STALLED_S = 30.0
"""A reader who takes nothing for this long is gone."""
FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.2

UNIX_WINDOW_BYTES = 64 * 1024
"""The same for a Unix socket, of which the kernel holds no more than some 200 KiB: its reader is the
front, which stops reading while the client is slow."""

Address = tuple[str, int] | str
"""Of a TCP client, or the path of a Unix socket's other end."""


class Stalled(OSError):
    """The reader takes nothing any more."""


class Outflow:
    """What is on its way to one client over one connection."""

    def __init__(self, client: Address | None) -> None:
        """Watch this process' connection to `client`."""
        self._client = client
        self._fd: int | None = None
        self._unchecked = 0
        self._unseen = 0

    async def room(self, sent: int) -> None:
        """Count bytes that were sent; return when more may follow. Raises Stalled."""
        self._unchecked += sent
        if self._unchecked < CHECK_BYTES:
            return
        waiting, since_s, pause_s = self._waiting(), time.monotonic(), FIRST_PAUSE_S
        window = UNIX_WINDOW_BYTES if isinstance(self._client, str) else WINDOW_BYTES
        while waiting is not None and waiting > window:
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            before, waiting = waiting, self._waiting()
            if waiting is not None and waiting < before:
                since_s = time.monotonic()
            elif time.monotonic() - since_s > STALLED_S:
                raise Stalled("the client takes nothing")
        if waiting is None:
            self._unseen += self._unchecked
            if self._unseen > UNSEEN_BYTES:
                raise Stalled("the client's connection cannot be seen")
        self._unchecked = 0

    def cut(self) -> None:
        """End the connection: its client sees that the answer did not come to its end.

        Granian would end the body properly, whatever happened.
        """
        if self._client is None:
            return
        found = next((fd for fd in _descriptors() if _peer(fd) == self._client), None)
        if found is not None:
            link = socket.socket(fileno=found)
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone
            finally:
                link.detach()

    def _waiting(self) -> int | None:
        """Return the bytes that the kernel holds for the client; None: not to be known."""
        if self._client is None:
            return None
        if self._fd is None or _peer(self._fd) != self._client:
            self._fd = next((fd for fd in _descriptors() if _peer(fd) == self._client), None)
        if self._fd is None:
            return None
        try:
            answer = fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return None
        return int(struct.unpack("i", answer)[0])


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return []


def _peer(fd: int) -> Address | None:
    """Return whom a descriptor is connected to, if it is a socket. It stays the server's own."""
    try:
        link = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        if link.family == socket.AF_UNIX:
            path = link.getpeername()
            return path if isinstance(path, str) else None
        if link.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        host, port = link.getpeername()[:2]
        return str(host).removeprefix("::ffff:"), int(port)
    except OSError:
        return None
    finally:
        link.detach()
