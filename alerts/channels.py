"""Ways to tell a receiver: a webhook, an Alertmanager, an e-mail.

Contract of each: it takes a delivery and returns an `Attempt`; it raises nothing and keeps nothing.
"""

from types import TracebackType
from typing import Any, Self

import msgspec

from alerts import signing
from alerts.mail import Mailer
from alerts.outbox import Claim
from alerts.retry import Attempt
from alerts.sender import Sender
from twin.clock import SECOND_US, to_rfc3339
from twin.settings import Settings

PUSH_PATH = "/api/v2/alerts"
PUSH_EVERY_S = 60.0
"""How often an Alertmanager is told of a firing alert if nothing else is said, as Prometheus does."""
PUSH_LIVES = 4
"""An alert ends by itself after so many missed pushes, as Prometheus' do."""


class Channels:
    """Makes calls of every type while it is entered as a context."""

    def __init__(self, settings: Settings) -> None:
        """Take timeouts, concurrency and the mail server from the settings."""
        self._sender = Sender(settings)
        self._mailer = Mailer(settings)

    async def __aenter__(self) -> Self:
        """Return the channels; connections are opened as needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        await self._sender.__aexit__(kind, exc, trace)

    async def tell(self, claim: Claim, now_us: int) -> Attempt:
        """Make a delivery's call once."""
        target, body = claim.target, claim.body.encode()
        if target.is_locked:  # another server may have the key
            error = "This server cannot open the webhook's secret."
            return Attempt(error=error, reason="secret")
        if target.type == "email":
            message = msgspec.json.decode(body)
            return await self._mailer.send(target.recipients or [], message, claim.delivery_id)
        url = target.url or ""
        if target.type == "alertmanager":
            body = msgspec.json.encode(pushed(msgspec.json.decode(body), target.repeat_s, now_us))
            url = url.rstrip("/") + PUSH_PATH
        return await self._sender.post(
            url, signing.headers(claim.delivery_id, target, now_us, body), body
        )


def pushed(body: dict[str, Any], repeat_s: float | None, now_us: int) -> list[dict[str, Any]]:
    """Return a body's alerts as Alertmanager's API takes them.

    A firing one ends when pushes stop, wherever Alertmanager's `resolve_timeout` stands; the end is
    counted from this attempt, so that a late retry does not tell of an alert that ended. One whose
    labels changed ends under the old ones.
    """
    now = to_rfc3339(now_us)
    until = to_rfc3339(now_us + round(PUSH_LIVES * (repeat_s or PUSH_EVERY_S) * SECOND_US))
    found = []
    for alert in body["alerts"]:
        if old := alert.get("replaces"):
            found.append(_pushed(alert, old, now))
        end = until if alert["status"] == "firing" else alert["endsAt"]
        found.append(_pushed(alert, alert["labels"], end))
    return found


def _pushed(alert: dict[str, Any], labels: dict[str, str], end: str) -> dict[str, Any]:
    return {
        "labels": {name: text for name, text in labels.items() if text},
        "annotations": alert["annotations"],
        "startsAt": alert["startsAt"],
        "endsAt": end,
        "generatorURL": alert["generatorURL"],
    }
