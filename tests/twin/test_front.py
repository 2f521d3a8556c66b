"""The front's parts: which heads are plain, and what one connection does with bytes as they come."""

import asyncio
from typing import Any

import pytest

from twin.errors import Overloaded
from twin.front import Front, FrontPlan, Head, Reply
from twin.front.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HELD_BYTES, Connection
from twin.front.head import parse_head
from twin.front.listener import IDLE_S, KEPT_BYTES, LINGER_S, PARTIAL_S
from twin.held import Held, Share

HEAD = b"POST /hot?a=%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 2"


def test_a_plain_head_is_read() -> None:
    head = parse_head(HEAD + b"\r\nAuthorization:  Bearer a b \t\r\nConnection: Keep-Alive\r\nX:")
    assert head is not None
    assert (head.method, head.path, head.query_string) == ("POST", "/hot", "a=%20b")
    assert head.length == 2
    assert head.headers == {
        "host": "x",
        "content-length": "2",
        "authorization": "Bearer a b",
        "connection": "Keep-Alive",
        "x": "",
    }
    bare = parse_head(b"GET / HTTP/1.1\r\nhost: x")
    assert bare is not None
    assert bare.length == 0


@pytest.mark.parametrize(
    "line",
    [
        b"Host: y",
        b"content-length: 2",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding:identity",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Connection: close",
        b"Connection: keep-alive, upgrade",
        b"TE: trailers",
        b" folded: x",
        b"name : x",
        b"no colon",
        b": x",
        b"name: \xff",
        b"name: a\x00b",
        b"name: a\rb",
        b"name: a\nTransfer-Encoding: chunked",
        b"",
    ],
)
def test_a_line_that_makes_a_head_not_plain(line: bytes) -> None:
    assert parse_head(HEAD) is not None
    assert parse_head(HEAD + b"\r\n" + line) is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"POST /hot HTTP/1.0\r\nHost: x",
        b"POST /hot HTTP/1.1",
        b"POST http://x/hot HTTP/1.1\r\nHost: x",
        b"POST /h%6ft HTTP/1.1\r\nHost: x",
        b"POST /hot#a HTTP/1.1\r\nHost: x",
        b"POST /hot?#a HTTP/1.1\r\nHost: x",
        b"POST  /hot HTTP/1.1\r\nHost: x",
        b"POST /h\xc3\xb6t HTTP/1.1\r\nHost: x",
        b"OPTIONS /hot HTTP/1.1\r\nHost: x",
        b"post /hot HTTP/1.1\r\nHost: x",
        b"PRI * HTTP/2.0",
        b"POST /hot HTTP/1.1\r\nHost: x\r\nContent-Length: -1",
        b"POST /hot HTTP/1.1\r\nHost: x\r\nContent-Length: +1",
        b"POST /hot HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1",
        b"POST /hot HTTP/1.1\r\nHost: x\r\nContent-Length: 1234567890",
        b"POST /hot HTTP/1.1\r\nHost: x\r\nContent-Length:",
    ],
)
def test_a_head_that_is_not_plain(head: bytes) -> None:
    assert parse_head(head) is None


class Hot:
    """A route that keeps its requests until the test answers them."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes, Reply]] = []

    def takes(self, _method: str, path: str) -> bool:
        return path == "/hot"

    def quick(self, head: Head, body: bytes, reply: Reply) -> bool:
        self.taken.append((head.query_string, body, reply))
        return True

    async def respond(self, _scope: Any, _protocol: Any) -> Any:
        raise NotImplementedError


class Transport(asyncio.Transport):
    """What a connection does to its transport."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_paused = self.is_closed = self.is_aborted = False

    def write(self, data: Any) -> None:
        self.sent.append(data)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed


class Desk:
    """A front without a socket, and one connection to it."""

    def __init__(self, held: Held | None = None) -> None:
        self.hot = Hot()
        self.held = held or Held(2**30)
        self.front = Front(FrontPlan(-1, -1, ""), [self.hot], self.held, 10)
        self.transport = Transport()
        self.connection = Connection(self.front)
        self.connection.connection_made(self.transport)
        self.handed_on: list[bytes] = []
        self.front.keep = self.keep  # type: ignore[method-assign, assignment]

    def keep(self, work: Any) -> None:
        assert self.connection.behind is not None
        self.handed_on.append(self.connection.behind._held)
        work.close()

    def answer(self) -> None:
        self.hot.taken[-1][2].respond(200, (("a", "b"),), b"ok")


