"""What waits in the kernel for a reader, over a real connection."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

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


def test_a_unix_socket_is_known_by_its_other_ends_path(tmp_path: Path) -> None:
    path, end = str(tmp_path / "server"), str(tmp_path / "client")
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as reader,
    ):
        server.bind(path)
        server.listen()
        reader.bind(end)
        reader.connect(path)
        (tmp_path / "client").unlink()
        sender, _ = server.accept()
        with sender:

            async def run() -> None:
                outflow = Outflow(end)
                await outflow.room(CHECK_BYTES)
                fill(sender)
                waiting = asyncio.create_task(outflow.room(CHECK_BYTES))
                await asyncio.sleep(0.05)
                assert not waiting.done()
                reader.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while reader.recv(2**20):
                        pass
                await waiting

            asyncio.run(run())
