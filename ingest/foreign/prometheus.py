"""Prometheus remote write 1.0: POST /api/v1/write, a snappy block of protobuf.

Labels without `__name__` become the device, `__name__` the key. NaN, the staleness marker included,
says that there is no value, and is left out. Samples that do not fit never cost the others; the
answer is 400 then, which Prometheus logs and does not send again.
"""

import cramjam
from google.protobuf.message import DecodeError

from ingest.body import decompress
from ingest.foreign.names import device_name
from ingest.foreign.prometheus_messages import WriteRequest
from ingest.foreign.protocol import MAX_MESSAGE_BYTES, Endpoint, Intake, Request
from ingest.inflate import too_large
from ingest.json_shapes import check_count
from ingest.readings import Context, Reading
from ingest.times import check_range
from twin.errors import ItemError, TwinfeedError, Unauthorized, Unreadable, UnsupportedMedia
from twin.rsgi import Answer, Headers
from twin.schema import DatasourceSchema

PATH = "/api/v1/write"
_NAME = "__name__"
_MAX_TOLD = 10


class RemoteWrite(Endpoint):
    """The endpoint of remote write."""

    def decode(self, body: bytes, encoding: str, max_bytes: int) -> bytes:
        """Return the protobuf; without an encoding it is snappy, as the protocol has no other."""
        max_bytes = min(max_bytes, MAX_MESSAGE_BYTES)
        if encoding.strip().lower() in ("", "snappy"):
            return unsnappy(body, max_bytes)
        return decompress(body, encoding, max_bytes)

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 204, or 400 with reasons when some samples do not fit; the others are kept."""
        assert intake is not None
        if "io.prometheus.write.v2" in request.headers.get("content-type", ""):
            raise UnsupportedMedia("Remote write 2.0 is not supported: send 1.0.")
        settings = intake.settings

        def read(_schema: DatasourceSchema, context: Context) -> list[Reading]:
            return parse(
                request.body,
                context.received_us,
                settings.max_readings,
                settings.max_device_length,
            )

        outcome = await intake.take(read)
        if outcome.errors:
            told = "; ".join(f"{e.key}: {e.message}" for e in outcome.errors[:_MAX_TOLD])
            raise Unreadable(f"{outcome.rejected} samples were not accepted: {told}")
        return 204, [], b""

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return the message as text, as Prometheus does."""
        headers: Headers = [("content-type", "text/plain; charset=utf-8")]
        if isinstance(error, Unauthorized):
            headers.append(("www-authenticate", 'Bearer realm="twinfeed"'))
        return error.status, headers, f"{error.message}\n".encode(errors="replace")


def unsnappy(body: bytes, max_bytes: int) -> bytes:
    """Return a snappy block decompressed. Raises TooLarge, Unreadable."""
    try:
        if cramjam.snappy.decompress_raw_len(body) > max_bytes:
            raise too_large(max_bytes, "after decompression ")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as exc:
        raise Unreadable("The body is not a snappy block, or is damaged.") from exc


def parse(
    body: bytes, received_us: int, max_readings: int, max_device_length: int
) -> list[Reading]:
    """Return a reading for each sample that has a value. Raises Unreadable, TooLarge."""
    try:
        message = WriteRequest.FromString(body)
    except DecodeError as exc:
        raise Unreadable("The body is not a remote write request.") from exc
    check_count(sum(len(series.samples) for series in message.timeseries), max_readings)
    readings: list[Reading] = []
    for series in message.timeseries:
        labels = [(label.name, label.value) for label in series.labels]
        key = next((value for name, value in labels if name == _NAME), "")
        device = device_name([pair for pair in labels if pair[0] != _NAME], max_device_length)
        for sample in series.samples:
            if sample.value != sample.value:
                continue
            ts_us = sample.timestamp * 1000
            reading = Reading(len(readings), device, ts_us, [(key, sample.value)], [])
            fault = check_range(ts_us, received_us)
            if fault:
                reading.faults.append(ItemError(fault, index=reading.index, key=key[:200]))
            readings.append(reading)
    return readings
