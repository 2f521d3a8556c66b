"""What waits in the kernel for a reader, over a real connection."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from twin.outflow import CHECK_BYTES, UNSEEN_BYTES, WINDOW_BYTES, Outflow, Stalled

FULL = 2**22


def fill(sender: socket.socket) -> int:
    """Send until the kernel takes no more; return how much it took."""
    sender.setblocking(False)
    taken = 0
    try:
        while taken < FULL:
            taken += sender.send(bytes(CHECK_BYTES))
    except BlockingIOError:
        pass
    return taken


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the sender's and the reader's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as reader,
        server.accept()[0] as sender,
    ):
        yield sender, reader


def test_there_is_room_once_the_reader_has_read(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    sender, reader = connection

    async def read() -> None:
        while await asyncio.get_running_loop().sock_recv(reader, 2**20):
            pass

    async def run() -> None:
        outflow = Outflow(reader.getsockname())
        await outflow.room(CHECK_BYTES)
        assert fill(sender) > WINDOW_BYTES
        waiting = asyncio.create_task(outflow.room(CHECK_BYTES))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        reader.setblocking(False)
        reading = asyncio.create_task(read())
        await waiting
        reading.cancel()

    asyncio.run(run())


def test_a_reader_who_takes_nothing_is_given_up(
    connection: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twin.outflow.STALLED_S", 0.1)
    sender, reader = connection
    fill(sender)
    with pytest.raises(Stalled):
        asyncio.run(Outflow(reader.getsockname()).room(CHECK_BYTES))


def test_a_connection_that_cannot_be_seen_gets_no_more_than_its_bound() -> None:
    async def run(outflow: Outflow) -> None:
        for _ in range(UNSEEN_BYTES // CHECK_BYTES):
            await outflow.room(CHECK_BYTES)
        with pytest.raises(Stalled):
            await outflow.room(CHECK_BYTES)

    asyncio.run(run(Outflow(None)))
    asyncio.run(run(Outflow(("192.0.2.1", 1))))
