"""SIGTERM under load: what was accepted is committed and answered, and nothing stays behind."""

import json
import signal
import socket
import threading
from pathlib import Path

import httpx
import psutil
import pytest
from support.exposition import eventually
from support.server import RunningServer, launch

pytestmark = pytest.mark.one_home

CLIENTS = 8
BEGAN_S = 1_700_000_000


class Device(threading.Thread):
    """Sends `size` readings after the other until the server is gone."""

    def __init__(self, url: str, key: str, number: int, size: int) -> None:
        super().__init__(name=f"device-{number}", daemon=True)
        self.url, self.key, self.number, self.size = url, key, number, size
        self.acknowledged: list[int] = []
        self.refused: set[int] = set()

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(timeout=30, headers=headers) as client:
            for sent in range(100_000):
                first = BEGAN_S * 1000 + sent * self.size
                body = [
                    {"ts": ts, "device": str(self.number), "n": sent}
                    for ts in range(first, first + self.size)
                ]
                try:
                    answer = client.post(self.url, json=body)
                except httpx.TransportError:
                    return  # nobody listens any more
                if answer.status_code == 200:
                    self.acknowledged.append(sent)
                else:
                    self.refused.add(answer.status_code)


def stored(server: RunningServer, datasource_id: str, device: int) -> int:
    answer = server.get(
        "/v1/data/single",
        **{"datasource_id": datasource_id, "key": "n", "device": str(device), "agg": "count"},
        **{"from": "2023-11-14T00:00:00Z", "to": "2023-11-16T00:00:00Z"},
    )
    assert answer.status_code == 200, answer.text
    return int(answer.json()["value"])


@pytest.mark.parametrize(("workers", "size"), [(1, 1), (2, 1), (2, 1000)])
def test_sigterm_under_load(tmp_path: Path, workers: int, size: int) -> None:
    server = launch(None, workers=workers, data_dir=str(tmp_path))
    datasource = server.datasource()
    family = psutil.Process(server.process.pid).children(recursive=True)
    assert "postgres" in {process.name() for process in family}
    devices = [Device(datasource.url, datasource.key, n, size) for n in range(CLIENTS)]
    for device in devices:
        device.start()
    eventually(lambda: min(len(device.acknowledged) for device in devices) > 20)

    assert server.stop() == 0
    for device in devices:
        device.join(30)
        assert not device.is_alive()
    eventually(lambda: not psutil.wait_procs(family, timeout=0)[1])
    printed = server.log.read_text()
    assert not [line for line in printed.splitlines() if line[0] == "{" and _is_bad(line)]
    server.log.unlink()

    again = launch(None, workers=workers, data_dir=str(tmp_path))
    try:
        for device in devices:
            held = stored(again, datasource.id, device.number)
            assert held == len(device.acknowledged) * size
            assert device.refused <= {503}
    finally:
        assert again.stop() == 0
    again.log.unlink()


def test_a_request_in_flight_is_answered(database_url: str) -> None:
    """The body is still on its way when the signal comes."""
    server = launch(database_url)
    datasource = server.datasource()
    body = json.dumps([{"ts": BEGAN_S + n, "n": n} for n in range(1000)]).encode()
    head = (
        f"POST /ingest/{datasource.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {datasource.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    port = httpx.URL(server.url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:1000])
        eventually(lambda: server.client.get("/health").status_code == 200)
        server.client.close()
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(body[1000:])
        answer = connection.recv(10_000)
    assert server.process.wait(40) == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"accepted":1000' in answer
    server.log.unlink()


def _is_bad(line: str) -> bool:
    return json.loads(line)["level"] in ("error", "critical")
