"""How InfluxDB's clients present a key, and how its servers introduce themselves."""

from ingest.foreign.protocol import Request
from ingest.http import ingest_secret

VERSION_HEADERS = [("x-influxdb-version", "1.8.10"), ("x-influxdb-build", "OSS")]
"""Clients read a version out of this; 1.8 is the one that has the v1 and the v2 endpoints."""


def influx_secret(request: Request) -> bytes:
    """Return the ingest key: a token, a password (Basic, `Token user:password`, `?u=&p=`), or b''."""
    found = ingest_secret(request.headers)
    if not found:
        return request.params.get("p", "").encode()
    return found.rpartition(b":")[2]
