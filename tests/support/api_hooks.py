"""What Schemathesis is told about bodies that it cannot make: it sends bytes as they are."""

import schemathesis
from schemathesis import SerializationContext

AS_THEY_ARE = (
    "application/octet-stream",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/x-ndjson",
    "application/x-protobuf",
    "application/zip",
    "model/gltf-binary",
)


@schemathesis.serializer(*AS_THEY_ARE)
def as_it_is(_context: SerializationContext, value: object) -> bytes:
    """Return a generated body as bytes."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
