"""The buffer: bounded at N and N+1, first come first served, nothing forgotten at the end."""

import asyncio
import threading

import numpy as np
import pytest

from ingest.block import ROW_BYTES, Block, Pending, empty_page
from ingest.buffer import SIDE_BY_SIDE_ROWS, Buffer
from twin.errors import Overloaded

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def loop() -> asyncio.AbstractEventLoop:
    made = asyncio.new_event_loop()
    made.close()  # futures only need one to belong to
    return made


def pending(rows: int, loop: asyncio.AbstractEventLoop) -> Pending:
    block = Block(
        1,
        rows,
        np.ones(rows, dtype=np.int32),
        np.zeros(rows, dtype=np.int64),
        empty_page(rows),
        frozenset(),
    )
    return Pending(block, asyncio.Future(loop=loop))


def test_rows_are_bounded(loop: asyncio.AbstractEventLoop) -> None:
    buffer = Buffer(max_rows=10, max_bytes=2**20, max_batch_rows=100)
    buffer.put(pending(9, loop))
    with pytest.raises(Overloaded) as refused:
        buffer.put(pending(2, loop))
    assert refused.value.status == 503
    assert isinstance(refused.value.retry_after_s, int)
    buffer.put(pending(1, loop))
    assert buffer.rows == 10
    with pytest.raises(Overloaded):
        buffer.put(pending(1, loop))
    assert len(buffer.take() or []) == 2
    assert buffer.rows == 0


def test_bytes_are_bounded(loop: asyncio.AbstractEventLoop) -> None:
    buffer = Buffer(max_rows=10**6, max_bytes=5 * ROW_BYTES, max_batch_rows=100)
    assert buffer.max_rows == 5
    buffer.put(pending(5, loop))
    with pytest.raises(Overloaded):
        buffer.put(pending(1, loop))


def test_an_empty_buffer_takes_a_request_of_any_size(loop: asyncio.AbstractEventLoop) -> None:
    buffer = Buffer(max_rows=10, max_bytes=2**20, max_batch_rows=5)
    buffer.put(pending(50, loop))
    with pytest.raises(Overloaded):
        buffer.put(pending(1, loop))
    assert [len(p.block) for p in buffer.take() or []] == [50]


def test_a_batch_is_what_has_gathered_up_to_its_bound(loop: asyncio.AbstractEventLoop) -> None:
    buffer = Buffer(max_rows=100, max_bytes=2**20, max_batch_rows=10)
    sizes = [4, 6, 1, 9, 3]
    for size in sizes:
        buffer.put(pending(size, loop))
    taken = []
    while buffer.rows:
        taken.append([len(p.block) for p in buffer.take() or []])
        buffer.done()
    assert taken == [[4, 6], [1, 9], [3]]


def test_closed_it_gives_out_what_waits_and_takes_no_more(loop: asyncio.AbstractEventLoop) -> None:
    buffer = Buffer(max_rows=100, max_bytes=2**20, max_batch_rows=10)
    buffer.put(pending(3, loop))
    buffer.close()
    with pytest.raises(Overloaded):
        buffer.put(pending(1, loop))
    assert len(buffer.take() or []) == 1
    buffer.done()
    assert buffer.take() is None


@pytest.mark.parametrize("rows", [SIDE_BY_SIDE_ROWS - 1, SIDE_BY_SIDE_ROWS])
def test_a_second_writer_helps_only_with_many_rows(
    loop: asyncio.AbstractEventLoop, rows: int
) -> None:
    buffer = Buffer(max_rows=10_000, max_bytes=2**24, max_batch_rows=10_000)
    buffer.put(pending(1, loop))
    assert buffer.take() is not None
    got: list[int] = []
    second = threading.Thread(target=lambda: got.append(len(buffer.take() or [])), daemon=True)
    second.start()
    buffer.put(pending(rows, loop))
    if rows < SIDE_BY_SIDE_ROWS:
        second.join(0.1)
        assert not got  # the first one comes for it
        buffer.done()
        assert len(buffer.take() or []) == 1
        buffer.done()
        buffer.close()
    second.join(5)
    assert got == ([0] if rows < SIDE_BY_SIDE_ROWS else [1])


def test_closing_wakes_every_writer() -> None:
    buffer = Buffer(max_rows=100, max_bytes=2**20, max_batch_rows=10)
    got: list[object] = []
    writers = [threading.Thread(target=lambda: got.append(buffer.take())) for _ in range(3)]
    for writer in writers:
        writer.start()
    buffer.close()
    for writer in writers:
        writer.join(5)
    assert got == [None, None, None]
