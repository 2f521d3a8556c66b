"""Every error a client can meet. One base class; the docstring is the default message.

`twin/http_errors.py` is the one place that renders them.
"""

from typing import ClassVar

import msgspec


class ItemError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one item of a request: its index and key where they apply."""

    message: str
    index: int | None = None
    key: str | None = None


class TwinfeedError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: list[ItemError] | None = None,
        retry_after_s: int | None = None,
        extra: dict[str, object] | None = None,
    ) -> None:
        """Keep the message (default: the class's docstring), item errors and extra body fields."""
        self.message = message or (type(self).__doc__ or "").strip()
        self.errors = errors or []
        self.retry_after_s = retry_after_s
        self.extra = extra or {}
        super().__init__(self.message)


class Unreadable(TwinfeedError):
    """The body cannot be read."""

    status = 400
    code = "BAD_REQUEST"


class Unauthorized(TwinfeedError):
    """A valid key is needed."""

    status = 401
    code = "UNAUTHORIZED"


class Forbidden(TwinfeedError):
    """This key does not have the scope that the request needs."""

    status = 403
    code = "FORBIDDEN"


class NotFound(TwinfeedError):
    """There is no such thing here."""

    status = 404
    code = "NOT_FOUND"


class Conflict(TwinfeedError):
    """The request contradicts what is stored."""

    status = 409
    code = "CONFLICT"


class TooLarge(TwinfeedError):
    """The body is too large."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMedia(TwinfeedError):
    """This content type or encoding is not supported."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


class Invalid(TwinfeedError):
    """The request can be read but is not valid."""

    status = 422
    code = "VALIDATION_ERROR"


class RateLimited(TwinfeedError):
    """A limit is reached; try again later."""

    status = 429
    code = "RATE_LIMIT_EXCEEDED"


class Overloaded(TwinfeedError):
    """The server is at its bound; try again shortly."""

    status = 503
    code = "OVERLOADED"


class DatabaseAway(TwinfeedError):
    """The database is away; nothing was stored. Try again shortly."""

    status = 503
    code = "DATABASE_UNAVAILABLE"

    def __init__(self, message: str | None = None, *, retry_after_s: int = 2) -> None:
        """Answer 503 with a short integer Retry-After."""
        super().__init__(message, retry_after_s=retry_after_s)


class InternalError(TwinfeedError):
    """The server failed to handle this request; the log has the reason."""


class StartupError(Exception):
    """The server or a command cannot start; the message says why and what to do."""