def plain(query: str, body: bytes = b"{}", more: bytes = b"") -> bytes:
    head = f"POST /hot?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}".encode()
    return head + more + b"\r\n\r\n" + body


@pytest.mark.parametrize("size", [1, 7, 60, 10_000])
def test_requests_are_taken_one_after_the_other_however_they_arrive(size: int) -> None:
    desk = Desk()
    stream = b"".join(plain(str(n), b"x" * n) for n in range(5))
    for at in range(0, len(stream), size):
        desk.connection.data_received(stream[at : at + size])
    for number in range(5):
        assert [query for query, _, _ in desk.hot.taken] == [str(n) for n in range(number + 1)]
        assert len(desk.transport.sent) == number
        desk.answer()
    assert [body for _, body, _ in desk.hot.taken] == [b"x" * n for n in range(5)]
    assert desk.transport.sent[0] == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\n\r\nok"
    assert desk.connection.is_idle
    assert not desk.handed_on


@pytest.mark.parametrize(
    "other",
    [
        b"GET /else HTTP/1.1\r\nHost: x\r\n\r\n",
        plain("1", b"{}", b"\r\nTransfer-Encoding: chunked"),
        plain("1", b"x" * (MAX_BODY_BYTES + 1)),
        b"\x16\x03\x01\x02\x00\x01",
        b"A" * (MAX_HEAD_BYTES + 1),
        b"POST /" + b"a" * MAX_HEAD_BYTES,
    ],
)
def test_what_is_not_plain_is_handed_on_whole_and_after_the_answer(other: bytes) -> None:
    desk = Desk()
    desk.connection.data_received(plain("1") + other)
    assert not desk.handed_on
    desk.answer()
    assert desk.handed_on == [other]
    assert desk.transport.is_paused
    desk.connection.data_received(b"and what follows")
    assert desk.connection.behind is not None
    assert desk.connection.behind._held == other + b"and what follows"
    assert len(desk.hot.taken) == 1


def test_the_largest_body_is_taken() -> None:
    desk = Desk()
    desk.connection.data_received(plain("1", b"x" * MAX_BODY_BYTES))
    assert len(desk.hot.taken[0][1]) == MAX_BODY_BYTES


