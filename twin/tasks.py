"""Ending tasks of our own."""

import asyncio
from typing import Any

AGAIN_S = 1.0
"""A cancelled query has this long to end; cancelled again, the driver closes its connection."""


async def end(*tasks: asyncio.Task[Any] | asyncio.Future[Any]) -> None:
    """Cancel tasks until each is done; what they raise is dropped.

    Again and again: until Python 3.12 `asyncio.wait_for`, which the driver's pool uses, can swallow a
    cancellation, and a task that works in a loop would go on for ever.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
