"""The messages that wait to be posted, bounded in number and bytes.

MQTT has no way to hold QoS 0 back: above the bound these are dropped and counted, as MQTT allows.
A message of QoS 1 above it is left to the broker, and so is every later one, for their order: the
connection must be made anew, and the broker sends what was not acknowledged again.
"""

import asyncio
from collections import deque

from aiomqtt import Message

MAX_MESSAGES = 20_000
MAX_BYTES = 64 * 2**20
"""A gateway's worth of seconds; what a broker may send unacknowledged is bounded far below."""


class Inbox:
    """A queue of messages; `wake` is set when something came in, or by others who want attention."""

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        """Make an empty, open inbox."""
        self.wake = asyncio.Event()
        self.dropped = 0
        self.overflowed = False
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._is_open = True

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Take a message in, or leave it."""
        if not self._is_open or (self.overflowed and message.qos):
            return
        if len(self._messages) >= self._max_messages or self._bytes >= self._max_bytes:
            if message.qos:
                self.overflowed = True
            else:
                self.dropped += 1
            return
        self._messages.append(message)
        self._bytes += len(message.payload)
        self.wake.set()

    def take(self, max_messages: int, max_bytes: int) -> list[Message]:
        """Remove and return the oldest messages, in order; one at least unless it is empty."""
        taken: list[Message] = []
        size = 0
        while self._messages and len(taken) < max_messages and size < max_bytes:
            message = self._messages.popleft()
            taken.append(message)
            size += len(message.payload)
        self._bytes -= size
        return taken

    def forget_unacknowledged(self) -> None:
        """Drop what the broker will send again in the next connection; QoS 0 never comes again."""
        kept = [message for message in self._messages if not message.qos]
        self._messages = deque(kept)
        self._bytes = sum(len(message.payload) for message in kept)
        self.overflowed = False

    def close(self) -> None:
        """Take no more in: the process is stopping."""
        self._is_open = False
        self.wake.set()
