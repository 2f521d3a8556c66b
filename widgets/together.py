"""Questions that arrive together become one statement: the singles of a scene, a double's two values.

Invariant: every question gets its own answer or the statement's error, whoever else stopped waiting,
and a statement's questions are all one party's: of one organisation and environment.
Nothing waits for more to come: those are taken together that are there once the loop comes round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

MOST = 100
"""Questions of a statement; a request has at most so many widgets."""

Party = tuple[int, str]
"""An organisation's number and one of its environments."""

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Gathers a party's questions for `answer`, which answers several in their order."""

    def __init__(self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        """Answer by `answer`."""
        self._answer = answer
        self._waiting: dict[Party, list[tuple[Q, asyncio.Future[A]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, party: Party, question: Q) -> A:
        """Return the answer to a party's question. Raises what `answer` raises."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[A] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._take)
        self._waiting.setdefault(party, []).append((question, answered))
        return await answered

    def _take(self) -> None:
        parties, self._waiting = self._waiting, {}
        for taken in parties.values():
            for first in range(0, len(taken), MOST):
                task = asyncio.ensure_future(self._tell(taken[first : first + MOST]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _tell(self, asked: list[tuple[Q, asyncio.Future[A]]]) -> None:
        waiting = [(question, future) for question, future in asked if not future.done()]
        if not waiting:
            return
        try:
            answers = await self._answer([question for question, _ in waiting])
        except Exception as exc:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(exc)
            return
        for (_, future), answer in zip(waiting, answers, strict=True):
            if not future.done():
                future.set_result(answer)
