"""Whose address a request counts against, and which addresses count as one."""

import pytest

from twin.addresses import TrustedProxies
from twin.errors import StartupError
from twin.limits.quotas import network_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7:4711", "", "198.51.100.7"),
        ("198.51.100.7:4711", "203.0.113.1", "198.51.100.7"),  # anybody can say so
        ("10.0.0.1:80", "203.0.113.1", "203.0.113.1"),
        ("10.0.0.1:80", "6.6.6.6, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1:80", "203.0.113.1, 10.9.9.9", "203.0.113.1"),
        ("10.0.0.1:80", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("10.0.0.1:80", "nonsense", "10.0.0.1"),
        ("10.0.0.1:80", "nonsense, 10.3.3.3", "10.3.3.3"),
        ("[2001:db8::1]:80", "203.0.113.1", "203.0.113.1"),
        ("[::ffff:10.0.0.1]:80", "203.0.113.1", "203.0.113.1"),
    ],
)
def test_the_nearest_that_is_no_proxy(peer: str, forwarded: str, client: str) -> None:
    proxies = TrustedProxies("10.0.0.0/8, 2001:db8::1")
    assert proxies.client(peer, lambda: forwarded) == client


def test_what_is_no_network() -> None:
    with pytest.raises(StartupError, match="TWINFEED_TRUSTED_PROXIES"):
        TrustedProxies("10.0.0.0/8, proxy.example.com")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("unix", "unix"),
    ],
)
def test_addresses_of_one_client_count_together(address: str, network: str) -> None:
    assert network_of(address) == network
