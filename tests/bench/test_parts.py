"""The parts of the benchmark that its figures rest on."""

from collections import Counter

import msgspec
import numpy as np
import pyarrow.ipc
import pytest

from ingest.frame import HEADER, TRAILER
from tests.bench import contest, generator, plant
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


@pytest.mark.parametrize("absent", [0.0, 0.3])
def test_every_format_holds_the_same_readings(absent: float) -> None:
    first_ms = plant.now_ms()
    asked = {"first_ms": first_ms, "count": 2, "absent": absent}
    for json, lines, arrow in zip(
        plant.json_bodies("flat", **asked),
        plant.line_bodies(**asked),
        plant.arrow_bodies(**asked),
        strict=True,
    ):
        readings = msgspec.json.decode(json)
        held = sum(len(r) - 2 for r in readings)
        assert abs(held / plant.BATCH_VALUES - (1 - absent * 0.9)) < 0.01
        said = [_line_reading(line) for line in lines.decode().split("\n")]
        assert said == readings
        table = pyarrow.ipc.open_stream(arrow).read_all()
        rows = table.set_column(0, "ts", table["ts"].cast("int64")).to_pylist()
        by_place = {(r["device"], r["ts"]): r for r in readings}
        assert len(by_place) == plant.BATCH_READINGS
        for row in rows:
            wanted = {k: v for k, v in row.items() if v is not None}
            assert by_place.pop((row["device"], row["ts"])) == wanted


def _line_reading(line: str) -> dict[str, object]:
    series, fields, stamp = line.split(" ")
    values = {name: float(value) for name, value in (f.split("=") for f in fields.split(","))}
    return {"ts": int(stamp), "device": series.partition("device=")[2], **values}


@pytest.mark.parametrize("devices", [1000, 12_000])
def test_spread_batches_go_round_every_device(devices: int) -> None:
    seen = []
    for body in plant.spread_bodies(devices, 1000, 6):
        readings = msgspec.json.decode(body)
        assert len(readings) == plant.BATCH_READINGS
        seen += [(r["device"], r["ts"]) for r in readings]
    assert len(set(seen)) == len(seen)
    assert len({device for device, _ in seen}) == devices
    assert {ts - 1000 for _, ts in seen} == set(range(-(-len(seen) // devices)))


def test_contenders_take_turns_and_are_compared_round_by_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contest, "settle", lambda: order.append("settled"))
    order: list[str] = []
    rates = {"a": iter([1.0, 2.0, 4.0]), "b": iter([2.0, 8.0, 2.0])}

    def contender(name: str) -> contest.Contender:
        def play() -> contest.Round:
            order.append(name)
            return contest.Round(next(rates[name]))

        return contest.Contender(name, play)

    both = [contender("a"), contender("b")]
    contest.alternate(both, 3)
    assert order == ["settled", "a", "settled", "b"] * 3
    shown = contest.table("t", "x/s", both, ["a", "missing"], str)
    assert shown.columns[:4] == ["", "x/s", "span", "of a"]
    assert shown.rows[1][:4] == ["b", "2.0", "2.0 - 8.0", "2.00 (0.50-4.00)"]
