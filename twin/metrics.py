"""Every metric of the product, in one place.

With several workers prometheus-client keeps the values in files of a directory that the main process
names in the environment; it must not import this module, see `twin/runtime.py`. Counters of a worker
that ended stay in the sum; its gauges leave it.
"""

import os
from pathlib import Path

import psutil
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from twin.runtime import METRICS_VARIABLE

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series each that nobody asks for

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
STREAM_SUBSCRIBERS = Gauge(
    "twinfeed_stream_subscribers", "Open event streams", multiprocess_mode="livesum"
)
STREAM_EVENTS = Counter("twinfeed_stream_events", "Events sent to streams")

# Background jobs
JOB_RUNS = Counter("twinfeed_job_runs", "Background job runs by outcome", ["job", "outcome"])
JOB_SECONDS = Histogram(
    "twinfeed_job_seconds", "Time of a background job", ["job"], buckets=_LATENCY_S
)

# Alerts
ALERT_TRANSITIONS = Counter(
    "twinfeed_alert_transitions", "Committed transitions by new state", ["to"]
)
ALERT_RULE_FAILURES = Counter(
    "twinfeed_alert_rule_failures", "Rules disabled, whole or for a device, as they raised"
)
ALERT_EVALUATION_SECONDS = Histogram(
    "twinfeed_alert_evaluation_seconds", "Judging a batch, its writes included", buckets=_LATENCY_S
)
ALERT_DELIVERIES = Counter(
    "twinfeed_alert_deliveries", "Calls of receivers by outcome", ["outcome"]
)
ALERT_DELIVERY_FAILURES = Counter(
    "twinfeed_alert_delivery_failures", "Calls that failed, by reason", ["reason"]
)
ALERT_DELIVERY_SECONDS = Histogram(
    "twinfeed_alert_delivery_seconds", "Time of a webhook call", buckets=_LATENCY_S
)
ALERT_DELIVERED_SECONDS = Histogram(
    "twinfeed_alert_delivered_seconds",
    "From the reading's transaction to the receiver's 2xx, retries included",
    buckets=(*_LATENCY_S, 60.0, 600.0, 3600.0),
)
ALERT_OUTBOX = Gauge(
    "twinfeed_alert_outbox_deliveries",
    "Alerts that receivers are yet to be told of, at most 10,000",
    multiprocess_mode="livemostrecent",
)
ALERT_OPEN_CIRCUITS = Gauge(
    "twinfeed_alert_open_circuits",
    "Receivers that are not called because they failed in a row",
    multiprocess_mode="livemostrecent",
)

# The processes and their connections: sampled by twin/sampling.py
WORKERS = Gauge("twinfeed_workers", "Worker processes", multiprocess_mode="livesum")
RESIDENT_BYTES = Gauge(
    "twinfeed_resident_bytes", "Resident memory of the workers", multiprocess_mode="livesum"
)
CPU_SECONDS = Counter("twinfeed_cpu_seconds", "Processor time of the workers")
LISTENER_CONNECTED = Gauge(
    "twinfeed_listener_connected",
    "1 while every worker hears notifications",
    multiprocess_mode="livemin",
)
POOL_CONNECTIONS = Gauge(
    "twinfeed_pool_connections", "Reading connections", multiprocess_mode="livesum"
)
POOL_IDLE = Gauge(
    "twinfeed_pool_idle_connections", "Reading connections not in use", multiprocess_mode="livesum"
)
POOL_WAITING = Gauge(
    "twinfeed_pool_waiting_requests", "Requests that wait for one", multiprocess_mode="livesum"
)
POOL_WAIT_SECONDS = Counter("twinfeed_pool_wait_seconds", "Time waited for a reading connection")
POOL_ERRORS = Counter("twinfeed_pool_errors", "Requests that got no reading connection")
DATABASE_UP = Gauge(
    "twinfeed_database_up",
    "1 while the database answers every worker",
    multiprocess_mode="livemin",
)
DATABASE_STARTED = Gauge(
    "twinfeed_database_start_time_seconds",
    "When PostgreSQL started, Unix time; a change is a restart",
    multiprocess_mode="livemax",
)


def committed(rows: int, new_readings: int, seconds: float) -> None:
    """Count a committed batch."""
    ROWS.inc(rows)
    NEW_READINGS.inc(new_readings)
    BATCH_ROWS.observe(rows)
    COMMIT_SECONDS.observe(seconds)


def render() -> tuple[bytes, str]:
    """Return the exposition of all workers, and its content type."""
    shared = os.environ.get(METRICS_VARIABLE)
    if not shared:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    forget_ended(Path(shared), os.getppid())
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, shared)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_ended(shared: Path, parent: int) -> None:
    """Take out the gauges of every process that is not, or no longer, a running child of `parent`.

    At each exposition: whoever ended a worker, the kernel included, tells nobody.
    """
    for file in shared.glob("gauge_live*_*.db"):
        if not _is_running(int(file.stem.rpartition("_")[2]), parent):
            file.unlink(missing_ok=True)


def _is_running(pid: int, parent: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.ppid() == parent and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
