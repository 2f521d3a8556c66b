"""The cache of answers: bounded, shared, and never kept past a clear."""

import asyncio

import pytest

from twin.etags import matches
from widgets.cache import ENTRY_BYTES, AnswerCache, Entry, body_of


class Source:
    """Counts how often it is asked, and may be held up."""

    def __init__(self, size: int = 10) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self._size = size

    async def ask(self) -> Entry:
        self.asked += 1
        await self.open.wait()
        return Entry(body_of(b"x" * self._size))


def test_identical_questions_share_one_answer() -> None:
    async def run() -> None:
        cache, source = AnswerCache(), Source()
        source.open.clear()
        polls = [asyncio.create_task(cache.get("k", source.ask)) for _ in range(10)]
        await asyncio.sleep(0)
        polls[0].cancel()  # one reader who leaves takes nothing from the others
        source.open.set()
        found = await asyncio.gather(*polls, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert len({id(entry) for entry in found[1:]}) == 1
        await cache.get("k", source.ask)
        assert source.asked == 1

    asyncio.run(run())


def test_a_failure_is_not_kept() -> None:
    async def run() -> None:
        cache, source = AnswerCache(), Source()

        async def fail() -> Entry:
            raise ValueError

        for _ in range(2):
            with pytest.raises(ValueError):
                await cache.get("k", fail)
        await cache.get("k", source.ask)
        assert source.asked == 1

    asyncio.run(run())


def test_the_least_recently_used_goes_first() -> None:
    async def run() -> None:
        room = 4 * (ENTRY_BYTES + 10)
        cache, source = AnswerCache(room), Source()
        for key in "abcd":
            await cache.get(key, source.ask)
        await cache.get("a", source.ask)
        await cache.get("e", source.ask)
        assert source.asked == 5
        for key in "acde":
            await cache.get(key, source.ask)
        assert source.asked == 5
        await cache.get("b", source.ask)
        assert source.asked == 6

    asyncio.run(run())


def test_an_answer_too_large_is_given_but_not_kept() -> None:
    async def run() -> None:
        cache = AnswerCache(4 * ENTRY_BYTES)
        source = Source(size=1)
        await cache.get("large", source.ask)
        await cache.get("large", source.ask)
        assert source.asked == 2

    asyncio.run(run())


def test_what_is_asked_for_during_a_clear_is_not_kept() -> None:
    async def run() -> None:
        cache, source = AnswerCache(), Source()
        source.open.clear()
        poll = asyncio.create_task(cache.get("k", source.ask))
        await asyncio.sleep(0)
        cache.clear()
        source.open.set()
        await poll
        await cache.get("k", source.ask)
        assert source.asked == 2

    asyncio.run(run())


def test_an_entry_turns_stale_at_its_time() -> None:
    entry = Entry(body_of(b"fresh"), body_of(b"stale"), 100)
    assert [entry.body(now).content for now in (99, 100)] == [b"fresh", b"stale"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
    ],
)
def test_if_none_match(header: str | None, expected: bool) -> None:
    assert matches(header, '"a"') is expected
