"""The broker: its URL, a connection with a session that outlives it, and acknowledging.

The one place that knows aiomqtt's inside: aiomqtt 2.5 acknowledges a message when it arrives and has no
option for it, while paho below it has (`manual_ack_set`, `ack`).
"""

import asyncio
import socket
import ssl
from functools import partial
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import aiomqtt
import msgspec
from aiomqtt import Message
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from twin.mqtt.inbox import Inbox

RECEIVE_MAXIMUM = 1000
"""Messages that the broker may send ahead of their acknowledgement (MQTT 5); many share a commit."""
KEEPALIVE_S = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_REFUSED = 128
"""Reason codes of a SUBACK from here on are refusals."""


class BrokerURL(msgspec.Struct, frozen=True):
    """Where the broker is and who we are there."""

    host: str
    port: int
    is_tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, text: str) -> "BrokerURL":
        """Read mqtt[s]://[user[:password]@]host[:port]. Raises ValueError that names no password."""
        try:
            parts = urlsplit(text)
            port = parts.port
            (parts.hostname or "").encode("idna")
        except ValueError:
            raise ValueError("is no URL with a host and a port up to 65535") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("must be mqtt://[user:password@]host[:port], or mqtts:// for TLS")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("nothing may follow the broker's port; a / in a password is %2F")
        return cls(
            parts.hostname,
            port or _PORTS[parts.scheme],
            parts.scheme == "mqtts",
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
        )


class Broker(msgspec.Struct, frozen=True):
    """How to connect and what to subscribe."""

    url: BrokerURL
    client_id: str
    filters: tuple[str, ...]
    qos: int
    is_v5: bool
    session_expiry_s: int
    tls: ssl.SSLContext | None

    def connection(self, inbox: Inbox) -> aiomqtt.Client:
        """Return a client, to be entered, whose messages go to the inbox unacknowledged."""
        properties = None
        if self.is_v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self.session_expiry_s
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
        client = aiomqtt.Client(
            self.url.host,
            self.url.port,
            username=self.url.username,
            password=self.url.password,
            identifier=self.client_id,
            protocol=aiomqtt.ProtocolVersion.V5 if self.is_v5 else aiomqtt.ProtocolVersion.V311,
            clean_session=None if self.is_v5 else False,
            clean_start=False if self.is_v5 else MQTT_CLEAN_START_FIRST_ONLY,  # of MQTT 5 alone
            properties=properties,
            keepalive=KEEPALIVE_S,
            tls_context=self.tls,
            queue_type=cast("type[asyncio.Queue[Message]]", partial(_Handover, inbox)),
            # Acknowledgements are many small packets; none may wait for another's TCP ACK.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        client._client.manual_ack_set(True)
        return client

    async def subscribe(self, client: aiomqtt.Client) -> list[str]:
        """Subscribe every filter; return those that the broker refuses. Raises MqttError.

        With MQTT 5, retained messages come with a filter's first subscription of the session only.
        """
        wanted: Any = [(given, self.qos) for given in self.filters]
        if self.is_v5:
            once = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            options = SubscribeOptions(qos=self.qos, retainHandling=once)
            wanted = [(given, options) for given in self.filters]
        codes = await client.subscribe(wanted)
        numbers = [code if isinstance(code, int) else code.value for code in codes]
        pairs = zip(self.filters, numbers, strict=True)
        return [given for given, number in pairs if number >= _REFUSED]


async def settle(client: aiomqtt.Client) -> None:
    """Return once the broker has read all acknowledgements. Raises MqttError.

    Packets are answered in order, so any answer says so; leaving a topic that nobody subscribed changes
    nothing. Without it, a socket closed while messages still come in is reset, and what the
    broker has not read by then is lost: it would send committed messages again.
    """
    await client.unsubscribe(f"{client.identifier}/settle")


def acknowledge(client: aiomqtt.Client, messages: list[Message]) -> None:
    """Acknowledge messages in the order of their receipt. On a lost connection nothing happens."""
    for message in messages:
        if message.qos:
            client._client.ack(message.mid, message.qos)


async def lost(client: aiomqtt.Client) -> None:
    """Return never: raise MqttError once the connection is lost."""
    await anext(client.messages)


class _Handover(asyncio.Queue[Message]):
    """What aiomqtt takes for its queue: messages go on to the inbox, and none is ever in it.

    aiomqtt's own bounded queue drops what does not fit, whatever its QoS.
    """

    def __init__(self, inbox: Inbox, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._inbox = inbox

    def put_nowait(self, item: Message) -> None:
        self._inbox.put(item)
