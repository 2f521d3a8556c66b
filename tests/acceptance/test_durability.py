"""What was acknowledged is there, once, whatever was killed."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from support.cutter import Cutter
from support.senders import BASE_MS, Sender, wait_for_progress, wait_until
from support.server import Datasource, RunningServer, free_port, launch, start_server

from twin.db.embedded import running_url
from twin.db.pool import conninfo

pytestmark = pytest.mark.slow

KILLS = 20


def stored(database_url: str, datasource: Datasource) -> dict[str, dict[int, float]]:
    """Return the value of every stored reading by device and number."""
    found: dict[str, dict[int, float]] = {}
    with psycopg.connect(conninfo(database_url)) as conn:
        rows = conn.execute(
            "SELECT s.device, extract(epoch FROM r.ts) * 1000, r.v0 FROM readings r"
            " JOIN streams s USING (stream_id) JOIN datasources d USING (datasource_no)"
            " WHERE d.id = %s AND s.page = 0",
            [datasource.id],
        )
        for device, ms, value in rows:
            readings = found.setdefault(device, {})
            number = int(ms) - BASE_MS
            assert number not in readings
            readings[number] = value
    return found


def check(senders: list[Sender], found: dict[str, dict[int, float]], total: int) -> None:
    """Every acknowledged reading is stored, none doubled, nothing is there that nobody sent."""
    for sender in senders:
        assert not sender.unexpected, sender.unexpected[:5]
        readings = found.get(sender.device, {})
        lost = sender.acknowledged - readings.keys()
        assert not lost, f"{len(lost)} acknowledged readings of {sender.device} are lost"
        assert all(value == number < sender.sent for number, value in readings.items())
        assert sender.acknowledged
    assert total == sum(map(len, found.values()))


@contextmanager
def sending(datasource: Datasource, count: int = 4) -> Iterator[list[Sender]]:
    """Run senders for a block."""
    senders = [Sender(f"device-{i}", datasource.url, datasource.key) for i in range(count)]
    for sender in senders:
        sender.start()
    try:
        yield senders
    finally:
        for sender in senders:
            sender.stop()


def children(server: RunningServer) -> list[psutil.Process]:
    """Return the processes that the server started: workers, PostgreSQL and its keeper."""
    return psutil.Process(server.process.pid).children(recursive=True)


def postmaster(data_dir: Path) -> int:
    """Return the process id of the embedded PostgreSQL."""
    (pid_file,) = data_dir.rglob("postmaster.pid")
    return int(pid_file.read_text().split()[0])


def kill(processes: list[psutil.Process]) -> None:
    """Kill these processes, whoever is left of them."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def workers(server: RunningServer) -> list[psutil.Process]:
    """Return the worker processes: forks of the main one."""
    main = psutil.Process(server.process.pid)
    return [process for process in main.children() if process.name() == main.name()]


@pytest.mark.timeout(240)  # some fourteen starts, on a busy machine
def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    dice = random.Random(20)
    port, data_dir = free_port(), str(tmp_path / "data")
    server = launch(None, workers=2, port=port, data_dir=data_dir)
    bereft: list[psutil.Process] = []
    try:
        datasource = server.datasource("killed")
        with sending(datasource) as senders:
            for number in range(KILLS):
                wait_for_progress(senders)
                time.sleep(dice.uniform(0, 0.3))
                how = ("main", "worker", "all")[number % 3]
                if how == "worker":
                    kill([dice.choice(workers(server))])
                    continue
                everyone = children(server)
                bereft += everyone
                server.kill()
                if how == "all":
                    kill(everyone)
                server.client.close()
                server = launch(None, workers=2, port=port, data_dir=data_dir)
            wait_for_progress(senders)
        datasource.server = server
        total = datasource.detail()["readings_total"]
        url = running_url(Path(data_dir))
        assert url is not None
        check(senders, stored(url, datasource), total)
        assert server.stop() == 0
        _, orphans = psutil.wait_procs(bereft, timeout=10)
        assert not orphans, "processes outlived the server that started them"
    finally:
        if server.process.poll() is None:
            server.kill()


@pytest.mark.timeout(120)
def test_postgresql_killed_comes_back_without_a_restart_of_the_server(tmp_path: Path) -> None:
    with start_server(None, workers=2, data_dir=str(tmp_path / "data")) as server:
        datasource = server.datasource("bereft")
        with sending(datasource) as senders:
            for _ in range(3):
                wait_for_progress(senders)
                os.kill(postmaster(tmp_path), signal.SIGKILL)
            wait_for_progress(senders, 30)
            wait_until(lambda: server.client.get("/health").status_code == 200)
        assert any(sender.statuses.get(503) for sender in senders)
        assert server.process.poll() is None
        total = datasource.detail()["readings_total"]
        url = running_url(tmp_path / "data")
        assert url is not None
        check(senders, stored(url, datasource), total)


