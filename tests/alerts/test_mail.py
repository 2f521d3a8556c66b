"""Alerts by e-mail, through a real SMTP server on loopback."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.plant import Plant
from support.server import free_port
from support.telling import COOL, HOT, add_rule, delivering, on_plant, settled, webhooks

from alerts import delivery, retry
from alerts.mail import Mailer, server_of
from alerts.views import NewWebhook
from twin.errors import StartupError
from twin.settings import Settings

SENDER = "twinfeed@example.com"


class Box:
    """Keeps what is sent to it; answers `replies` first, one a message."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.replies:
            return self.replies.pop(0)
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


@contextmanager
def mail_server(box: Box, **options: Any) -> Iterator[int]:
    """Run an SMTP server; return its port."""
    controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        deadline = time.monotonic() + 5
        while asyncio.all_tasks(controller.loop) and time.monotonic() < deadline:
            time.sleep(0.005)  # its stop leaves connections open that it has not seen end
        controller.stop()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_US", 20_000)
    monkeypatch.setattr(delivery, "POLL_S", 0.02)


def play(database_url: str, smtp_url: str, *readings: Any, **options: Any) -> list[Any]:
    """Send readings to a rule that tells two people; return the deliveries."""
    outcome: list[Any] = []

    async def check(plant: Plant) -> None:
        new = NewWebhook(
            name="shift", type="email", recipients=["ada@example.com", "bo@example.com"], **options
        )
        hook = await webhooks(plant).create(new)
        await add_rule(plant, hook.id)
        await plant.send(*readings)
        async with delivering(plant):
            outcome.extend(await settled(plant))

    settings = {"smtp_url": smtp_url, "smtp_from": SENDER, "webhook_timeout_s": 5.0}
    on_plant(database_url, check, **settings)
    return outcome


def test_one_mail_tells_of_a_group_and_is_sent_again(database_url: str) -> None:
    box = Box("451 try later")
    readings = [("a<b>", 1, HOT), ("c", 1, HOT), ("c", 2, COOL)]
    with mail_server(box) as port:
        outcome = play(database_url, f"smtp://127.0.0.1:{port}", *readings, group_by=[])
    assert [row[:3] for row in outcome] == [("delivered", 2, 250), ("delivered", 1, 250)]
    first, second = box.messages
    assert box.recipients[0] == ["ada@example.com", "bo@example.com"]
    assert first["Subject"] == "[FIRING:2] 2 alerts"
    assert first["From"] == SENDER
    assert first["Message-ID"] == f"<{first['X-Twinfeed-Delivery']}@example.com>"
    assert second["Subject"] == "[RESOLVED:1] too hot: temperature of c is back at 20"
    plain, html = first.get_body(("plain",)), first.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "FIRING: too hot: temperature of a<b> is 90" in plain.get_content()
    assert "  Device: c\n  temperature: 90" in plain.get_content().replace("\r\n", "\n")
    assert "temperature of a&lt;b&gt; is 90" in html.get_content()
    assert "a<b>" not in html.get_content()


def test_a_refused_mail_is_a_dead_letter(database_url: str) -> None:
    with mail_server(Box("550 no such person")) as port:
        ((state, attempts, status, error),) = play(
            database_url, f"smtp://127.0.0.1:{port}", ("", 1, HOT)
        )
    assert (state, attempts, status) == ("failed", 1, None)
    assert error == "The mail server answered 550 no such person."


def certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the file of a certificate for 127.0.0.1, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file, key_file = directory / "cert.pem", directory / "key.pem"
    file.write_bytes(made.public_bytes(pem))
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key_file)
    return file, context


def told(url: str, timeout_s: float = 5.0) -> retry.Attempt:
    """Send a mail of one alert and return how that went."""
    alert = {"status": "firing", "labels": {"severity": "info", "device": ""}, "values": {"t": 1}}
    alert |= {"annotations": {"summary": "s", "description": "d"}, "startsAt": "now"}
    body = {"alerts": [alert | {"generatorURL": ""}]}
    settings = Settings(smtp_url=url, smtp_from=SENDER, webhook_timeout_s=timeout_s)

    async def send() -> retry.Attempt:
        attempt = await Mailer(settings).send(["ada@example.com"], body, "id-1")
        await asyncio.sleep(0.1)  # a TLS connection takes its leave in the background
        return attempt

    return asyncio.run(send())


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps", "smtp"])
def test_tls_and_a_password(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    seen: list[LoginPassword] = []

    def sign_in(_server: Any, session: Any, _envelope: Any, _how: str, auth: Any) -> AuthResult:
        assert scheme == "smtps" or session.ssl is not None
        seen.append(auth)
        return AuthResult(success=auth.password == b"p@ss", handled=False)

    options: dict[str, Any] = {"authenticator": sign_in, "auth_require_tls": scheme != "smtps"}
    options |= {"ssl_context" if scheme == "smtps" else "tls_context": context}
    box = Box()
    with mail_server(box, **options) as port:
        assert told(f"{scheme}://ada:p%40ss@127.0.0.1:{port}") == retry.Attempt(status=250)
        wrong = told(f"{scheme}://ada:wrong@127.0.0.1:{port}")
    assert len(box.messages) == 1
    assert [auth.login for auth in seen[:1]] == [b"ada"]
    assert wrong.refused
    assert "535" in str(wrong.error)
    assert "wrong" not in str(wrong.error)


@pytest.mark.parametrize("start", ["smtp+starttls://", "smtp://ada:p%40ss@"])
def test_a_server_without_tls_gets_no_password_and_nothing_where_tls_is_asked_for(
    start: str,
) -> None:
    box = Box()
    with mail_server(box) as port:
        attempt = told(f"{start}127.0.0.1:{port}")
    assert attempt.status is None
    assert box.messages == []


def test_a_mail_server_that_is_away_or_not_set() -> None:
    attempt = told(f"smtp://127.0.0.1:{free_port()}")
    assert (attempt.status, attempt.refused) == (None, False)
    nobody = asyncio.run(Mailer(Settings()).send(["ada@example.com"], {}, "id-1"))
    assert nobody.refused
    assert "TWINFEED_SMTP_URL" in str(nobody.error)


@pytest.mark.parametrize("url", ["http://a", "smtp://", "smtp://a:port", "smtp://a/path", "mail"])
def test_a_url_that_names_no_mail_server(url: str) -> None:
    with pytest.raises(StartupError, match="TWINFEED_SMTP_URL"):
        server_of(url)


def test_the_default_ports() -> None:
    ports = [server_of(f"{s}://h").port for s in ("smtp", "smtp+starttls", "smtps")]
    assert ports == [25, 587, 465]
