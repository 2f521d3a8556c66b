"""The readings that every load sends: 1,000 devices with 10 keys, made beforehand.

Times in a body are 13 digits of milliseconds, so that a body is made from a template by writing digits
into it: hundreds of bodies a second, all different, none made while the clock runs.
"""

import time
from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.ipc

from ingest.frame import encode
from twin.batch import PAGE_SLOTS, Floats, Rows

DEVICES = 1000
KEYS = [
    "temperature",
    "pressure",
    "flow",
    "vibration",
    "rpm",
    "current",
    "voltage",
    "power",
    "level",
    "humidity",
]
BATCH_READINGS = 5000
"""Readings of a batch: every device at five successive milliseconds."""
STEPS = BATCH_READINGS // DEVICES
BATCH_VALUES = BATCH_READINGS * len(KEYS)
TEMPLATES = 8
"""Bodies with different values; more would only be more of the same."""
_STAMP = 1111111111111
_DIGITS = 13


def device_names() -> list[str]:
    """Return the devices' names."""
    return [f"device-{number:04}" for number in range(DEVICES)]


def now_ms() -> int:
    """Return the time from which a load's readings count: the loads of a run never meet."""
    return time.time_ns() // 1_000_000


def values(seed: int, readings: int, absent: float = 0.0) -> Floats:
    """Return float64[readings, keys] as sensors give them: two decimals, other levels per key.

    A share of them is `absent`, NaN, never the first key's.
    """
    random = np.random.default_rng(seed)
    level = np.array([60, 4, 120, 2, 1480, 12, 400, 5, 70, 45], dtype=np.float64)
    made = np.round(level * (1 + 0.05 * random.standard_normal((readings, len(KEYS)))), 2)
    made[:, 1:][random.random((readings, len(KEYS) - 1)) < absent] = np.nan
    return made


def json_bodies(shape: str, first_ms: int, count: int, absent: float = 0.0) -> Iterator[bytes]:
    """Return `count` batches of 5,000 readings as JSON arrays, `shape` flat or values."""
    names = device_names() * STEPS
    templates = []
    for seed in range(min(TEMPLATES, count)):
        rows = [
            _reading(shape, name, row)
            for name, row in zip(names, values(seed, BATCH_READINGS, absent).tolist(), strict=True)
        ]
        templates.append(_Template(msgspec.json.encode(rows)))
    for number in range(count):
        yield templates[number % len(templates)].at(first_ms + number * STEPS)


def spread_bodies(devices: int, first_ms: int, count: int) -> Iterator[bytes]:
    """Return batches that go round `devices` devices, a millisecond later each time round."""
    cells = [values(seed, BATCH_READINGS).tolist() for seed in range(min(TEMPLATES, count))]
    for number in range(count):
        rows = []
        for at, row in enumerate(cells[number % len(cells)], number * BATCH_READINGS):
            step, device = divmod(at, devices)
            rows.append(_reading("flat", f"device-{device:04}", row, first_ms + step))
        yield msgspec.json.encode(rows)


def line_bodies(first_ms: int, count: int, absent: float = 0.0) -> Iterator[bytes]:
    """Return the same batches in InfluxDB's line protocol, times in milliseconds."""
    names = device_names() * STEPS
    templates = []
    for seed in range(min(TEMPLATES, count)):
        rows = zip(names, values(seed, BATCH_READINGS, absent).tolist(), strict=True)
        lines = [f"{line(name, row)} {_STAMP}" for name, row in rows]
        templates.append(_Template("\n".join(lines).encode()))
    for number in range(count):
        yield templates[number % len(templates)].at(first_ms + number * STEPS)


