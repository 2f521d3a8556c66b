"""Backup and restore from the command line: the same answers from another database, of any home."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.models import triangle
from support.server import ADMIN_KEY, Datasource, RunningServer, start_server

from twin.backup.archive import read
from twin.clock import DAY_US, SECOND_US, now_us, to_rfc3339
from twin.db.embedded import EmbeddedServer
from twin.db.pool import conninfo
from twin.errors import StartupError

pytestmark = pytest.mark.timeout(300)  # several servers one after the other
HOOK_SECRET = "a secret that must be opened again"


def twinfeed(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    env |= {f"TWINFEED_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "twin", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=110)


def done(*arguments: str | Path, **settings: str) -> str:
    """Run a command that must succeed; returns what it printed."""
    ended = twinfeed(*arguments, **settings)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refused(*arguments: str | Path, words: str, **settings: str) -> None:
    """Run a command that must fail with one line."""
    ended = twinfeed(*arguments, **settings)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stderr.startswith("twinfeed: ")
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr


class Site:
    """A server with something of everything, and what it answers."""

    def __init__(self, server: RunningServer) -> None:
        """Fill a server."""
        self.plant = server.datasource("plant", timezone="Europe/Berlin")
        self.now_us = now_us() // DAY_US * DAY_US
        self._send_readings()
        key = server.post("/v1/keys", {"name": "reader", "scopes": ["read"]}).json()
        self.reader = {"Authorization": f"Bearer {key['api_key']}"}
        spec = {"type": "line", "title": "T", "datasource_id": self.plant.id, "key": "k0"}
        self.window = {"from": to_rfc3339(self.now_us - DAY_US), "to": to_rfc3339(self.now_us)}
        line = server.post("/v1/widgets", spec | self.window | {"bucket": "1h"})
        self.line = f"/v1/widgets/{line.json()['id']}/data"
        hook = {"name": "ops", "url": "http://127.0.0.1:9/hook", "secret": HOOK_SECRET}
        hook_id = server.post("/v1/webhooks", hook).json()["id"]
        rule = {"name": "Hot", "datasource_id": self.plant.id, "key": "k0", "severity": "critical"}
        rule |= {"condition": "greater_than", "threshold": 40, "webhooks": [hook_id]}
        assert server.post("/v1/alerts", rule).status_code == 201
        assert self.plant.post({"device": "late", "values": {"k0": 41}}).status_code == 200
        asset = server.client.post(
            "/v1/assets",
            params={"name": "pump"},
            content=triangle(),
            headers=server.auth | {"Content-Type": "model/gltf-binary"},
        ).json()
        node = {"id": "a", "asset_id": asset["id"]}
        self.scene = server.post("/v1/scenes", {"name": "Hall", "nodes": [node]}).json()["id"]
        self.model = asset["url"]
        token = server.post(f"/v1/scenes/{self.scene}/view-tokens", {}).json()["token"]
        self.viewer = {"Authorization": f"Bearer {token}"}

    def _send_readings(self) -> None:
        """A day of two devices, more keys than a page has, a text and a flag; and one of a past year."""
        readings: list[dict[str, Any]] = []
        for minute in range(0, 1440, 10):
            values = {f"k{i}": minute / 10 + i for i in range(20)}
            values |= {"state": "RUNNING" if minute % 60 else "IDLE", "door": minute % 20 == 0}
            ts = self.now_us - DAY_US + minute * 60 * SECOND_US
            device = f"d{minute // 10 % 2}"
            readings.append({"ts": to_rfc3339(ts), "device": device, "values": values})
        readings.append({"ts": "2013-05-01T12:00:00Z", "device": "d0", "values": {"k0": 7.25}})
        answer = self.plant.post(readings)
        assert answer.json()["accepted"] == len(readings), answer.text

    def answers(self, server: RunningServer) -> dict[str, Any]:
        """What the server says of everything, without what names its address or the moment."""
        source = f"/v1/datasources/{self.plant.id}"
        detail = server.get(source).json()
        for part in ("ingest_url", "example"):
            del detail[part]
        export = server.get(f"{source}/export", format="csv")
        assert export.status_code == 200, export.text
        keys = server.get("/v1/keys").json()["keys"]
        hooks = server.get("/v1/webhooks").json()["items"]
        return {
            "detail": detail,
            "export": export.text,
            "line": server.get(self.line).json(),
            "raw": server.get(f"{source}/readings", limit=5).json()["items"],
            "rules": server.get("/v1/alerts").json(),
            "events": server.get("/v1/alerts/events").json(),
            "scene": server.get(f"/v1/scenes/{self.scene}").json(),
            "model": server.client.get(self.model, headers=server.auth).content,
            "hooks": [(hook["id"], hook["name"], hook["url"]) for hook in hooks],
            "keys": [(key["key_id"], key["name"], key["scopes"]) for key in keys],
        }

    def check_use(self, server: RunningServer) -> None:
        """Use every kind of key, and add what gets a new number."""
        viewed = server.client.get(f"/v1/scenes/{self.scene}", headers=self.viewer)
        assert viewed.status_code == 200, viewed.text
        assert server.client.get("/v1/widgets", headers=self.reader).status_code == 200
        url = f"{server.url}/ingest/{self.plant.id}"
        sent = {"Authorization": f"Bearer {self.plant.key}"}
        answer = server.client.post(url, json={"device": "new", "k0": 1, "k20": 2}, headers=sent)
        assert answer.status_code == 200, answer.text
        other = server.datasource("made later")
        assert other.post({"x": 1}).status_code == 200
        assert other.detail()["readings_total"] == 1


class Sender(threading.Thread):
    """Writes reading after reading until it is told to stop; `acknowledged` counts the answers."""

    def __init__(self, source: Datasource) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.acknowledged = 0
        self.failures: list[str] = []
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            answer = self.source.post({"ts": (1_700_000_000 + self.acknowledged), "n": 1})
            if answer.status_code != 200:
                self.failures.append(answer.text)
                return
            self.acknowledged += 1

    def wait_for(self, number: int) -> None:
        """Wait until so many readings are acknowledged."""
        while self.acknowledged < number and self.is_alive():
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(60)


@contextmanager
def sending(source: Datasource) -> Iterator[Sender]:
    """Write during a block."""
    sender = Sender(source)
    sender.start()
    try:
        yield sender
    finally:
        sender.stop()
    assert not sender.failures, sender.failures


def contents(url: str) -> dict[str, Any]:
    """A checksum of the rows of each table that a backup is about."""
    found: dict[str, Any] = {}
    with psycopg.connect(conninfo(url)) as conn:
        for table in (
            "readings",
            "streams",
            "labels",
            "data_keys",
            "datasources",
            "ingest_secrets",
        ):
            rows = f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} AS t"
            found[table] = conn.execute(rows.encode()).fetchone()
    return found


def wait_for_rollups(url: str, from_us: int) -> None:
    """Wait until the rollups reach up to a time."""
    with psycopg.connect(conninfo(url), autocommit=True) as conn:
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline:
            row = conn.execute("SELECT readers_us FROM rollup_mark").fetchone()
            if row is not None and row[0] >= from_us:
                return
            time.sleep(0.1)
    raise AssertionError("the rollups do not catch up")


def test_a_backup_of_a_server_at_work_answers_the_same_elsewhere(
    database_url: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    folder, target, directory = tmp_path / "backup", new_database(), tmp_path / "data"
    with start_server(database_url) as server:
        site, busy = Site(server), server.datasource("busy")
        with sending(busy) as sender:
            sender.wait_for(20)
            before = sender.acknowledged
            told = done("backup", folder, "--database-url", database_url)
            sender.wait_for(sender.acknowledged + 1)
        answers = site.answers(server)
    assert f"MB: {folder}" in told
    check = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert check.returncode == 0
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    done("restore", folder, "--database-url", target)
    held = contents(target)
    with start_server(target, rollup_interval_s="0.2") as again:
        assert site.answers(again) == answers
        kept = Datasource(again, busy.created).detail()["readings_total"]
        assert before <= kept <= sender.acknowledged
        wait_for_rollups(target, site.now_us)
        assert again.get(site.line).json() == answers["line"]
        site.check_use(again)

    done("restore", folder, "--data-dir", directory)
    with EmbeddedServer.start(directory) as embedded:
        assert contents(embedded.url) == held


def test_the_embedded_database_is_backed_up_running_or_not_and_moves_to_any_home(
    database_url: str, tmp_path: Path
) -> None:
    directory = str(tmp_path / "data")
    with start_server(None, data_dir=directory) as server:
        site = Site(server)
        answers = site.answers(server)
        done("backup", tmp_path / "running", data_dir=directory)
        refused("restore", tmp_path / "running", words="A server runs on", data_dir=directory)
    done("backup", tmp_path / "stopped", data_dir=directory)
    refused("restore", tmp_path / "stopped", words="not empty", data_dir=directory)

    done("restore", tmp_path / "stopped", database_url=database_url)
    with start_server(database_url) as again:
        assert site.answers(again) == answers
        site.check_use(again)


@pytest.mark.one_home
def test_what_is_no_whole_backup_is_refused_and_nothing_is_written(
    database_url: str, tmp_path: Path
) -> None:
    folder, empty = tmp_path / "backup", tmp_path / "empty"
    refused("backup", folder, "--data-dir", empty, words="There is no database in")
    refused("backup", folder, "--database-url", database_url, words="There is no Twinfeed")
    assert list(tmp_path.iterdir()) == []

    done("migrate", "--database-url", database_url)
    done("backup", folder, "--database-url", database_url)
    refused("backup", folder, "--database-url", database_url, words="exists and is not an empty")
    refused("restore", folder, "--database-url", database_url, words="is not empty")

    def damaged(words: str) -> None:
        with pytest.raises(StartupError, match=words):
            read(folder)

    sums, file = folder / "SHA256SUMS", folder / "organisations.copy.zst"
    whole = {path: path.read_bytes() for path in (sums, file, folder / "manifest.json")}
    file.write_bytes(whole[file][:-1] + b"!")
    damaged("organisations.copy.zst differs from its checksum")
    file.unlink()
    damaged("organisations.copy.zst is missing")
    file.write_bytes(whole[file])
    sums.write_bytes(whole[sums][:30])
    damaged("SHA256SUMS cannot be read")
    sums.unlink()
    refused("restore", folder, "--data-dir", empty, words="is not a whole backup")
    assert not empty.exists()


@pytest.mark.one_home
def test_sealed_secrets_need_the_key_that_only_the_server_was_given(tmp_path: Path) -> None:
    directory, moved, key = tmp_path / "data", tmp_path / "moved", "the first server's key " * 2
    with start_server(None, data_dir=str(directory), secret_key=key) as server:
        hook = {"name": "ops", "url": "http://127.0.0.1:9/", "secret": HOOK_SECRET}
        assert server.post("/v1/webhooks", hook).status_code == 201
    done("backup", tmp_path / "backup", data_dir=str(directory))
    for file in (tmp_path / "backup").iterdir():
        assert HOOK_SECRET.encode() not in file.read_bytes()
    words = "set TWINFEED_SECRET_KEY"
    refused("restore", tmp_path / "backup", words=words, data_dir=str(moved))
    assert not moved.exists()
    done("restore", tmp_path / "backup", data_dir=str(moved), secret_key=key)
    with start_server(None, data_dir=str(moved), secret_key=key) as again:
        assert again.get("/v1/webhooks").json()["total"] == 1


@pytest.mark.one_home
def test_a_key_of_the_environment_does_not_make_another_organisation(
    database_url: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    done("migrate", "--database-url", database_url, admin_key=ADMIN_KEY)
    done("backup", tmp_path / "backup", "--database-url", database_url)
    target = new_database()
    done("restore", tmp_path / "backup", "--database-url", target)
    with start_server(target) as again:
        assert again.get("/v1/keys").json()["total"] == 1
