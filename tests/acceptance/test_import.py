"""`twinfeed import` as a person uses it, against a real server."""

import contextlib
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import httpx
import openpyxl
import pytest
from support.server import Datasource, RunningServer, launch, start_server
from support.stored import stored

pytestmark = pytest.mark.one_home


def run_import(path: Path, url: str, key: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twin", "import", str(path), "--url", url, "--key", key, *more],
        env={k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def latest(datasource: Datasource, key: str, device: str) -> object:
    return datasource.data("single", key=key, device=device)["value"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_kinds_devices_and_absent_cells(
    server: RunningServer, tmp_path: Path, delimiter: str
) -> None:
    path = tmp_path / "plant.csv"
    lines = [
        "Date Time,Device-ID,Flow rate,running,state",
        "2026-01-01 10:00:00,a,1.5,true,OK",
        "2026-01-01 10:00:01,a,,FALSE,",
        '2026-01-01 10:00:02,7,-2e1,,"with ""quotes"""',
    ]
    path.write_text("\n".join(lines).replace(",", delimiter), encoding="utf-8-sig")
    datasource = server.datasource()

    done = run_import(path, datasource.url, datasource.key)

    assert done.returncode == 0, done.stderr
    assert "3 rows, 3 accepted, 0 rejected" in done.stdout
    kinds = {key["key"]: key["kind"] for key in datasource.detail()["data_keys"]}
    assert kinds == {"Flow rate": "number", "running": "boolean", "state": "text"}
    assert latest(datasource, "Flow rate", "a") == 1.5
    assert latest(datasource, "running", "a") is False
    assert latest(datasource, "Flow rate", "7") == -20.0
    assert latest(datasource, "state", "7") == 'with "quotes"'


def test_rejected_rows_are_named_by_line_and_the_others_are_kept(
    server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "faults.csv"
    path.write_text(
        "ts,temperature\n"
        "2026-01-01T00:00:00Z,1\n"
        "\n"
        "not a time,2\n"
        '2026-01-01T00:00:01Z,"oops"\n'
        "2026-01-01T00:00:02Z,3\n"
        "2026-01-01T00:00:03Z\n"
        ",4\n"
        "1767225604,nan\n"
    )
    datasource = server.datasource()

    done = run_import(path, datasource.url, datasource.key, "--batch", "2")

    assert done.returncode == 1
    assert "7 rows, 2 accepted, 5 rejected" in done.stdout
    assert [line.split(":")[0] for line in done.stderr.splitlines() if line[:4] == "line"] == [
        f"line {number}" for number in (4, 5, 7, 8, 9)
    ]
    assert datasource.detail()["readings_total"] == 2


def test_a_time_without_offset_is_in_the_zone_of_the_datasource(
    server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "local.csv"
    path.write_text("time,v\n2026-07-01 12:00:00,1\n")
    datasource = server.datasource(timezone="Europe/Berlin")

    assert run_import(path, datasource.url, datasource.key).returncode == 0

    assert datasource.detail()["last_reading_at"] == "2026-07-01T10:00:00Z"


def test_a_kind_that_the_server_has_learned_wins(server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "kind.csv"
    path.write_text("ts,state\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\n")
    datasource = server.datasource()
    datasource.post({"state": "OK"})

    done = run_import(path, datasource.url, datasource.key)

    assert done.returncode == 1
    assert "line 2: state: is a text, not a number" in done.stderr
    assert "2 rows, 0 accepted, 2 rejected" in done.stdout


@pytest.mark.parametrize(
    ("key", "options", "said"),
    [
        ("tfi_" + "0" * 64, [], "401"),
        (None, ["--time-column", "when"], "no column 'when'"),
        (None, ["--delimiter", "::"], "one character"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_stored(
    server: RunningServer, tmp_path: Path, key: str | None, options: list[str], said: str
) -> None:
    path = tmp_path / "good.csv"
    path.write_text("ts,v\n2026-01-01T00:00:00Z,1\n")
    datasource = server.datasource()

    done = run_import(path, datasource.url, key or datasource.key, *options)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert datasource.detail()["readings_total"] == 0


def test_an_import_waits_for_a_server_that_is_away(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("ts,v\n" + "".join(f"{1_767_225_600 + i},{i}\n" for i in range(100)))
    first = launch(database_url)
    datasource = first.datasource()
    port = httpx.URL(first.url).port
    assert first.stop() == 0

    command = [sys.executable, "-m", "twin", "import", str(path), "--batch", "30"]
    command += ["--url", datasource.url, "--key", datasource.key]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as importing:
        assert importing.stdout is not None
        assert importing.stderr is not None
        assert any("Trying again in" in line for line in importing.stderr)
        with start_server(database_url, port=port) as second:
            assert "100 accepted" in importing.stdout.read()
            detail = second.get(f"/v1/datasources/{datasource.id}").json()
            assert detail["readings_total"] == 100
    assert importing.returncode == 0


def write_workbook(path: Path, rows: list[list[object]]) -> None:
    book = openpyxl.Workbook()
    book.active.append(["an", "other"])
    sheet = book.create_sheet("Export")
    for row in rows:
        sheet.append(row)
    book.save(path)


def test_a_workbook_is_sent_as_it_is(server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    moments = [datetime(2026, 1, 1, 10, 0, second) for second in range(3)]
    rows: list[list[object]] = [["When", "Pump", "flow"], [moments[0], "a", 1.5]]
    write_workbook(path, [*rows, [moments[1], "a", "oops"], [moments[2], "b", 3]])
    datasource = server.datasource(data_keys=[{"key": "flow", "kind": "number"}])
    columns = ["--sheet", "Export", "--time-column", "When", "--device-column", "Pump"]

    done = run_import(path, datasource.url, datasource.key, *columns)

    assert done.returncode == 1
    assert "3 rows, 2 accepted, 1 rejected" in done.stdout
    assert [line for line in done.stderr.splitlines() if line.startswith("data row 2: flow: ")]
    assert latest(datasource, "flow", "b") == 3


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_what_was_exported_goes_in_again(server: RunningServer, tmp_path: Path, form: str) -> None:
    source, target = server.datasource(), server.datasource()
    sent = [
        {"ts": 1_767_225_600 + i, "device": "pump", "flow": i / 3, "on": True} for i in range(9)
    ]
    assert source.post([*sent, {"ts": 1_767_225_600, "note": " a\n"}]).is_success
    path = tmp_path / f"whole.{form}"
    found = server.get(f"/v1/datasources/{source.id}/export", format=form)
    path.write_bytes(found.content)
    done = run_import(path, target.url, target.key)
    assert done.returncode == 0, done.stderr
    assert "10 rows, 10 accepted" in done.stdout
    assert stored(target) == stored(source)
    refused = run_import(path, target.url, target.key, "--sheet", "x")
    assert "Only a workbook" in refused.stderr


def test_how_far_a_file_is_can_be_seen(server: RunningServer, tmp_path: Path) -> None:
    csv, xlsx = tmp_path / "a.csv", tmp_path / "a.xlsx"
    csv.write_text("ts,flow\n2026-01-01T00:00:00Z,1\n")
    write_workbook(xlsx, [])
    datasource = server.datasource()
    for path in (csv, xlsx):
        ours, theirs = os.openpty()
        command = [sys.executable, "-m", "twin", "import", str(path), "--url", datasource.url]
        with subprocess.Popen([*command, "--key", datasource.key], stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: the other side is closed
                while piece := os.read(ours, 4096):
                    shown += piece
            os.close(ours)
        assert process.returncode is not None
        assert b"sending" in shown, shown


def test_what_does_not_go_together_is_said(server: RunningServer, tmp_path: Path) -> None:
    csv, xlsx = tmp_path / "a.csv", tmp_path / "a.xlsx"
    csv.write_text("ts,flow\n2026-01-01T00:00:00Z,1\n")
    write_workbook(xlsx, [])
    datasource = server.datasource()
    for path, more, told in (
        (csv, ["--sheet", "x"], "has sheets"),
        (xlsx, ["--delimiter", ";"], "has a delimiter"),
        (xlsx, ["--sheet", "x"], "422"),
    ):
        done = run_import(path, datasource.url, datasource.key, *more)
        assert done.returncode == 1
        assert told in done.stderr, done.stderr
