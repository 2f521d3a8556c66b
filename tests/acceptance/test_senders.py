"""The pages of docs/senders that are code: each example is run as it stands there."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.exposition import eventually
from support.nodejs import NODE, node_red, run_node
from support.pages import SENDERS, bash, blocks, example, merged, python
from support.server import Datasource, RunningServer, free_port
from support.stored import stored

pytestmark = pytest.mark.one_home

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NOON_US = 1_767_268_800_000_000
"""2026-01-01T12:00:00Z."""


def test_every_page_is_listed_and_every_listed_page_is_tested() -> None:
    listed = set(
        re.findall(r"^\| \[[^\]]+\]\(([\w-]+\.md)\)", (SENDERS / "README.md").read_text(), re.M)
    )
    assert listed == {path.name for path in SENDERS.glob("*.md")} - {"README.md"}
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_sender*.py"))
    for page in listed:
        named = set(blocks(page))
        assert named, page
        assert {name for name in named if f'"{page}", "{name}"' not in tests} == set()


def test_curl(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    said = bash(example("curl.md", "send", datasource), tmp_path)
    assert said.count('"rejected":0') == 2
    bash(example("curl.md", "file", datasource), tmp_path)
    held = stored(datasource)
    assert held["press1", NOON_US] == {"temperature": 41.5}
    assert held["press2", NOON_US] == {"temperature": 39.0}
    assert held["press1", NOON_US + 120_000_000] == {"temperature": 41.9}
    assert len(held) == 5


def test_python(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    script = example("python.md", "sender.py", datasource)
    harness = f"""
        wrong, URL = URL, "http://127.0.0.1:{free_port()}"
        assert len(send([{{"ts": 1, "n": 1}}, {{"ts": 2, "n": 1}}])) == 2  # nobody listens
        URL = wrong
        assert send([{{"n": {{}}}}]) == []  # refused for good
        assert send([{{"ts": 1, "n": 1}}, {{"ts": 2, "n": "text"}}]) == []  # partly
        main(rounds=2, pause_s=0)
    """
    head, _, _ = script.partition('\nif __name__ == "__main__":')
    python(head + re.sub(r"^ {8}", "", harness, flags=re.M), tmp_path)
    held = stored(datasource)
    assert [v for (d, _), v in held.items() if d == "press1"] == [
        {"temperature": 42.5, "running": True}
    ] * 2
    assert held["", 1_000_000] == {"n": 1}


def test_python_with_arrow(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    python(example("python.md", "frame.py", datasource), tmp_path)
    assert [values for _, values in sorted(stored(datasource).items())] == [
        {"speed": 1.5},
        {"speed": 1.6},
    ]


def test_node(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    script = tmp_path / "sender.mjs"
    script.write_text(example("node.md", "sender.mjs", datasource))
    assert run_node(script) == "2 accepted, 0 rejected\n"
    assert merged(datasource)["press1"] == {"temperature": 42.5, "motor.rpm": 1500}


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs Debian's package g++")
def test_arduino(server: RunningServer, tmp_path: Path) -> None:
    """Compiled for this machine, with headers that stand for the ESP32's; its requests are real."""
    datasource = server.datasource()
    (tmp_path / "sender.ino").write_text(example("arduino.md", "sender.ino", datasource))
    (tmp_path / "main.cpp").write_text(
        '#include "sender.ino"\nint main() { setup(); loop(); loop(); return count; }\n'
    )
    headers = Path(__file__).parents[1] / "support" / "arduino"
    flags = ["-std=gnu++17", "-Wall", "-Wextra", "-Werror", f"-I{headers}", "-o", "sender"]
    subprocess.run(["g++", *flags, "main.cpp"], cwd=tmp_path, check=True, timeout=100)
    subprocess.run([tmp_path / "sender"], check=True, timeout=60)
    held = stored(datasource)
    assert [device for device, _ in held] == ["press1", "press1"], "the first was kept meanwhile"
    assert merged(datasource) == {"press1": {"temperature": 42.5}}