def arrow_bodies(first_ms: int, count: int, absent: float = 0.0) -> Iterator[bytes]:
    """Return the same batches as Arrow IPC streams of one record batch."""
    names = pa.array(device_names() * STEPS).dictionary_encode()
    cells = [values(seed, BATCH_READINGS, absent) for seed in range(min(TEMPLATES, count))]
    for number in range(count):
        held = cells[number % len(cells)]
        ts_ms = first_ms + number * STEPS + np.repeat(np.arange(STEPS), DEVICES)
        columns = {
            "ts": pa.array(ts_ms, pa.timestamp("ms", tz="UTC")),
            "device": names,
            **{key: pa.array(held[:, at], from_pandas=True) for at, key in enumerate(KEYS)},
        }
        batch = pa.record_batch(columns)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        yield sink.getvalue().to_pybytes()


def day_bodies(devices: int, first_ms: int, seconds: int, chunk_s: int) -> Iterator[bytes]:
    """Return a reading a second of some devices, `chunk_s` seconds in a body, as JSON arrays."""
    names = device_names()[:devices]
    for start in range(0, seconds, chunk_s):
        held = values(start, devices * chunk_s).tolist()
        yield msgspec.json.encode(
            [
                _reading("flat", name, held.pop(), first_ms + second * 1000)
                for second in range(start, start + chunk_s)
                for name in names
            ]
        )


def copy_frames(
    stream_ids: list[int],
    columns: list[int],
    first_ms: int,
    count: int,
    absent: float = 0.0,
) -> Iterator[bytes]:
    """Return the same batches as frames of PostgreSQL's binary COPY, sorted as is best for it.

    stream_ids: one per device; columns: one per key.
    """
    ids = np.repeat(np.array(stream_ids, dtype=np.int32), STEPS)
    order = np.argsort(ids, kind="stable")
    steps = np.tile(np.arange(STEPS), DEVICES)
    cells = [values(seed, BATCH_READINGS, absent) for seed in range(min(TEMPLATES, count))]
    for number in range(count):
        page = np.full((BATCH_READINGS, PAGE_SLOTS), np.nan)
        page[:, columns] = cells[number % len(cells)]
        ts_us = (first_ms + number * STEPS + steps).astype(np.int64) * 1000
        yield encode(Rows(ids[order], ts_us, page), sorted(columns))


def single_bodies(shape: str = "flat") -> list[bytes]:
    """Return a reading of every device, without a time, as JSON."""
    rows = zip(device_names(), values(0, DEVICES).tolist(), strict=True)
    return [msgspec.json.encode(_reading(shape, name, row, None)) for name, row in rows]


def single_lines() -> list[bytes]:
    """Return the same readings in InfluxDB's line protocol."""
    return [
        line(name, row).encode()
        for name, row in zip(device_names(), values(0, DEVICES).tolist(), strict=True)
    ]


def line(device: str, row: list[float]) -> str:
    """Return a reading in InfluxDB's line protocol, without a time."""
    held = zip(KEYS, row, strict=True)
    fields = ",".join(f"{key}={value}" for key, value in held if value == value)
    return f"plant,device={device} {fields}"


def _reading(
    shape: str, device: str, row: list[float], stamp: int | None = _STAMP
) -> dict[str, object]:
    held = {key: value for key, value in zip(KEYS, row, strict=True) if value == value}
    head: dict[str, object] = (
        {"device": device} if stamp is None else {"ts": stamp, "device": device}
    )
    return head | ({"values": held} if shape == "values" else held)


class _Template:
    """A body in which every reading's time can be set."""

    def __init__(self, body: bytes) -> None:
        self._bytes = np.frombuffer(body, dtype=np.uint8).copy()
        stamp, at, found = str(_STAMP).encode(), -1, []
        while (at := body.find(stamp, at + 1)) >= 0:
            found.append(at)
        assert len(found) == BATCH_READINGS
        self._places = np.array(found).reshape(STEPS, DEVICES, 1) + np.arange(_DIGITS)

    def at(self, first_ms: int) -> bytes:
        """Return the body with times from `first_ms` on, a millisecond a step."""
        for step in range(STEPS):
            digits = np.frombuffer(str(first_ms + step).encode(), dtype=np.uint8)
            self._bytes[self._places[step]] = digits
        return self._bytes.tobytes()
