"""Questions that arrive together are answered by one call, each with its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from widgets.together import MOST, Together

OURS = (1, "live")


def test_questions_of_one_turn_share_a_call_and_keep_their_order() -> None:
    calls: list[list[int]] = []

    async def answer(questions: Sequence[int]) -> list[int]:
        calls.append(list(questions))
        return [10 * question for question in questions]

    async def run() -> list[int]:
        together = Together(answer)
        first = await asyncio.gather(*(together.ask(OURS, i) for i in range(MOST + 1)))
        return [*first, await together.ask(OURS, 7)]

    assert asyncio.run(run()) == [10 * i for i in (*range(MOST + 1), 7)]
    assert [len(call) for call in calls] == [MOST, 1, 1]


def test_a_failed_call_fails_those_who_asked_and_nobody_later() -> None:
    async def answer(questions: Sequence[int]) -> list[int]:
        if 0 in questions:
            raise ValueError("zero")
        return list(questions)

    async def run() -> None:
        together = Together(answer)
        found = await asyncio.gather(
            *(together.ask(OURS, i) for i in (0, 1)), return_exceptions=True
        )
        assert [str(problem) for problem in found] == ["zero", "zero"]
        assert await together.ask(OURS, 1) == 1

    asyncio.run(run())


def test_who_stops_waiting_takes_no_answer_from_others() -> None:
    asked = asyncio.Event()
    goes_on = asyncio.Event()

    async def answer(questions: Sequence[int]) -> list[int]:
        asked.set()
        await goes_on.wait()
        return list(questions)

    async def run() -> None:
        together = Together(answer)
        gone, stays = (asyncio.ensure_future(together.ask(OURS, i)) for i in (1, 2))
        await asked.wait()
        gone.cancel()
        goes_on.set()
        assert await stays == 2
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(run())


def test_a_call_never_holds_questions_of_two_organisations_or_environments() -> None:
    calls: list[set[str]] = []

    async def answer(questions: Sequence[str]) -> list[str]:
        calls.append(set(questions))
        return [question.upper() for question in questions]

    async def run() -> list[str]:
        together = Together(answer)
        asked = [
            (OURS, "a"),
            ((2, "live"), "b"),
            ((1, "test"), "c"),
            (OURS, "d"),
            ((2, "live"), "e"),
        ]
        return await asyncio.gather(*(together.ask(party, question) for party, question in asked))

    assert asyncio.run(run()) == ["A", "B", "C", "D", "E"]
    assert sorted(map(sorted, calls)) == [["a", "d"], ["b", "e"], ["c"]]
