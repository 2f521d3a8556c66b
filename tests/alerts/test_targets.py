"""Where webhooks may go."""

import asyncio
import ipaddress
import socket
from typing import Any

import httpcore
import pytest

from alerts import targets
from alerts.targets import CheckedBackend, TargetRefused, check_target, check_url, is_public
from twin.errors import Invalid


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34"])
def test_addresses_that_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/x",
        "file:///etc/passwd",
        "http://",
        "example.com",
        "http://user:password@example.com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://[::1",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/" + "a" * 2000,
    ],
)
def test_urls_that_are_not_taken(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_url(url)
    assert [error.key for error in caught.value.errors] == ["url"]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "10.1.2.3", "0x7f.1"])
def test_a_private_target_is_refused_when_it_is_written(host: str) -> None:
    parts = check_url(f"http://{host}/hook")
    with pytest.raises(Invalid, match="TWINFEED_WEBHOOK_ALLOW_PRIVATE"):
        asyncio.run(check_target(parts, allow_private=False))
    asyncio.run(check_target(parts, allow_private=True))


def test_a_name_that_becomes_private_later_is_refused_at_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])

    async def resolve(_host: str, _port: int) -> list[Any]:
        return [ipaddress.ip_address(next(answers))]

    monkeypatch.setattr(targets, "resolve", resolve)

    async def run() -> None:
        await check_target(check_url("http://rebinding.example/"), allow_private=False)
        backend = CheckedBackend(allow_private=False)
        with pytest.raises(TargetRefused):
            await backend.connect_tcp("rebinding.example", 80, 1)

    asyncio.run(run())


def test_the_connection_goes_to_an_address_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two addresses the first is dead: nothing listens there."""

    async def resolve(_host: str, _port: int) -> list[Any]:
        return [ipaddress.ip_address("127.0.0.2"), ipaddress.ip_address("127.0.0.1")]

    monkeypatch.setattr(targets, "resolve", resolve)

    async def run() -> None:
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        stream = await CheckedBackend(allow_private=True).connect_tcp("two.example", port, 2)
        address = stream.get_extra_info("server_addr")
        await stream.aclose()
        server.close()
        await server.wait_closed()
        assert address[0] == "127.0.0.1"

    asyncio.run(run())


def test_a_name_that_does_not_resolve_is_a_network_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def resolve(_host: str, _port: int) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(targets, "resolve", resolve)
    backend = CheckedBackend(allow_private=False)
    with pytest.raises(httpcore.ConnectError) as caught:
        asyncio.run(backend.connect_tcp("nowhere.example", 80, 1))
    assert not isinstance(caught.value, TargetRefused)