def test_node_red(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    flow = tmp_path / "flow.json"
    flow.write_text(example("node-red.md", "flow.json", datasource))
    command = [NODE, node_red(), "-u", tmp_path, "-p", str(free_port()), "-D", "uiHost=127.0.0.1"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([*command, flow], stdout=out, stderr=out, cwd=tmp_path)
    try:
        eventually(lambda: process.poll() is not None or bool(stored(datasource)), within_s=60)
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(20)
    assert merged(datasource) == {"press1": {"temperature": 42.5, "running": True}}


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Time", "Device", "Temperature", "State"])
    sheet.append([datetime(2026, 1, 1, 12), "press1", 41.5, "RUNNING"])
    sheet.append([datetime(2026, 1, 1, 12, 1), "press2", 39, None])
    book.save(path)


ROWS = {
    ("press1", NOON_US): {"Temperature": 41.5, "State": "RUNNING"},
    ("press2", NOON_US + 60_000_000): {"Temperature": 39.0},
}


def test_excel_uploaded(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    workbook(tmp_path / "measurements.xlsx")
    bash(example("excel.md", "upload", datasource), tmp_path)
    assert stored(datasource) == ROWS


def run_flow(action: dict[str, Any], datasource: Datasource, body: bytes) -> None:
    """Do what Power Automate does with an HTTP action whose body is the step before."""
    assert action["type"] == "Http"
    inputs = action["inputs"]
    (before,) = action["runAfter"]
    assert f"'{before}'" in inputs["body"]
    client = datasource.server.client
    answer = client.request(
        inputs["method"], inputs["uri"], headers=inputs["headers"], content=body
    )
    assert (answer.status_code, answer.json()["rejected"]) == (200, 0), answer.text


def test_excel_by_power_automate(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource()
    workbook(tmp_path / "book.xlsx")
    action = json.loads(example("excel.md", "flow-file.json", datasource))
    run_flow(action, datasource, (tmp_path / "book.xlsx").read_bytes())
    assert stored(datasource) == ROWS


def test_excel_by_an_office_script(server: RunningServer, tmp_path: Path) -> None:
    """Node.js removes the types; the workbook is an object with what the script asks of one."""
    datasource = server.datasource()
    serial = (datetime(2026, 1, 1, 12, tzinfo=UTC) - datetime(1899, 12, 30, tzinfo=UTC)).days + 0.5
    rows = [
        [serial, "press1", 41.5, "RUNNING"],
        ["", "", "", ""],
        [serial + 1 / 1440, "press2", 39, ""],
    ]
    fake = f"""
        const range = (values) => ({{ getValues: () => values }});
        const table = {{
          getHeaderRowRange: () => range([["Time", "Device", "Temperature", "State"]]),
          getRangeBetweenHeaderAndTotal: () => range({json.dumps(rows)}),
        }};
        const book = {{ getTable: (name) => (name === "Measurements" ? table : undefined) }};
        process.stdout.write(main(book as any));
    """
    script = tmp_path / "script.ts"
    script.write_text(example("excel.md", "script.ts", datasource) + fake)
    result = run_node(script, NODE_NO_WARNINGS="1")
    action = json.loads(example("excel.md", "flow-script.json", datasource))
    run_flow(action, datasource, result.encode())
    assert stored(datasource) == ROWS


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs Debian's libreoffice-calc-nogui")
def test_libreoffice(server: RunningServer, tmp_path: Path) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    (tmp_path / "measurements.csv").write_text(
        "Date,Device,Temperature,State\n"
        "2026-01-01 13:00:00,press1,41.5,RUNNING\n"
        "2026-01-01 13:01:00,press2,39,\n"
    )
    home = {"HOME": str(tmp_path)}
    bash("soffice --headless --convert-to ods measurements.csv", tmp_path, **home)
    (tmp_path / "measurements.csv").unlink()
    bash(example("libreoffice.md", "send.sh", datasource), tmp_path, **home)
    assert stored(datasource) == ROWS
