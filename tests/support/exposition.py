"""Reads Prometheus' text format."""

import time
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from support.server import RunningServer


def samples(server: RunningServer) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample that a server exposes, by name and labels."""
    answer = server.client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(server: RunningServer, name: str, **labels: str) -> float:
    """One sample; a series that does not exist yet counts as nothing."""
    return samples(server).get((name, frozenset(labels.items())), 0.0)


def eventually(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait for a condition that a job or another process brings about."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.1)
