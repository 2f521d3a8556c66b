"""Damaged bodies at every endpoint of other systems' clients: an answer, and never a 500."""

import gzip
import json
import random
from collections import Counter

import cramjam
import pytest
import zstandard
from support.server import RunningServer

from ingest.foreign.prometheus_messages import WriteRequest

pytestmark = pytest.mark.one_home

T_S = 1_700_000_000
LINES = "\n".join(f'cpu,host=h{i} a={i}.5,b={i}i,s="x\\"y",t=t {T_S}' for i in range(20)).encode()
DOCUMENT = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "host", "value": {"stringValue": "a"}}]},
            "scopeMetrics": [
                {
                    "metrics": [
                        {"name": "g", "gauge": {"dataPoints": [{"asDouble": 1.5}]}},
                        {"name": "h", "histogram": {"dataPoints": [{"count": 1, "sum": 2}]}},
                    ]
                }
            ],
        }
    ]
}
OTLP_JSON = json.dumps(DOCUMENT).encode()
TELEMETRY = json.dumps(
    [{"ts": T_S * 1000, "values": {"a": 1, "b": {"c": True}, "d": "x"}}]
).encode()
ROUNDS = 40


def remote_write() -> bytes:
    message = WriteRequest()
    for name in ("up", "load"):
        series = message.timeseries.add()
        series.labels.add(name="__name__", value=name)
        series.labels.add(name="job", value="node")
        series.samples.add(value=1, timestamp=T_S * 1000)
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


def damaged(body: bytes, seed: int) -> bytes:
    """A body with some bytes changed, and cut off in a third of all cases."""
    chance = random.Random(seed)
    made = bytearray(body)
    for _ in range(chance.randint(1, 5)):
        made[chance.randrange(len(made))] = chance.randrange(256)
    return bytes(made[: chance.randrange(len(made))] if chance.random() < 0.33 else made)


@pytest.mark.parametrize(
    ("path", "body", "media", "encoding"),
    [
        ("/write?precision=s", LINES, "", ""),
        ("/api/v2/write?precision=s", gzip.compress(LINES), "", "gzip"),
        ("/api/v3/write_lp?precision=auto", LINES, "", ""),
        ("/api/v3/write_lp?accept_partial=false", zstandard.compress(LINES), "", "zstd"),
        ("/api/v1/write", remote_write(), "application/x-protobuf", "snappy"),
        ("/v1/metrics", OTLP_JSON, "application/json", ""),
        ("/v1/metrics", gzip.compress(OTLP_JSON), "application/json", "gzip"),
        ("/v1/metrics", remote_write(), "application/x-protobuf", ""),
        ("/api/v1/{key}/telemetry", TELEMETRY, "application/json", ""),
    ],
)
def test_a_damaged_body_is_answered(
    server: RunningServer, path: str, body: bytes, media: str, encoding: str
) -> None:
    datasource = server.datasource()
    headers = {"Authorization": f"Bearer {datasource.key}", "Content-Type": media}
    headers["Content-Encoding"] = encoding or "identity"
    statuses: Counter[int] = Counter()
    for seed in range(ROUNDS):
        url = path.format(key=datasource.key)
        answer = server.client.post(url, content=damaged(body, seed), headers=headers)
        statuses[answer.status_code] += 1
    assert set(statuses) <= {200, 204, 400, 413, 422}, statuses
    assert statuses[400] > 0
