"""Real recordings, imported through HTTP, against an independent reading of the same files."""

import csv
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from support.server import Datasource, RunningServer, start_server

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
STUCK_S = 60.0
FILES = {
    "machine_temperature.csv": ",",
    "pump_testbed_0.csv": ";",
    "pump_testbed_1.csv": ";",
    "pump_testbed_2.csv": ";",
}

Recording = dict[datetime, dict[str, float]]


@pytest.mark.parametrize("name", FILES)
def test_a_recording_is_stored_as_it_is_in_the_file(server: RunningServer, name: str) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    lines, recording = read(path, FILES[name])
    datasource = server.datasource(name)

    done = run_import(path, datasource)

    assert done.returncode == 0, done.stderr
    assert f"{lines:,} rows, {lines:,} accepted, 0 rejected" in done.stdout
    assert datasource.detail()["readings_total"] == len(recording)
    assert_widgets_agree(datasource, recording)


def test_importing_again_changes_nothing(server: RunningServer) -> None:
    path = DATA / "machine_temperature.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    lines, recording = read(path, ",")
    assert lines == 22_695
    assert len(recording) < lines, "the file is known for times that occur twice"
    datasource = server.datasource("again")

    for _ in range(2):
        assert run_import(path, datasource).returncode == 0

    assert datasource.detail()["readings_total"] == len(recording)
    assert_widgets_agree(datasource, recording)


@pytest.mark.timeout(400)  # continuous aggregates take half a minute for it where nothing else runs
def test_the_rollups_of_a_recording_answer_the_same(database_url: str) -> None:
    path = DATA / "machine_temperature.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    _, recording = read(path, ",")
    with start_server(database_url, rollup_interval_s="0.2") as server:
        datasource = server.datasource("rolled up")
        assert run_import(path, datasource).returncode == 0
        wait_until_rolled_up(database_url)
        assert_widgets_agree(datasource, recording)


def wait_until_rolled_up(database_url: str) -> None:
    """Return when no hour is dirty; fail when for long none became clean."""
    deadline, fewest = time.monotonic() + STUCK_S, 0
    with psycopg.connect(database_url, autocommit=True) as conn:
        while True:
            dirty, buckets = conn.execute(
                "SELECT (SELECT count(*) FROM twinfeed.rollup_dirty),"
                " (SELECT count(*) FROM twinfeed.rollup_15m)"
            ).fetchone() or (1, 0)
            if not dirty and buckets:
                return
            if dirty != fewest:
                deadline, fewest = time.monotonic() + STUCK_S, dirty
            assert time.monotonic() < deadline, f"{dirty} dirty hours are left, {buckets} buckets"
            time.sleep(0.1)


def read(path: Path, delimiter: str) -> tuple[int, Recording]:
    """Return the number of data lines, and the values by time; the later line wins."""
    recording: Recording = {}
    lines = 0
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter=delimiter):
            lines += 1
            moment = datetime.fromisoformat(row.pop(next(iter(row)))).replace(tzinfo=UTC)
            recording[moment] = {key: float(text) for key, text in row.items()}
    return lines, recording


def run_import(path: Path, datasource: Datasource) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twin", "import", str(path), "--url", datasource.url],
        env={**os.environ, "TWINFEED_KEY": datasource.key},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def assert_widgets_agree(datasource: Datasource, recording: Recording) -> None:
    first, last = min(recording), max(recording)
    window = {
        "from": f"{first:%Y-%m-%d}T00:00:00Z",
        "to": f"{last + timedelta(days=1):%Y-%m-%d}T00:00:00Z",
        "bucket": "1d",
        "timezone": "UTC",
    }
    for key in recording[first]:
        days: dict[str, list[float]] = defaultdict(list)
        for moment in sorted(recording):
            days[f"{moment:%Y-%m-%d}T00:00:00Z"].append(recording[moment][key])
        expected = {
            "avg": [statistics.fmean(values) for values in days.values()],
            "min": [min(values) for values in days.values()],
            "max": [max(values) for values in days.values()],
            "count": [len(values) for values in days.values()],
        }
        for agg, values in expected.items():
            answer = datasource.data("line", key=key, agg=agg, **window)
            assert answer["labels"] == list(days), (key, agg)
            exact = agg != "avg"
            assert answer["values"] == (values if exact else pytest.approx(values, rel=1e-12))
