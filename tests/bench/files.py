"""Large files: how long they take and how much memory, in the server and in `twinfeed import`."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import openpyxl
import psutil

from tests.bench import plant
from tests.bench.home import Home, opened
from tests.bench.report import Table
from tests.bench.usage import Meter, Used
from tests.support.server import Datasource

CSV_ROWS, XLSX_ROWS = 1_000_000, 200_000
GOAL_MIB = 400.0
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSX_KEYS = 4
_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)


def files(workers: int, *, quick: bool) -> Table:
    """Import a CSV file by the command and by one request, and a workbook by one request."""
    share = 50 if quick else 1
    shown = Table(
        "Large files", ["", "rows/s", "seconds", "server peak", "importer peak", "goal (peak)"]
    )
    with (
        tempfile.TemporaryDirectory(prefix="twinfeed-bench-files-") as directory,
        opened(None, workers, 2) as home,
    ):
        csv, xlsx = Path(directory) / "a.csv", Path(directory) / "a.xlsx"
        write_csv(csv, CSV_ROWS // share)
        write_xlsx(xlsx, XLSX_ROWS // share)
        _measure(shown, home, "twinfeed import a.csv", csv, CSV_ROWS // share, None)
        _measure(shown, home, "POST a.csv", csv, CSV_ROWS // share, "text/csv")
        _measure(shown, home, "POST a.xlsx", xlsx, XLSX_ROWS // share, XLSX)
    shown.notes = [
        f"CSV: {CSV_ROWS // share:,} rows x {len(plant.KEYS)} keys; xlsx: {XLSX_ROWS // share:,} rows "
        f"x {XLSX_KEYS} keys. Peak: the largest resident process."
    ]
    return shown


def write_csv(path: Path, rows: int) -> None:
    """Write a reading a second."""
    with path.open("w") as file:
        file.write(",".join(["time", *plant.KEYS]) + "\n")
        for stamp, row in _rows(rows):
            file.write(f"{stamp.isoformat()},{','.join(map(str, row))}\n")


def write_xlsx(path: Path, rows: int) -> None:
    """Write a reading a second."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["time", *plant.KEYS[:XLSX_KEYS]])
    for stamp, row in _rows(rows):
        sheet.append([stamp.replace(tzinfo=None), *row[:XLSX_KEYS]])
    book.save(path)


def _rows(count: int) -> Iterator[tuple[datetime, list[float]]]:
    for first in range(0, count, plant.BATCH_READINGS):
        held = plant.values(first, min(plant.BATCH_READINGS, count - first)).tolist()
        for number, row in enumerate(held, first):
            yield _BEGAN + timedelta(seconds=number), row


def _measure(
    shown: Table, home: Home, title: str, path: Path, rows: int, content_type: str | None
) -> None:
    made = home.server.datasource(title)
    meter = home.meter
    meter.begin()
    began = time.perf_counter()
    importer = _import(made, path) if content_type is None else _post(made, path, content_type)
    seconds = time.perf_counter() - began
    used = meter.end()
    found = home.server.get(f"/v1/datasources/{made.id}").json()["readings_total"]
    assert found == rows, f"{found} readings are stored, not {rows}"
    shown.add(
        title,
        f"{rows / seconds:,.0f}",
        f"{seconds:.1f}",
        f"{used.peak_mib:.0f} MiB",
        f"{importer.peak_mib:.0f} MiB" if importer else "",
        f"< {GOAL_MIB:.0f} MiB",
    )


def _import(made: Datasource, path: Path) -> Used:
    """Run the command; return what it used."""
    process = subprocess.Popen(
        [sys.executable, "-m", "twin", "import", str(path), "--url", made.url, "--key", made.key],
        stderr=subprocess.PIPE,
    )
    meter, peak = Meter(process.pid), 0.0
    while process.poll() is None:
        try:
            peak = max(peak, meter.end().peak_mib)
        except (psutil.NoSuchProcess, ValueError):
            break
        time.sleep(0.05)
    _, printed = process.communicate()
    assert process.returncode == 0, printed
    return Used(0.0, peak)


def _post(made: Datasource, path: Path, content_type: str) -> None:
    with path.open("rb") as file, httpx.Client(timeout=600) as client:
        headers = {"Authorization": made.key, "Content-Type": content_type}
        size = {"Content-Length": str(path.stat().st_size)}
        answer = client.post(made.url, content=file, headers=headers | size)
    assert answer.status_code == 200, answer.text
