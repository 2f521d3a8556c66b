"""Alerts by e-mail: one message per delivery, in plain text and HTML.

The mail server is the operator's choice, so its address is not judged as a webhook's is.
"""

import asyncio
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from alerts.retry import Attempt
from twin.clock import now_us, to_datetime
from twin.errors import StartupError
from twin.settings import Settings

SUBJECT_LENGTH = 200
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class Server(msgspec.Struct, frozen=True):
    """Where mail goes: smtp (STARTTLS if offered or with a password), smtp+starttls, smtps (TLS)."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None


def server_of(url: str) -> Server:
    """Return the server that TWINFEED_SMTP_URL names. Raises StartupError."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError
        port = parts.port or PORTS[parts.scheme]
    except ValueError:
        message = "TWINFEED_SMTP_URL must look like smtp://, smtp+starttls:// or smtps://user:password@host:port."
        raise StartupError(message) from None
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Server(parts.scheme, parts.hostname, port, user, password)


class Mailer:
    """Sends mail through the operator's server, a connection a message."""

    def __init__(self, settings: Settings) -> None:
        """Take the server, the sender's address and the timeout. Raises StartupError."""
        self._server = server_of(settings.smtp_url) if settings.smtp_url else None
        self._from = settings.smtp_from
        self._timeout_s = settings.webhook_timeout_s

    async def send(self, recipients: list[str], body: dict[str, Any], delivery_id: str) -> Attempt:
        """Send a delivery's body. A refusal by code 5xx is final, everything else is tried again."""
        if self._server is None or self._from is None:
            error = "No mail server: set TWINFEED_SMTP_URL and TWINFEED_SMTP_FROM."
            return Attempt(error=error, refused=True, reason="smtp")
        message = compose(body, self._from, recipients, delivery_id)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._submit(self._server, message, recipients)
        except TimeoutError:
            return Attempt(error=f"No answer within {self._timeout_s:g} s.", reason="timeout")
        except aiosmtplib.SMTPRecipientsRefused as exc:
            codes = [refused.code for refused in exc.recipients]
            return _refused(min(codes, default=550), "The mail server refused every recipient.")
        except aiosmtplib.SMTPResponseException as exc:
            return _refused(exc.code, f"The mail server answered {exc.code} {_line(exc.message)}.")
        except ssl.SSLError as exc:
            return Attempt(error=f"TLS failed: {exc.reason}", reason="tls")
        except (aiosmtplib.SMTPException, OSError) as exc:
            return Attempt(
                error=f"The mail server cannot be used: {_line(str(exc))}", reason="smtp"
            )
        return Attempt(status=250)

    async def _submit(self, server: Server, message: EmailMessage, recipients: list[str]) -> None:
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.scheme == "smtps",
            start_tls=False,  # done below: a connection that fails at it would be left open
            timeout=self._timeout_s,
            tls_context=ssl.create_default_context(),
        )
        async with client:
            if server.scheme != "smtps":
                await client.ehlo()
                # A password never goes unencrypted.
                must = server.scheme == "smtp+starttls" or server.user is not None
                if must or client.supports_extension("starttls"):
                    await client.starttls()
            if server.user is not None:
                await client.login(server.user, server.password or "")
            await client.send_message(message, recipients=recipients)


def _refused(code: int, error: str) -> Attempt:
    return Attempt(error=error, refused=code >= 500, reason="smtp")


def _line(text: str) -> str:
    return " ".join(text.split())[:SUBJECT_LENGTH]


def compose(
    body: dict[str, Any], sender: str, recipients: list[str], delivery_id: str
) -> EmailMessage:
    """Return the message that tells of a delivery's alerts; its id is the same on a retry."""
    alerts = body["alerts"]
    firing = sum(alert["status"] == "firing" for alert in alerts)
    counts = [(firing, "FIRING"), (len(alerts) - firing, "RESOLVED")]
    state = ", ".join(f"{word}:{count}" for count, word in counts if count)
    what = alerts[0]["annotations"]["summary"] if len(alerts) == 1 else f"{len(alerts)} alerts"
    message = EmailMessage()
    message["Subject"] = _line(f"[{state}] {what}")
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(to_datetime(now_us()))
    domain = Address(addr_spec=sender).domain
    message["Message-ID"] = f"<{delivery_id}@{domain}>"
    message["X-Twinfeed-Delivery"] = delivery_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(_text(alert) for alert in alerts))
    rows = "".join(_row(alert) for alert in alerts)
    message.add_alternative(f"<!doctype html><table cellpadding=6>{rows}</table>", subtype="html")
    return message


def _lines(alert: dict[str, Any]) -> list[tuple[str, str]]:
    labels = alert["labels"]
    found = [("Severity", labels["severity"]), ("Since", alert["startsAt"])]
    if alert["status"] == "resolved":
        found.append(("Until", alert["endsAt"]))
    found += [("Device", labels["device"])] if labels["device"] else []
    found += [(key, _shown(value)) for key, value in alert["values"].items()]
    found.append(("Rule", alert["annotations"]["description"]))
    return found + ([("Link", alert["generatorURL"])] if alert["generatorURL"] else [])


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode() if not isinstance(value, str) else value


def _text(alert: dict[str, Any]) -> str:
    head = f"{_word(alert)}: {alert['annotations']['summary']}"
    return "\n".join([head, *(f"  {name}: {text}" for name, text in _lines(alert)), ""])


def _row(alert: dict[str, Any]) -> str:
    details = "<br>".join(f"{escape(name)}: {escape(text)}" for name, text in _lines(alert))
    head = f"<b>{escape(alert['annotations']['summary'])}</b>"
    return f"<tr valign=top><td><b>{_word(alert)}</b></td><td>{head}<br>{details}</td></tr>"


def _word(alert: dict[str, Any]) -> Literal["FIRING", "RESOLVED", "STILL FIRING"]:
    if alert["status"] == "resolved":
        return "RESOLVED"
    return "STILL FIRING" if alert.get("repeat") else "FIRING"
