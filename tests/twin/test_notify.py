"""What comes on the servers' channel: heard by nobody else, and harmless when it makes no sense."""

import asyncio

import psycopg
import pytest

from tests.widgets.lab import open_lab
from twin.db.pool import conninfo
from twin.notify import DATA_TOPIC, decode_numbers, send_on


@pytest.mark.parametrize("payload", ["", "x", "[]", '["host"]', '["host", ["x"]]', "[" * 5000])
def test_what_makes_no_sense_ends_nothing(database_url: str, payload: str) -> None:
    async def scenario() -> None:
        async with open_lab(database_url) as lab:
            notifier, heard, lost = lab.ground.notifier, asyncio.Queue[str](), []
            notifier.subscribe(DATA_TOPIC, lambda text: decode_numbers(text) and None)
            notifier.subscribe("test", heard.put_nowait)
            notifier.on_lost(lambda: lost.append(True))
            async with lab.ground.pool.everyone() as conn:
                await send_on(conn, DATA_TOPIC, payload)
                await send_on(conn, "a topic of nobody", payload)
                await send_on(conn, "test", "1")
            async with asyncio.timeout(20):
                assert await heard.get() == "1"
            assert lost, "what may have been missed is forgotten"
            assert notifier.connected

    asyncio.run(scenario())


def test_the_channel_is_long_and_stays(database_url: str) -> None:
    async def scenario() -> str:
        async with open_lab(database_url) as lab:
            with psycopg.connect(conninfo(lab.ground.database_url)) as conn:
                row = conn.execute("SELECT channel FROM home").fetchone()
        assert row is not None
        return str(row[0])

    first, second = asyncio.run(scenario()), asyncio.run(scenario())
    assert first == second, "it stays"
    assert len(first) > 30
