"""Where webhooks may go.

A name is resolved, its addresses are judged, and the connection is made to an address that was
judged: what the name means a moment later changes nothing.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

import httpcore

from twin.errors import Invalid, ItemError

MAX_URL = 2000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
PRIVATE = "The address is private or loopback; set TWINFEED_WEBHOOK_ALLOW_PRIVATE=true to allow it."

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TargetRefused(httpcore.ConnectError):
    """The target's address may not be called."""


def is_public(address: Address) -> bool:
    """Return whether an address is of the open internet; one that wraps IPv4 counts as that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def check_url(text: str) -> SplitResult:
    """Return a webhook's URL in parts. Raises Invalid naming `url`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _invalid("url is not a valid URL.") from None
    if len(text) > MAX_URL or not text.isascii() or any(c <= " " for c in text):
        raise _invalid(f"url must be at most {MAX_URL} ASCII characters without spaces.")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _invalid("url must begin with http:// or https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise _invalid("url must not hold a password: use a secret, and check the signature.")
    return parts


async def check_target(parts: SplitResult, *, allow_private: bool) -> None:
    """Raise Invalid naming `url` when its host means only addresses that may not be called.

    A name that cannot be resolved now is let through: it is judged again at every delivery.
    """
    if allow_private or parts.hostname is None:
        return
    try:
        addresses = await resolve(parts.hostname, parts.port or 0)
    except OSError:
        return
    if not any(map(is_public, addresses)):
        raise _invalid(PRIVATE)


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, in the order the system prefers. Raises OSError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:  # a label too long for a name
        raise OSError(str(exc)) from exc
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return [ipaddress.ip_address(text) for text in texts]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that may be called."""

    def __init__(self, *, allow_private: bool) -> None:
        """Let every address through with `allow_private`."""
        self._allow_private = allow_private
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers. Raises TargetRefused, ConnectError."""
        try:
            addresses = await resolve(host, port)
        except OSError as exc:
            raise httpcore.ConnectError("The host's name cannot be resolved.") from exc
        allowed = [a for a in addresses if self._allow_private or is_public(a)]
        if not allowed:
            raise TargetRefused(PRIVATE)
        for address in allowed[:-1]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except httpcore.NetworkError:
                continue
        return await self._backend.connect_tcp(
            str(allowed[-1]), port, timeout, local_address, socket_options
        )

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._backend.sleep(seconds)


def _invalid(message: str) -> Invalid:
    return Invalid(message, errors=[ItemError(message=message, key="url")])
