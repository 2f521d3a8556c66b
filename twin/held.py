"""Bytes of requests that a worker holds, bounded over all its connections.

Invariant: whoever takes gives back as much, whatever happens in between.
"""

from types import TracebackType

from twin.errors import Overloaded


class Held:
    """How much a worker holds. Used by its event loop alone."""

    def __init__(self, max_bytes: int) -> None:
        """Hold nothing yet."""
        self._max_bytes = max_bytes
        self.bytes = 0

    @property
    def is_over(self) -> bool:
        """Whether more is held than the bound allows."""
        return self.bytes > self._max_bytes


class Share:
    """What one request holds. A context manager, which gives back all."""

    def __init__(self, held: Held) -> None:
        """Hold nothing yet."""
        self._held = held
        self.bytes = 0

    def __enter__(self) -> "Share":
        """Begin."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        """Give back all."""
        self.set(0)

    def add(self, size: int) -> None:
        """Hold so much more. Raises Overloaded with nothing added where there is no room for it."""
        self.set(self.bytes + size)
        if size and self._held.is_over:
            self.set(self.bytes - size)
            raise Overloaded(
                "The server holds as many bytes of requests as it may; try again.", retry_after_s=1
            )

    def set(self, size: int) -> None:
        """Hold so much, past the bound too."""
        self._held.bytes += size - self.bytes
        self.bytes = size
