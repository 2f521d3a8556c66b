"""A thousand transitions through everything that can go wrong between a reading and its receivers.

Two servers on one database; both are killed, the database is cut off and restarted, receivers hang,
answer 500, close early and redirect to loopback. Every transition must arrive, in its alert's order, and
nothing else may; what a redirect ended is a dead letter, and arrives when it is sent again.
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

MOVED = "/moved"
"""Redirects at times; the others fail in ways that are retried."""
TRAP = "/trap"
PATHS = ("/each", "/groups", MOVED)

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
            if path == MOVED and chance < 0.2:
                return "redirect"
            if chance < 0.02:
                return "close"
            if chance < 0.03:
                return "hang"
            if chance < 0.05:
                return "fail"
            self.taken[path].update(told)
            return "take"

    def count(self, *paths: str) -> int:
        """Return how many transitions were taken, at some paths or at all."""
        with self.lock:
            return sum(len(self.taken[path]) for path in paths or tuple(self.taken))

    def all_called(self, path: str) -> bool:
        """Return whether each transition was in a call to a path, whatever was answered."""
        with self.lock:
            told = {one for _, call in self.calls[path] for one in call}
        return len(told) == TRANSITIONS


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
            self.send_response({"fail": 500, "redirect": 307}.get(what, 200))
            if what == "redirect":
                self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}{TRAP}")
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


def wait_for(receiver: Receiver, count: int, *paths: str) -> None:
    """Wait as long as more and more arrives: a busy machine's calls time out, and circuits open."""
    told, deadline = 0, 0.0
    while (now_told := receiver.count(*paths)) < count:
        if now_told > told or not deadline:
            told, deadline = now_told, time.monotonic() + STALLED_S
        assert time.monotonic() < deadline, f"{told} of {count} were told"
        time.sleep(0.02)


def prepare(server: RunningServer, url: str) -> tuple[Datasource, str]:
    """Make a rule with three receivers: one is told alert by alert, the others by groups.

    Returns the datasource, and the webhook that redirects.
    """
    grouped = {"group_by": ["alertname"]}
    hooks = [
        server.post(
            "/v1/webhooks",
            {"name": path, "url": url + path} | ({} if path == "/each" else grouped),
        ).json()["id"]
        for path in PATHS
    ]
    datasource = server.datasource("faults")
    rule = {"name": "hot", "datasource_id": datasource.id, "key": "t", "severity": "critical"}
    rule |= {"condition": "greater_than", "threshold": 80, "webhooks": hooks}
    assert server.post("/v1/alerts", rule).status_code == 201
    return datasource, hooks[PATHS.index(MOVED)]


def waits(server: RunningServer, webhook_id: str) -> bool:
    path = f"/v1/webhooks/{webhook_id}/deliveries"
    return bool(server.get(path, status="pending").json()["total"])


def send_again(server: RunningServer, webhook_id: str) -> int:
    """Send again what a webhook's receiver redirected; return how many calls that were."""
    path = f"/v1/webhooks/{webhook_id}/deliveries"
    listed = server.get(path, status="failed", limit=100).json()
    assert listed["total"] == len(listed["items"])
    for delivery in listed["items"]:
        assert "redirect" in delivery["last_error"]
        answer = server.post(f"{path}/{delivery['delivery_id']}/resend")
        assert answer.status_code == 200, answer.text
    return len(listed["items"])


def check(receiver: Receiver) -> None:
    """Nothing is missing, nothing invented, order is kept, and who told twice said so."""
    assert TRAP not in receiver.calls
    courses = expected()
    every = {(device, *one) for device, course in courses.items() for one in course}
    for path in PATHS:
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
            datasource, moved = prepare(running[0], url)
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
            wait_for(receiver, 2 * TRANSITIONS, "/each", "/groups")
            until(lambda: receiver.all_called(MOVED) and not waits(running[0], moved))
            assert send_again(running[0], moved) > 0
            wait_for(receiver, TRANSITIONS, MOVED)
            check(receiver)
    finally:
        for server in running:
            server.stop() if server.process.poll() is None else server.client.close()
        cutter.close()
