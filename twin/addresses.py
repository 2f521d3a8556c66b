"""Where a request came from: the peer, or what trusted proxies in front say."""

import ipaddress
from collections.abc import Callable

from twin.errors import StartupError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HOPS = 20
"""Proxies looked at, from the nearest: nobody has more in a row."""


class TrustedProxies:
    """The proxies whose word is taken for where a request came from."""

    def __init__(self, text: str) -> None:
        """Trust a comma-separated list of addresses and networks. Raises StartupError."""
        parts = [part.strip() for part in text.split(",") if part.strip()]
        try:
            self._networks = [ipaddress.ip_network(part, strict=False) for part in parts]
        except ValueError as exc:
            raise StartupError(f"TWINFEED_TRUSTED_PROXIES is not valid: {exc}.") from exc

    def client(self, peer: str, forwarded: Callable[[], str]) -> str:
        """Return a client's address: the nearest one that is no trusted proxy's.

        `peer` is ``host:port``; `forwarded` gives X-Forwarded-For, and is asked only where the peer is
        trusted: anybody can send it.
        """
        address = peer.rpartition(":")[0].strip("[]") or peer
        if not self._networks or not _is_trusted(self._networks, address):
            return address
        for hop in reversed(forwarded().split(",")[-MAX_HOPS:]):
            hop = hop.strip()
            try:
                ipaddress.ip_address(hop)
            except ValueError:
                break
            address = hop
            if not _is_trusted(self._networks, hop):
                break
        return address


def _is_trusted(trusted: list[Network], address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip.version == network.version and ip in network for network in trusted)
