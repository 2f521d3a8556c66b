"""The protobuf message of Prometheus remote write 1.0, as the protobuf library's descriptor.

No well-kept package ships it compiled, and it is tiny. Source: the "Protobuf" section of the Prometheus
remote write 1.0 specification. Fields that are not listed (metadata, exemplars, native histograms)
are skipped by the protobuf library.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "twinfeed.prometheus"
_Field = descriptor_pb2.FieldDescriptorProto
_FIELDS = {
    "Label": [("name", 1, _Field.TYPE_STRING, ""), ("value", 2, _Field.TYPE_STRING, "")],
    "Sample": [("value", 1, _Field.TYPE_DOUBLE, ""), ("timestamp", 2, _Field.TYPE_INT64, "")],
    "TimeSeries": [
        ("labels", 1, _Field.TYPE_MESSAGE, "Label"),
        ("samples", 2, _Field.TYPE_MESSAGE, "Sample"),
    ],
    "WriteRequest": [("timeseries", 1, _Field.TYPE_MESSAGE, "TimeSeries")],
}
"""Message → (name, number, type, message of a repeated field)."""


def _make_write_request() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="twinfeed/prometheus_write.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, type_, of in fields:
            added = message.field.add(name=field, number=number, type=type_)
            added.label = _Field.LABEL_REPEATED if of else _Field.LABEL_OPTIONAL
            if of:
                added.type_name = f".{_PACKAGE}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))


WriteRequest = _make_write_request()
"""timeseries: [labels: [(name, value)], samples: [(value, timestamp in ms)]]."""