@pytest.mark.timeout(120)
def test_a_database_that_is_cut_off_comes_back(database_url: str) -> None:
    cutter = Cutter(database_url)
    try:
        with start_server(cutter.url, workers=2) as server:
            datasource = server.datasource("cut off")
            with sending(datasource) as senders:
                for _ in range(3):
                    wait_for_progress(senders)
                    refused = [sender.statuses.get(503, 0) for sender in senders]
                    cutter.cut()
                    wait_until(
                        lambda before=refused: all(
                            s.statuses.get(503, 0) > n for s, n in zip(senders, before, strict=True)
                        )
                    )
                    health = server.client.get("/health")
                    assert health.status_code == 503, health.text
                    assert health.headers["retry-after"].isdigit()
                    listed = server.get("/v1/datasources")
                    assert listed.status_code == 503, listed.text
                    assert int(listed.headers["retry-after"]) == listed.json()["retry_after"]
                    cutter.mend()
                    wait_until(lambda: server.client.get("/health").status_code == 200)
                wait_for_progress(senders)
            check(senders, stored(database_url, datasource), datasource.detail()["readings_total"])
    finally:
        cutter.close()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a small file system for a block."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.timeout(90)
def test_a_full_disk_refuses_and_recovers_when_there_is_room(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 220) as disk,
        start_server(None, data_dir=str(disk / "data")) as server,
    ):
        datasource = server.datasource("full")
        ballast = disk / "ballast"
        with sending(datasource) as senders:
            wait_for_progress(senders)
            free = shutil.disk_usage(disk).free
            with ballast.open("wb") as file:
                file.write(bytes(free - 2**20))
            wait_until(lambda: all(s.statuses.get(503) for s in senders), 30)
            ballast.unlink()
            wait_for_progress(senders, 40)
        total = datasource.detail()["readings_total"]
        url = running_url(disk / "data")
        assert url is not None
        check(senders, stored(url, datasource), total)


def test_a_poisoned_request_fails_alone(tmp_path: Path) -> None:
    """A request that the database must refuse meets its neighbours in one batch.

    On the embedded database, whose native partitions are bounded in number.
    """
    months = [{"ts": f"{1990 + m // 12}-{m % 12 + 1:02}-01T00:00:00Z", "n": m} for m in range(150)]
    settings = {"max_partitions": "100", "writers": "1", "data_dir": str(tmp_path)}
    with start_server(None, **settings) as server:
        datasource, poisoned = server.datasource("neighbour"), server.datasource("poisoned")
        with sending(datasource) as senders:
            wait_for_progress(senders)
            for _ in range(5):
                answer = poisoned.post(months)
                assert answer.status_code == 422, answer.text
                assert "partition" in answer.json()["message"]
            wait_for_progress(senders)
        assert all(sender.statuses.keys() == {200} for sender in senders)
        assert poisoned.detail()["readings_total"] == 0
        url = running_url(tmp_path)
        assert url is not None
        check(senders, stored(url, datasource), datasource.detail()["readings_total"])


def test_two_servers_that_overwrite_the_same_readings_agree(database_url: str) -> None:
    """Each writes its own key and one they share, in opposite orders: rows meet, and locks too."""
    rounds, count = 6, 300
    with start_server(database_url) as one, start_server(database_url) as other:
        datasource = one.datasource("shared")
        url = datasource.url.replace(one.url, other.url)
        failures: list[str] = []

        def write(target: str, key: str, step: int) -> None:
            with httpx.Client(headers={"Authorization": f"Bearer {datasource.key}"}) as client:
                for turn in range(rounds):
                    numbers = list(range(count))[::step]
                    for part in (numbers[:200], numbers[200:], numbers[100:250]):
                        body = [
                            {"ts": BASE_MS + i, "device": f"d{i % 7}", key: turn, "both": i}
                            for i in part
                        ]
                        answer = client.post(target, json=body, timeout=30)
                        if answer.status_code != 200:
                            failures.append(answer.text)

        threads = [
            threading.Thread(target=write, args=args)
            for args in ((datasource.url, "a", 1), (url, "b", -1), (datasource.url, "c", -1))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[:3]
        assert datasource.detail()["readings_total"] == count
        with psycopg.connect(conninfo(database_url)) as conn:
            rows = conn.execute(
                "SELECT extract(epoch FROM ts) * 1000, v0, v1, v2, v3 FROM readings"
            )
            slots = {k["key"] for k in datasource.detail()["data_keys"]}
            assert slots == {"a", "b", "both", "c"}
            found = {int(ms) - BASE_MS: sorted(values) for ms, *values in rows}
        assert found == {i: sorted([rounds - 1.0] * 3 + [float(i)]) for i in range(count)}
