"""A schema that tests judge readings against, and the context of a request."""

from uuid import UUID
from zoneinfo import ZoneInfo

from ingest.readings import Context
from twin.schema import DataKey, DatasourceSchema

NOW_US = 1_700_000_000_000_000
CONTEXT = Context(NOW_US, ZoneInfo("Europe/Berlin"))


def make_schema() -> DatasourceSchema:
    """Return keys on both pages, a device with a stream for each and one with page 0 alone."""
    schema = DatasourceSchema(7, UUID(int=7), 1, "live", "test", "Europe/Berlin")
    schema.set_keys(
        [
            DataKey("n", 0, "number"),
            DataKey("m", 1, "number"),
            DataKey("b", 2, "boolean"),
            DataKey("s", 3, "text"),
            DataKey("deep.er", 4, "number"),
            DataKey("declared", 5, None),
            DataKey("far", 17, "number"),
            DataKey("far text", 18, "text"),
        ]
    )
    for stream_id, device, page in ((1, "", 0), (2, "x", 0), (3, "x", 1), (4, "y", 0)):
        schema.add_stream(stream_id, device, page)
    for code, label in enumerate(("on", "off")):
        schema.add_label(code, label)
    return schema
