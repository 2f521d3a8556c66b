"""ThingsBoard's device API: POST /api/v1/{ingest key}/telemetry.

The key is the device's token and stands in the path, so the path is never logged, counted or repeated
in an answer. The body is {"key": value}, {"ts": ms, "values": {}} or an array of these; a body that is
none of them is refused whole.
"""

from typing import Any

import msgspec

from ingest.foreign.protocol import Endpoint, Intake, Request
from ingest.json_document import decode as decode_json
from ingest.json_shapes import MAX_DEPTH, check_count
from ingest.readings import Context, Reading, Value
from ingest.times import BadTime, check_range, number_to_us
from twin.errors import ItemError, TwinfeedError, Unreadable
from twin.rsgi import Answer
from twin.schema import DatasourceSchema

PREFIX, SUFFIX = "/api/v1/", "/telemetry"
_NS_PER_MS = 1_000_000
_ERROR_CODES = {400: 31, 401: 10, 403: 20, 404: 32, 429: 33}
"""ThingsBoard's own numbers; 2 is its general error."""


def is_telemetry(path: str) -> bool:
    """Return whether a path is /api/v1/{key}/telemetry."""
    if not (path.startswith(PREFIX) and path.endswith(SUFFIX)):
        return False
    key = path[len(PREFIX) : -len(SUFFIX)]
    return bool(key) and "/" not in key


class Telemetry(Endpoint):
    """The endpoint of a device's telemetry."""

    def secret(self, request: Request) -> bytes:
        """Return the key in the path."""
        return request.path[len(PREFIX) : -len(SUFFIX)].encode()

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 200 with an empty body, or 400 when some values do not fit; the others are kept."""
        assert intake is not None
        most = intake.settings.max_readings

        def read(_schema: DatasourceSchema, context: Context) -> list[Reading]:
            return parse(request.body, context.received_us, most)

        outcome = await intake.take(read)
        if outcome.errors:
            reasons = "; ".join(f"{e.key}: {e.message}" for e in outcome.errors[:10])
            raise Unreadable(f"Some telemetry was not accepted: {reasons}")
        return 200, [], b""

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return {"status", "message", "errorCode"}."""
        body = {
            "status": error.status,
            "message": error.message,
            "errorCode": _ERROR_CODES.get(error.status, 2),
        }
        return error.status, [("content-type", "application/json")], msgspec.json.encode(body)


def parse(body: bytes, received_us: int, max_readings: int) -> list[Reading]:
    """Return a body's readings. Raises Unreadable for what is not telemetry, TooLarge."""
    document = decode_json(body)
    items = document if isinstance(document, list) else [document]
    check_count(len(items), max_readings)
    return [_reading(item, index, received_us) for index, item in enumerate(items)]


def _reading(item: Any, index: int, received_us: int) -> Reading:
    if not isinstance(item, dict):
        raise Unreadable(f"Can't parse value: element {index} is not a JSON object.")
    reading = Reading(index, "", received_us + index, [], [])  # each its own time, as natively
    values = item.get("values")
    if "ts" in item and isinstance(values, dict):
        try:
            reading.ts_us = _time(item["ts"])
        except BadTime as exc:
            raise Unreadable(f"Element {index}: {exc}.") from exc
        fault = check_range(reading.ts_us, received_us)
        if fault:
            reading.faults.append(ItemError(fault, index=index, key="ts"))
    else:
        values = item
    _flatten(reading.values, "", values, 0)
    if not reading.values:
        raise Unreadable(f"Element {index} holds no value.")
    return reading


def _time(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise BadTime("ts must be a number of milliseconds")
    return number_to_us(raw, _NS_PER_MS)


def _flatten(
    found: list[tuple[str, Value]], prefix: str, values: dict[str, Any], depth: int
) -> None:
    for name, value in values.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            _flatten(found, f"{prefix}{name}.", value, depth + 1)
        elif isinstance(value, (dict, list)):
            raise Unreadable(f"The value of {prefix[:100]}{name[:100]} is not a single value.")
        else:
            found.append((prefix + name, value))
