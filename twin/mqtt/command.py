"""The command line of the bridge: what is typed becomes a bridge that runs until SIGTERM or Ctrl-C."""

import asyncio
import re
import signal
import ssl
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import click

from twin import logs

WEEK_S = 7 * 86_400
MAX_EXPIRY_S = 2**32 - 1
"""MQTT 5 takes this for: never."""

_HELP = """Write what an MQTT broker is told into a datasource, until SIGTERM or Ctrl-C.

A running Twinfeed is posted to; the bridge may be on any host. The session at the broker outlives it:
what was not acknowledged is sent again. A message of QoS 1 is acknowledged once it is committed.

The device is what + and # matched, joined by slashes. Payloads are JSON as POST /ingest takes it, or a
bare number, true, false or text, whose data key is the topic's last level. So with --topic 'plant/+/+',
21.5 on plant/press1/temperature is temperature of press1. --device and --data-key decide otherwise,
as templates: {1} is the topic's first level, {-1} its last.
"""


@click.command("mqtt", help=_HELP)
@click.option(
    "--broker",
    required=True,
    envvar="TWINFEED_MQTT_BROKER",
    help="mqtt://[user:password@]host[:port] or mqtts://…, or $TWINFEED_MQTT_BROKER.",
)
@click.option(
    "--topic",
    "filters",
    required=True,
    multiple=True,
    help="Topic filter; may be given several times.",
)
@click.option("--datasource", help="The datasource's id; not needed if --url has it.")
@click.option(
    "--url",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Twinfeed's URL, or the datasource's ingestion URL.",
)
@click.option(
    "--key",
    required=True,
    envvar="TWINFEED_KEY",
    help="The datasource's ingest key, or $TWINFEED_KEY.",
)
@click.option("--device", help="Template of the device, such as '{2}' or 'line-{2}/{3}'.")
@click.option("--data-key", help="Template of a bare value's data key, such as '{-1}'.")
@click.option("--qos", type=click.Choice(["0", "1"]), default="1", show_default=True)
@click.option(
    "--protocol",
    type=click.Choice(["5", "3.1.1"]),
    default="5",
    show_default=True,
    help="Version of MQTT.",
)
@click.option("--client-id", help="Name of the session at the broker [from the datasource's id].")
@click.option(
    "--session-expiry",
    type=click.IntRange(0, MAX_EXPIRY_S),
    default=WEEK_S,
    show_default=True,
    help="Seconds for which the broker keeps the session without us (MQTT 5).",
)
@click.option("--ca", type=click.Path(exists=True, dir_okay=False), help="CA certificates, PEM.")
@click.option("--cert", type=click.Path(exists=True, dir_okay=False), help="Our certificate, PEM.")
@click.option("--cert-key", type=click.Path(exists=True, dir_okay=False), help="Its private key.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info"
)
def mqtt_command(
    *, url: str, datasource: str | None, key: str, log_level: str, **options: Any
) -> None:
    """Check what was typed and run."""
    logs.configure(log_level)
    ingest_url = _ingest_url(url, datasource)
    if not re.fullmatch(r"[!-~]+", key):
        raise click.BadParameter("The key holds characters that no key has.", param_hint="--key")
    asyncio.run(_run(ingest_url, key, **options))


def _ingest_url(url: str, datasource: str | None) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter("must begin with http:// or https://", param_hint="--url")
    base, found, there = url.rstrip("/").partition("/ingest/")
    given = datasource or there
    try:
        same = not found or UUID(there) == UUID(given)
        UUID(given)
    except ValueError:
        raise click.BadParameter(
            "give the datasource's id, as POST /v1/datasources answered it",
            param_hint="--datasource",
        ) from None
    if not same:
        raise click.BadParameter("is not that of --url", param_hint="--datasource")
    return f"{base}/ingest/{given}"


def _tls(ca: str | None, cert: str | None, cert_key: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert, cert_key)
    except (ssl.SSLError, OSError) as exc:
        raise click.UsageError(f"--ca, --cert or --cert-key cannot be used: {exc}") from exc
    return context


async def _run(
    ingest_url: str,
    key: str,
    *,
    broker: str,
    filters: tuple[str, ...],
    device: str | None,
    data_key: str | None,
    qos: str,
    protocol: str,
    client_id: str | None,
    session_expiry: int,
    ca: str | None,
    cert: str | None,
    cert_key: str | None,
) -> None:
    import httpx  # only this command needs these

    from twin.mqtt.bridge import Bridge
    from twin.mqtt.broker import Broker, BrokerURL
    from twin.mqtt.inbox import Inbox
    from twin.mqtt.sender import TIMEOUT_S, Sender
    from twin.mqtt.topics import TopicError, Topics

    try:
        topics = Topics(filters, device, data_key)
        address = BrokerURL.parse(broker)
    except TopicError as exc:
        raise click.UsageError(str(exc)) from exc
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--broker") from exc
    if not address.is_tls and (ca or cert or cert_key):
        raise click.UsageError("--ca, --cert and --cert-key need a broker at mqtts://")
    # 23 characters, the length that every broker must take; the id's end is its random part.
    name = client_id or "twinfeed-" + ingest_url.replace("-", "")[-14:]
    there = Broker(
        address,
        name,
        filters,
        int(qos),
        protocol == "5",
        session_expiry,
        _tls(ca, cert, cert_key) if address.is_tls else None,
    )
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        bridge = Bridge(there, topics, Sender(ingest_url, key, client), Inbox())
        loop = asyncio.get_running_loop()
        for stop in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(stop, bridge.stop)
        await bridge.run()
