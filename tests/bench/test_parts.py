"""The parts of the benchmark that its figures rest on."""

from collections import Counter

import msgspec
import numpy as np
import pytest

from ingest.frame import HEADER, TRAILER
from tests.bench import generator, plant
from tests.bench.process import alone


@pytest.mark.parametrize("shape", ["flat", "values"])
def test_batches_hold_every_device_at_successive_times_and_never_the_same_again(shape: str) -> None:
    first_ms = plant.now_ms()
    seen = set()
    for body in plant.json_bodies(shape, first_ms, 10):
        readings = msgspec.json.decode(body)
        assert len(readings) == plant.BATCH_READINGS
        values = [r["values"] if shape == "values" else r for r in readings]
        assert all(set(plant.KEYS) <= set(v) for v in values)
        seen |= {(r["device"], r["ts"]) for r in readings}
    assert len(seen) == 10 * plant.BATCH_READINGS
    assert {ts for _, ts in seen} == set(range(first_ms, first_ms + 10 * plant.STEPS))


def test_frames_hold_as_many_values_as_the_bodies() -> None:
    ids = np.random.default_rng(1).permutation(plant.DEVICES).tolist()
    frames = list(plant.copy_frames(ids, list(range(len(plant.KEYS))), plant.now_ms(), 3))
    row_bytes = 2 + 8 + 12 + 12 * len(plant.KEYS)
    size = len(HEADER) + plant.BATCH_READINGS * row_bytes + len(TRAILER)
    assert [len(f) for f in frames] == [size] * 3
    assert len(set(frames)) == 3


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 40),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", 40),
        (b"HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n", 35),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n", 50),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
    ],
)
def test_the_end_of_an_answer_is_found(answer: bytes, size: int | None) -> None:
    assert generator.answer_size(answer) == size


def test_another_status_than_expected_is_not_a_result() -> None:
    outcome = generator.Outcome(1.0, 0.1, Counter({200: 5, 503: 1}), np.zeros(6))
    assert outcome.only(200, 503) is outcome
    with pytest.raises(AssertionError, match="503"):
        outcome.only(200)


def test_what_fails_in_a_process_is_told() -> None:
    with pytest.raises(RuntimeError, match="ValueError: invalid literal"):
        alone(int, "not a number", 5.0)  # type: ignore[arg-type]
