"""Bodies that trickle in."""

import json
import time
from collections.abc import Iterator

import pytest
from support.server import RunningServer
from support.stored import learned

pytestmark = pytest.mark.one_home

T_MS = 1_700_000_000_000
TICK_S = 0.05
MAX_TICKS = 600


def test_lines_are_committed_while_the_body_still_comes(server: RunningServer) -> None:
    datasource = server.datasource()
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        while not learned(datasource)[2]:
            assert sent < MAX_TICKS, "nothing is stored before the body ends"
            yield json.dumps({"ts": T_MS + sent, "n": sent}).encode() + b"\n"
            sent += 1
            time.sleep(TICK_S)

    answer = datasource.post(body(), Content_Type="application/x-ndjson")

    assert answer.json() == {"accepted": sent, "rejected": 0, "errors": []}
    assert sent > 1
    assert learned(datasource)[2] == sent


@pytest.mark.parametrize("query", ["?strict=true", "?dry_run=true"])
def test_what_is_judged_as_a_whole_waits_for_its_end(server: RunningServer, query: str) -> None:
    datasource = server.datasource()
    began = time.monotonic()

    def body() -> Iterator[bytes]:
        for i in range(MAX_TICKS):
            yield json.dumps({"ts": T_MS + i, "n": i}).encode() + b"\n"
            if time.monotonic() - began > 2:
                break
            time.sleep(TICK_S)
        assert learned(datasource)[2] == 0
        yield b'{"n": "text"}\n'

    answer = datasource.post(body(), query=query, Content_Type="application/x-ndjson")

    assert answer.status_code == (422 if "strict" in query else 200)
    assert answer.json()["rejected"] >= 1
    assert learned(datasource)[2] == 0


def test_a_slow_csv_is_read_as_a_fast_one(server: RunningServer) -> None:
    """The first record alone would make the column one of numbers."""
    datasource = server.datasource()
    began = time.monotonic()

    def body() -> Iterator[bytes]:
        yield b"ts,code\n2026-01-01T00:00:00Z,5\n"
        while time.monotonic() - began < 2:
            time.sleep(TICK_S)
            yield b"\n"
        for i in range(1, 9):
            yield f"2026-01-01T00:00:0{i}Z,A{i}\n".encode()

    answer = datasource.post(body(), Content_Type="text/csv")

    assert answer.json() == {"accepted": 9, "rejected": 0, "errors": []}
