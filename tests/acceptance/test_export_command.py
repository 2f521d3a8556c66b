"""`twinfeed export`: every format to a file and to stdout, and what cannot work."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.server import Datasource, RunningServer, free_port, start_server

pytestmark = pytest.mark.one_home


def run_export(*options: str, key: str | None = None) -> subprocess.CompletedProcess[bytes]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    env |= {"TWINFEED_KEY": key} if key else {}
    return subprocess.run(
        [sys.executable, "-m", "twin", "export", *options],
        env=env,
        capture_output=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def plant(server: RunningServer) -> Datasource:
    datasource = server.datasource()
    readings = [{"ts": 1_700_000_000 + i, "device": f"d{i % 2}", "n": i} for i in range(100)]
    assert datasource.post(readings).status_code == 200
    return datasource


def test_a_file_by_its_ending_and_stdout(plant: Datasource, tmp_path: Path) -> None:
    url, key = f"{plant.server.url}/v1/datasources/{plant.id}", plant.server.admin_key
    parquet, arrows = tmp_path / "a.parquet", tmp_path / "a.arrows"
    for path in (parquet, arrows):
        done = run_export("--url", url, "--key", key, "-o", str(path))
        assert done.returncode == 0, done.stderr
        assert b"bytes of" in done.stderr
    assert pq.read_table(parquet).num_rows == 100
    assert pa.ipc.open_stream(arrows.read_bytes()).read_all().equals(pq.read_table(parquet))

    options = ["--from", "2023-11-14T22:13:30Z", "--to", "2023-11-14T22:13:40Z", "--device", "d1"]
    done = run_export("--url", plant.url, "--keys", "n", *options, key=key)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "ts,device,n"
    assert [line.split(",")[2] for line in lines[1:]] == ["11", "13", "15", "17", "19"]

    done = run_export("--url", url, "--format", "parquet", key=key)
    assert pq.read_table(io.BytesIO(done.stdout)).num_rows == 100
    assert sorted(tmp_path.iterdir()) == [arrows, parquet]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--key", "tf_live_" + "0" * 64], "401"),
        (["--keys", "nope"], "no key 'nope'"),
        (["--from", "soon"], "422"),
        (["--url", "http://127.0.0.1/elsewhere"], "not the URL of a datasource"),
        (["--url", f"http://127.0.0.1:{free_port()}/ingest/{'0' * 36}"], "did not answer"),
    ],
)
def test_what_cannot_work_leaves_no_file(
    plant: Datasource, tmp_path: Path, options: list[str], said: str
) -> None:
    target = tmp_path / "out.csv"
    done = run_export(
        *("--url", plant.url, "--key", plant.server.admin_key, "-o", str(target), *options)
    )
    assert done.returncode == 1
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


class Trickle:
    """Takes a part now and then: who takes nothing for long is dropped, and the place is free again."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts
        self.size = len(next(parts))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.take, daemon=True)
        self.thread.start()

    def take(self) -> None:
        while not self.over.wait(0.5):
            self.size += len(next(self.parts, b""))

    def rest(self) -> int:
        """Take all that is left; return how much it was in all."""
        self.over.set()
        self.thread.join()
        return self.size + sum(len(part) for part in self.parts)


def test_a_busy_server_is_asked_again(database_url: str, tmp_path: Path) -> None:
    with start_server(database_url, max_exports="1") as server:
        datasource = server.datasource()
        wide = {f"k{i}": 0.123456789 for i in range(60)}
        for start in range(0, 20_000, 2000):
            readings = [{"ts": 1_700_000_000 + start + i, "values": wide} for i in range(2000)]
            assert datasource.post(readings).status_code == 200
        path = f"/v1/datasources/{datasource.id}/export"
        with server.client.stream("GET", path, headers=server.auth) as holding:
            body = Trickle(holding.iter_raw())
            command = [sys.executable, "-m", "twin", "export", "--url", datasource.url]
            command += ["--key", server.admin_key, "--keys", "k0", "-o", str(tmp_path / "a.csv")]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as exporting:
                assert exporting.stderr is not None
                assert any("Trying again in" in line for line in exporting.stderr)
                assert body.rest() > 10e6
                rest = exporting.stderr.read()
            assert exporting.returncode == 0, rest
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 20_001
