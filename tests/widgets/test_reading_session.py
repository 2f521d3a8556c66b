"""The connections that raw readings are read by: behind the wall, like every other of a request."""

import asyncio

import psycopg
import pytest

from tests.widgets.lab import open_lab
from widgets.readings.reader import reading_session


def test_it_sees_readings_and_nothing_that_belongs_to_somebody(database_url: str) -> None:
    async def run() -> None:
        async with open_lab(database_url) as lab:
            await lab.datasource({"rpm": "number"})
            async with reading_session(lab.ground) as conn:
                for table, rows in (("datasources", 0), ("streams", 0), ("organisations", 0)):
                    cursor = await conn.execute(f"SELECT count(*) FROM {table}".encode())
                    assert await cursor.fetchone() == (rows,), table
                await conn.execute("SELECT count(*) FROM readings")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await conn.execute("SELECT FROM kept_key")

    asyncio.run(run())