def test_a_client_that_does_not_wait_for_answers_is_not_read_for_ever() -> None:
    desk = Desk()
    desk.connection.data_received(plain("0"))
    more = plain("1")
    for _ in range(MAX_HELD_BYTES // len(more)):
        desk.connection.data_received(more)
        assert not desk.transport.is_paused
    desk.connection.data_received(more)
    assert desk.transport.is_paused
    desk.answer()
    assert not desk.transport.is_paused


def test_no_request_is_begun_while_the_client_takes_no_answers() -> None:
    desk = Desk()
    desk.connection.pause_writing()
    desk.connection.data_received(plain("1"))
    assert not desk.hot.taken
    desk.connection.resume_writing()
    assert len(desk.hot.taken) == 1


def test_a_client_that_sends_no_more_still_gets_its_answer() -> None:
    desk = Desk()
    desk.connection.data_received(plain("1"))
    assert desk.connection.eof_received()
    assert not desk.transport.is_closed
    desk.answer()
    assert len(desk.transport.sent) == 1
    assert desk.transport.is_closed
    assert not Desk().connection.eof_received()


def test_a_client_that_sends_no_more_gets_all_its_answers() -> None:
    desk = Desk()
    desk.connection.data_received(plain("1") + plain("2") + plain("3")[:-1])
    assert desk.connection.eof_received()
    desk.answer()
    assert not desk.transport.is_closed
    desk.answer()
    assert [query for query, _, _ in desk.hot.taken] == ["1", "2"]
    assert desk.handed_on == [plain("3")[:-1]]
    whole = Desk()
    whole.connection.data_received(plain("1") + plain("2"))
    whole.connection.eof_received()
    whole.answer()
    whole.answer()
    assert len(whole.transport.sent) == 2
    assert whole.transport.is_closed
    assert not whole.handed_on


def test_what_all_connections_hold_is_bounded() -> None:
    part = plain("1", b"x" * 100)[:-1]
    held = Held(2 * len(part))
    desks = [Desk(held) for _ in range(3)]
    for desk in desks[:2]:
        desk.connection.data_received(part)
        assert not desk.handed_on
    assert held.bytes == 2 * len(part)
    desks[2].connection.data_received(b"P")
    assert desks[2].handed_on == [b"P"]  # past the bound: the server behind takes it, or refuses it
    desks[0].connection.data_received(b"x")
    assert len(desks[0].hot.taken) == 1
    desks[2].connection.connection_lost(None)
    assert held.bytes == len(part)
    desks[1].connection.connection_lost(None)
    assert held.bytes == 0


def test_a_busy_connection_past_the_bound_is_not_read_until_it_has_its_answer() -> None:
    desk = Desk(Held(len(plain("1"))))
    desk.connection.data_received(plain("1") + plain("2"))
    assert not desk.transport.is_paused
    desk.connection.data_received(b"P")
    assert desk.transport.is_paused
    desk.answer()
    assert not desk.transport.is_paused
    assert len(desk.hot.taken) == 2


def test_what_is_handed_on_counts_until_the_server_behind_has_it() -> None:
    desk = Desk(Held(100))
    part = plain("1", b"x" * 200)[:150]
    desk.connection.data_received(part)
    behind = desk.connection.behind
    assert behind is not None
    assert desk.held.bytes == len(part)
    pipe = Transport()
    behind.connection_made(pipe)
    assert pipe.sent == [part]
    assert desk.held.bytes == 0


def test_a_request_is_refused_past_the_bound_and_all_is_given_back() -> None:
    held = Held(10)
    with Share(held) as one, Share(held) as two:
        one.add(10)
        with pytest.raises(Overloaded):
            two.add(1)
        two.add(0)
        assert held.bytes == 10
    assert held.bytes == 0


def test_a_request_that_breaks_off_is_handed_on() -> None:
    desk = Desk()
    desk.connection.data_received(plain("1")[:-1])
    assert desk.connection.eof_received()
    assert desk.handed_on == [plain("1")[:-1]]


def test_a_client_that_is_gone_gets_no_answer() -> None:
    desk = Desk()
    desk.connection.data_received(plain("1"))
    desk.connection.connection_lost(None)
    desk.answer()
    assert not desk.transport.sent
    assert not desk.front.connections


def test_connections_end_after_a_while_and_at_a_stop() -> None:
    async def run() -> None:
        now = asyncio.get_running_loop().time()
        idle, busy, partial = Desk(), Desk(), Desk()
        busy.connection.data_received(plain("1"))
        partial.connection.data_received(plain("1")[:-1])
        for desk, waited_s in ((idle, IDLE_S), (busy, IDLE_S), (partial, PARTIAL_S)):
            desk.connection.seen_s = now - waited_s - 1
            desk.front.tick()
            desk.front.untick()
        assert idle.transport.is_closed
        assert not busy.transport.is_closed
        assert partial.handed_on
        late = Desk()
        late.connection.data_received(plain("1")[:-1])
        for desk in (busy, late):
            desk.connection.end()
            assert not desk.transport.is_closed
        late.connection.data_received(plain("1")[-1:])
        for desk in (busy, late):
            desk.answer()
            assert desk.transport.is_closed

    asyncio.run(run())


def test_who_takes_no_answer_is_cut_off_in_the_end() -> None:
    async def run() -> None:
        desk = Desk()
        desk.connection.seen_s = asyncio.get_running_loop().time() - IDLE_S - LINGER_S - 1
        desk.front.tick()
        desk.front.untick()
        assert desk.transport.is_aborted

    asyncio.run(run())


def test_short_answers_are_kept_until_the_date_moves() -> None:
    front = Desk().front
    headers = (("a", "b"),)
    first = front.render(200, headers, b"x" * KEPT_BYTES)
    assert front.render(200, headers, b"x" * KEPT_BYTES) is first
    assert front.render(200, list(headers), b"x" * KEPT_BYTES) == first
    assert front.render(201, headers, b"x" * KEPT_BYTES) != first
    front.date = b"date: now\r\n"
    assert front.render(200, headers, b"x" * (KEPT_BYTES + 1)).split(b"\r\n")[3] == b"date: now"
    assert b"length" not in front.render(204, headers, b"")
