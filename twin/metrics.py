"""Every metric of the product, in one place.

With several workers prometheus-client keeps the values in files shared through
PROMETHEUS_MULTIPROC_DIR, which the command line sets before anything imports this module.
"""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)

# Ingest
READINGS = Counter("twinfeed_ingest_readings", "Readings by outcome", ["outcome"])
REQUESTS = Counter("twinfeed_ingest_requests", "Ingest requests by HTTP status", ["status"])
REQUEST_SECONDS = Histogram(
    "twinfeed_ingest_request_seconds", "Ingest request to answer", buckets=_LATENCY_S
)
ROWS = Counter("twinfeed_ingest_rows", "Rows committed")
NEW_READINGS = Counter("twinfeed_ingest_new_readings", "Readings that were not there before")
BATCH_ROWS = Histogram("twinfeed_ingest_batch_rows", "Rows per transaction", buckets=_ROWS)
COMMIT_SECONDS = Histogram(
    "twinfeed_ingest_commit_seconds", "Time of a batch's transaction", buckets=_LATENCY_S
)
COPY_SECONDS = Counter("twinfeed_ingest_copy_seconds", "Time spent sending rows with COPY")
BUFFER_ROWS = Gauge(
    "twinfeed_ingest_buffer_rows", "Rows waiting for a writer", multiprocess_mode="livesum"
)
BUFFER_MAX_ROWS = Gauge(
    "twinfeed_ingest_buffer_max_rows", "Most rows that may wait", multiprocess_mode="livesum"
)
HOOK_ERRORS = Counter("twinfeed_batch_hook_errors", "Batch hooks that raised and were skipped")

# HTTP, everything but ingest
HTTP_REQUESTS = Counter(
    "twinfeed_http_requests",
    "API requests by method, route and status",
    ["method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "twinfeed_http_request_seconds", "API request to answer", ["route"], buckets=_LATENCY_S
)

# Background jobs
JOB_RUNS = Counter("twinfeed_job_runs", "Background job runs by outcome", ["job", "outcome"])
JOB_SECONDS = Histogram(
    "twinfeed_job_seconds", "Time of a background job", ["job"], buckets=_LATENCY_S
)

# Alerts
ALERT_TRANSITIONS = Counter(
    "twinfeed_alert_transitions", "Committed transitions by new state", ["to"]
)
ALERT_EVALUATION_SECONDS = Histogram(
    "twinfeed_alert_evaluation_seconds", "Judging a batch, its writes included", buckets=_LATENCY_S
)
ALERT_DELIVERIES = Counter("twinfeed_alert_deliveries", "Webhook calls by outcome", ["outcome"])
ALERT_DELIVERY_SECONDS = Histogram(
    "twinfeed_alert_delivery_seconds", "Time of a webhook call", buckets=_LATENCY_S
)


def committed(rows: int, new_readings: int, seconds: float) -> None:
    """Count a committed batch."""
    ROWS.inc(rows)
    NEW_READINGS.inc(new_readings)
    BATCH_ROWS.observe(rows)
    COMMIT_SECONDS.observe(seconds)


def render() -> tuple[bytes, str]:
    """Return the exposition of all workers, and its content type."""
    if os.environ.get(MULTIPROC_DIR):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
