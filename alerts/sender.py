"""One HTTP call to a webhook. Its contract: it returns an `Attempt` and raises nothing.

httpcore, the engine of httpx, because its public network backend is what lets us connect to the
address that was checked. It follows no redirects, and nothing of an answer is kept but its status.
"""

import asyncio
import ssl
from types import TracebackType
from typing import Self

import httpcore

from alerts.retry import Attempt
from alerts.targets import CheckedBackend, TargetRefused
from twin.settings import Settings

MAX_ANSWER_BYTES = 64 * 1024
"""Read at most, to keep the connection; a longer answer costs its sender the connection."""
KEEPALIVE_S = 60.0
MAX_SHOWN = 200
"""Of a redirect's target, which is its sender's text."""


class Sender:
    """Calls webhooks over connections that are kept open."""

    def __init__(self, settings: Settings) -> None:
        """Take timeout, concurrency and what may be called from the settings."""
        self._timeout_s = settings.webhook_timeout_s
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=settings.webhook_concurrency * 2,
            max_keepalive_connections=settings.webhook_concurrency,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=CheckedBackend(allow_private=settings.webhook_allow_private),
        )

    async def __aenter__(self) -> Self:
        """Return the sender; connections are opened as needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """POST a body; the whole call takes at most the timeout, however the answer drips."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, headers, body)
        except TimeoutError:
            return Attempt(error=f"No answer within {self._timeout_s:g} s.", reason="timeout")
        except TargetRefused as exc:
            return Attempt(error=str(exc), refused=True, reason="target")
        except (httpcore.UnsupportedProtocol, httpcore.LocalProtocolError, UnicodeError):
            return Attempt(error="The URL cannot be called.", refused=True, reason="target")
        except ssl.SSLError as exc:
            return Attempt(error=f"TLS failed: {exc.reason}", reason="tls")
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as exc:
            return Attempt(error=_reason(exc), reason="connection")
        except OSError as exc:
            error = f"The receiver cannot be reached: {exc.strerror or 'no reason'}"
            return Attempt(error=error, reason="connection")

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        async with self._pool.stream(
            "POST", url, headers=[*headers.items()], content=body
        ) as response:
            retry_after = _header(response, b"retry-after")
            size = 0
            async for part in response.aiter_stream():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    break
            error = _redirected(response) if 300 <= response.status < 400 else None
            return Attempt(status=response.status, error=error, retry_after=retry_after)


def _redirected(response: httpcore.Response) -> str:
    """Return why a redirect ends a delivery: its target was neither chosen nor checked by us."""
    location = _header(response, b"location") or ""
    shown = "".join(c for c in location[:MAX_SHOWN] if c.isprintable())
    where = f" to {shown}" if shown else ""
    return (
        f"The receiver answered {response.status}, a redirect{where}: redirects are not followed."
    )


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _reason(exc: Exception) -> str:
    detail = str(exc).strip()
    return f"The receiver cannot be reached: {detail or type(exc).__name__}"
