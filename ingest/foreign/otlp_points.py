"""OpenTelemetry metrics → readings. Pure.

Attributes of resource, scope and point become the device (the nearest to the point wins), the
metric's name the key. A histogram becomes keys: `.count`, `.sum`, `.min`, `.max` and `.bucket.{upper
bound}` with the bucket's own count; an exponential one the first four and `.zero_count`; a summary
`.count`, `.sum` and `.quantile.{q}`. Source: opentelemetry-proto, metrics/v1/metrics.proto.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import DataPointFlags

from ingest.foreign.names import device_name
from ingest.readings import Reading, Value
from ingest.times import check_range
from twin.errors import ItemError, TooLarge

Values = list[tuple[str, Value]]
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_MAX_NESTING = 8


def readings_of(
    request: Any, received_us: int, max_readings: int, max_device_length: int
) -> list[Reading]:
    """Return a reading per data point of an ExportMetricsServiceRequest. Raises TooLarge."""
    readings: list[Reading] = []
    for attributes, metric in _metrics(request):
        for point, values in _points(metric):
            if point.flags & _NO_VALUE:
                continue
            if len(readings) >= max_readings:
                raise TooLarge(f"A request may hold at most {max_readings} data points.")
            pairs = {**attributes, **_attributes(point.attributes)}
            device = device_name(pairs.items(), max_device_length)
            # 0: the sender does not know the time; each point then has its own, as natively.
            ts_us = point.time_unix_nano // 1000 or received_us + len(readings)
            reading = Reading(len(readings), device, ts_us, values, [])
            fault = check_range(ts_us, received_us)
            if fault:
                reading.faults.append(ItemError(fault, index=reading.index, key=metric.name[:200]))
            readings.append(reading)
    return readings


def _metrics(request: Any) -> Iterator[tuple[dict[str, str], Any]]:
    for resource in request.resource_metrics:
        outer = _attributes(resource.resource.attributes)
        for scope in resource.scope_metrics:
            attributes = {**outer, **_attributes(scope.scope.attributes)}
            for metric in scope.metrics:
                yield attributes, metric


def _points(metric: Any) -> Iterator[tuple[Any, Values]]:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    read = _READERS[kind]
    for point in getattr(metric, kind).data_points:
        yield point, read(metric.name, point)


def _number(name: str, point: Any) -> Values:
    kind = point.WhichOneof("value")
    return [(name, None if kind is None else float(getattr(point, kind)))]


def _histogram(name: str, point: Any) -> Values:
    values = _totals(name, point)
    bounds = [*(f"{bound:g}" for bound in point.explicit_bounds), "+Inf"]
    values += [
        (f"{name}.bucket.{bound}", float(count))
        for bound, count in zip(bounds, point.bucket_counts, strict=False)
    ]
    return values


def _exponential(name: str, point: Any) -> Values:
    return [*_totals(name, point), (f"{name}.zero_count", float(point.zero_count))]


def _totals(name: str, point: Any) -> Values:
    values: Values = [(f"{name}.count", float(point.count))]
    for part in ("sum", "min", "max"):
        if point.HasField(part):
            values.append((f"{name}.{part}", getattr(point, part)))
    return values


def _summary(name: str, point: Any) -> Values:
    values: Values = [(f"{name}.count", float(point.count)), (f"{name}.sum", point.sum)]
    values += [(f"{name}.quantile.{q.quantile:g}", q.value) for q in point.quantile_values]
    return values


_READERS = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}


def _attributes(pairs: Iterable[Any]) -> dict[str, str]:
    return {pair.key: _text(pair.value, 0) for pair in pairs}


def _text(value: Any, depth: int) -> str:
    """Return an attribute's value as text; arrays and maps as far as they are worth showing."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _MAX_NESTING:
        return ""
    held = getattr(value, kind)
    if kind == "bool_value":
        return "true" if held else "false"
    if kind == "bytes_value":
        return str(held.hex())
    if kind == "array_value":
        return "[" + " ".join(_text(item, depth + 1) for item in held.values) + "]"
    if kind == "kvlist_value":
        inner = (f"{pair.key}:{_text(pair.value, depth + 1)}" for pair in held.values)
        return "{" + " ".join(inner) + "}"
    return str(held)
