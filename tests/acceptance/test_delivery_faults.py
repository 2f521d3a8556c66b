"""A thousand transitions through everything that can go wrong between a reading and its receivers.

Two servers on one database; both are killed, the database is cut off and restarted, receivers hang,
answer 500 and close early. Every transition must arrive, in its alert's order, and nothing else may.
"""

import json
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psycopg
import pytest
from support.cutter import Cutter
from support.server import Datasource, RunningServer, launch

from twin.db.embedded import EmbeddedServer
from twin.db.embedded.processes import read_pid_file

pytestmark = pytest.mark.slow

DEVICES = 50
CHANGES = 20
START = 1_790_000_000
TRANSITIONS = DEVICES * CHANGES
HANG_S = 2.5
"""Longer than the servers wait for a call."""
STALLED_S = 60.0
"""Nothing arrives for so long: a fault."""

Told = tuple[str, str, str]
"""(device, status, the moment of the transition)"""


class Receiver:
    """What arrived at each path, and what was answered with 200."""

    def __init__(self) -> None:
        self.dice = random.Random(5)
        self.lock = threading.Lock()
        self.calls: dict[str, list[tuple[str, list[Told]]]] = defaultdict(list)
        self.taken: dict[str, set[Told]] = defaultdict(set)
        self.is_calm = False

    def judge(self, path: str, id_: str, body: dict[str, Any]) -> str:
        """Note a call and return what to do with it."""
        told = [
            (
                alert["labels"]["device"],
                alert["status"],
                alert["startsAt" if alert["status"] == "firing" else "endsAt"],
            )
            for alert in body["alerts"]
        ]
        with self.lock:
            self.calls[path].append((id_, told))
            chance = 1.0 if self.is_calm else self.dice.random()
            if chance < 0.02:
                return "close"
            if chance < 0.03:
                return "hang"
            if chance < 0.05:
                return "fail"
            self.taken[path].update(told)
            return "take"

    def count(self) -> int:
        with self.lock:
            return sum(len(taken) for taken in self.taken.values())


@contextmanager
def open_receiver() -> Iterator[tuple[Receiver, str]]:
    """Run a receiver on loopback; return it and its URL."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            what = receiver.judge(self.path, self.headers["X-Twinfeed-Delivery"], body)
            if what == "hang":
                time.sleep(HANG_S)
            if what in ("close", "hang"):
                self.close_connection = True
                return
            self.send_response(500 if what == "fail" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def expected() -> dict[str, list[tuple[str, str]]]:
    """Return by device the (status, moment) that its readings cause, in order."""
    moments = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + n)) for n in range(CHANGES)]
    course = [("resolved" if n % 2 else "firing", moment) for n, moment in enumerate(moments)]
    return {f"d{n:02}": course for n in range(DEVICES)}


def send_all(datasource: Datasource, targets: list[str]) -> None:
    """Send every reading, each until it is acknowledged by one of the servers."""
    headers = {"Authorization": f"Bearer {datasource.key}"}
    with httpx.Client(headers=headers, timeout=10) as client:
        for change in range(CHANGES):
            value = 20 if change % 2 else 90
            for part in range(0, DEVICES, 10):
                body = [
                    {"ts": START + change, "device": f"d{n:02}", "t": value}
                    for n in range(part, part + 10)
                ]
                attempt = change + part // 10
                while True:
                    attempt += 1
                    with suppress(httpx.TransportError):
                        url = targets[attempt % len(targets)]
                        if client.post(url, json=body).status_code == 200:
                            break
                    time.sleep(0.05)


def wait_for(receiver: Receiver, count: int) -> None:
    """Wait as long as more and more arrives: a busy machine's calls time out, and circuits open."""
    told, deadline = 0, 0.0
    while (now_told := receiver.count()) < count:
        if now_told > told or not deadline:
            told, deadline = now_told, time.monotonic() + STALLED_S
        assert time.monotonic() < deadline, f"{told} of {count} were told"
        time.sleep(0.02)


def prepare(server: RunningServer, url: str) -> Datasource:
    """Make a rule with two receivers: one is told alert by alert, the other by groups."""
    hooks = [
        server.post("/v1/webhooks", {"name": "each", "url": f"{url}/each"}).json()["id"],
        server.post(
            "/v1/webhooks", {"name": "groups", "url": f"{url}/groups", "group_by": ["alertname"]}
        ).json()["id"],
    ]
    datasource = server.datasource("faults")
    rule = {"name": "hot", "datasource_id": datasource.id, "key": "t", "severity": "critical"}
    rule |= {"condition": "greater_than", "threshold": 80, "webhooks": hooks}
    assert server.post("/v1/alerts", rule).status_code == 201
    return datasource


def check(receiver: Receiver) -> None:
    """Nothing is missing, nothing invented, order is kept, and who told twice said so."""
    courses = expected()
    every = {(device, *one) for device, course in courses.items() for one in course}
    for path in ("/each", "/groups"):
        assert receiver.taken[path] == every
        ids: dict[Told, str] = {}
        arrived: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for id_, told in receiver.calls[path]:
            assert len({one[0] for one in told}) == len(told), "an alert twice in a call"
            for one in told:
                assert ids.setdefault(one, id_) == id_, "told again with another id"
                if one[1:] not in arrived[one[0]]:
                    arrived[one[0]].append(one[1:])
        assert arrived == courses


@pytest.fixture
def database(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A database, and how it is restarted; a server that was given is not ours to restart."""
    if os.environ.get("TWINFEED_TEST_DATABASE_URL"):
        yield database_url, lambda: None
        return
    folder = tmp_path_factory.mktemp("postgres")
    with EmbeddedServer.start(folder) as postgres:

        def crash() -> None:
            found = read_pid_file(folder / "pgdata")
            assert found is not None
            os.kill(found.pid, signal.SIGKILL)
            until(lambda: postgres.restarts == 1 and _answers(postgres.url))

        yield postgres.url, crash


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.timeout(300)
def test_a_thousand_transitions_through_every_fault(
    database: tuple[str, Callable[[], None]],
) -> None:
    database_url, restart = database
    cutter = Cutter(database_url)
    settings = {"webhook_timeout_s": "2", "writers": "1", "pool_size": "4"}
    running: list[RunningServer] = []
    try:
        with open_receiver() as (receiver, url):
            running = [launch(cutter.url, **settings) for _ in range(2)]
            datasource = prepare(running[0], url)
            urls = [datasource.url.replace(running[0].url, server.url) for server in running]
            sender = threading.Thread(target=send_all, args=(datasource, urls))
            sender.start()
            ports = [int(server.url.rpartition(":")[2]) for server in running]
            for number, after in ((0, TRANSITIONS // 3), (1, TRANSITIONS)):
                wait_for(receiver, after)
                running[number].kill()
                running[number].client.close()
                running[number] = launch(cutter.url, port=ports[number], **settings)
                cutter.cut()
                if number == 0:
                    restart()
                cutter.mend()
            sender.join()
            receiver.is_calm = True
            wait_for(receiver, 2 * TRANSITIONS)
            check(receiver)
    finally:
        for server in running:
            server.stop() if server.process.poll() is None else server.client.close()
        cutter.close()
