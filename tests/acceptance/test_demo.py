"""`twinfeed demo` as a stranger runs it: on the embedded database, in a directory of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import sync_playwright
from support.browser import CHROMIUM, PAGES, STANDS, Watched, keep_picture, launch_chromium
from support.server import free_port

from twin.demo.state import FILE

SPEED = 10
"""The simulated plant's seconds per second: its alert fires after 6 s and clears after 9 s."""


class Demo:
    """A running demo and what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, output: Path) -> None:
        self.process = process
        self.url = url
        self.output = output

    def printed(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str, timeout_s: float = 60) -> None:
        wait_until(lambda: text in self.printed(), timeout_s, lambda: f"{text}\n{self.printed()}")

    def get(self, path: str) -> Any:
        key = re.search(r"tf_live_[0-9a-f]{64}", self.printed())
        assert key is not None
        answer = httpx.get(
            self.url + path, headers={"Authorization": f"Bearer {key[0]}"}, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def widgets(self) -> dict[str, Any]:
        found = self.get("/v1/widgets?limit=100")["items"]
        return {
            f"{item['type']}: {item['title']}": self.get(f"/v1/widgets/{item['id']}/data")
            for item in found
        }

    def viewer(self) -> tuple[str, dict[str, str]]:
        """Return the scene's id and the header of the token that its printed address holds."""
        found = re.search(r"/viewer/([0-9a-f-]{36})\?token=(tfv_\w+)", self.printed())
        assert found is not None
        return found[1], {"Authorization": f"Bearer {found[2]}"}

    def stop(self, signal_: signal.Signals = signal.SIGTERM) -> None:
        """Stop it; it must end well and leave no process."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        assert len(below) > 3, "the server's worker, PostgreSQL and the plant"
        self.process.send_signal(signal_)
        assert self.process.wait(40) == 0, self.printed()
        _, alive = psutil.wait_procs(below, timeout=5)
        assert not alive


def wait_until(done: Callable[[], bool], timeout_s: float, what: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


@contextmanager
def demo(directory: Path, output: Path) -> Iterator[Demo]:
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    command = [sys.executable, "-m", "twin", "demo", "--port", str(port)]
    command += ["--data-dir", str(directory), "--speed", str(SPEED)]
    with output.open("wb") as file:
        process = subprocess.Popen(command, env=env, stdout=file, stderr=file)
    running = Demo(process, f"http://127.0.0.1:{port}", output)
    try:
        running.wait_for("Ctrl-C stops everything.", 120)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_sample_plant_runs_trips_its_alert_and_comes_back(tmp_path: Path) -> None:
    with demo(tmp_path / "data", tmp_path / "first.txt") as first:
        widgets = first.widgets()
        assert len(widgets) == 18
        history = widgets["line: Pump vibration"]
        assert len(history["values"]) > 200, "an hour is there at the start"
        assert max(history["max"]) > 4.5 > min(history["values"])
        # The hour in which the demo starts may be cut off the window's far end, never the others.
        assert len(widgets["bar: Pump flow per hour"]["values"]) >= 23

        wait_until(
            lambda: all(has_values(data) for data in first.widgets().values()),
            20,
            lambda: json.dumps(first.widgets(), indent=1),
        )
        first.wait_for("ALERT    critical Pump vibration too high")
        wait_until(
            lambda: first.widgets()["line: Pump vibration"]["alert"] is not None,
            SPEED * 3,
            lambda: "the widget shows the alert in the next cycle",
        )
        first.wait_for("resolved critical Pump vibration too high")
        assert "signature verified" in first.printed()
        assert_only_what_was_meant(first)
        assert_the_scene_is_whole(first)
        ids = ids_in(first)
        first.stop()
        assert first.printed().endswith("Stopped.\n")

    with demo(tmp_path / "data", tmp_path / "second.txt") as second:
        assert ids_in(second) == ids, "found again, not made again"
        for kind, count in (("scenes", 1), ("assets", 8), ("widgets", 18), ("alerts", 1)):
            assert second.get(f"/v1/{kind}")["total"] == count
        assert_the_scene_is_whole(second)
        before = second.get("/v1/alerts/events")["total"]
        second.wait_for("ALERT    critical Pump vibration too high")
        assert second.get("/v1/alerts/events")["total"] > before
        assert_only_what_was_meant(second)
        second.stop(signal.SIGINT)

    state = tmp_path / "data" / FILE
    state.write_text(re.sub("tf_live_[0-9a-f]+", "tf_live_" + "0" * 64, state.read_text()))
    done = run_to_end("--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1, "a set-up that fails ends the server too"
    assert "cannot be set up" in done.stderr
    assert "401" in done.stderr


def assert_the_scene_is_whole(running: Demo) -> None:
    """The printed token shows the page, the scene, each model and each widget."""
    scene_id, auth = running.viewer()
    with httpx.Client(base_url=running.url, headers=auth, trust_env=False) as browser:
        scene = browser.get(f"/v1/scenes/{scene_id}").json()
        assert scene["missing"] == {"asset_ids": [], "widget_ids": []}
        assert [camera["name"] for camera in scene["cameras"]][:2] == ["Overview", "Pump"]
        for asset in scene["assets"]:
            assert len(browser.get(asset["url"]).content) == asset["size_bytes"]
        ids = list({b["widget_id"] for node in scene["nodes"] for b in node["widgets"]})
        answers = browser.post("/v1/widgets/data", json={"ids": ids}).json()["widgets"]
        assert {answers[id_]["type"] for id_ in ids} == {"line", "bar", "single", "double"}
        half_a_day_ago = datetime.now(UTC) - timedelta(hours=12)
        past = browser.post("/v1/widgets/data", json={"ids": ids, "at": half_a_day_ago.isoformat()})
        level = [a for a in past.json()["widgets"].values() if a["title"] == "Tank level"]
        assert level[0]["value"] > 0


def has_values(data: dict[str, Any]) -> bool:
    if data["type"] == "double":
        return data["primary"]["value"] is not None and data["secondary"]["value"] is not None
    return data["value"] is not None if data["type"] == "single" else bool(data["values"])


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"width": 1280, "height": 720},
    "dark": {"width": 1280, "height": 720, "dark": True},
    "phone": {"width": 375, "height": 667},
    "kiosk": {"width": 1920, "height": 1080},
}
APART = """() => {
  const box = element => element.getBoundingClientRect();
  const shown = [...document.querySelectorAll('.as-card > .whole, .as-pill > .dot')].map(box);
  const bars = [...document.querySelectorAll('.title, .top nav, .scrubber, .alerts')].map(box);
  const over = (a, b) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const covered = (a, i) => [...shown.slice(i + 1), ...bars].some(b => over(a, b));
  return document.querySelectorAll('.as-card').length > 1 && shown.length > 4 && !shown.some(covered);
}"""
"""Whether cards are shown and none covers another or a bar; one that just grew moves a picture later."""


@pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent")
@pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built")
def test_the_scene_can_be_shown_to_a_customer(tmp_path: Path) -> None:
    with (
        demo(tmp_path / "data", tmp_path / "shown.txt") as running,
        sync_playwright() as playwright,
    ):
        scene_id, auth = running.viewer()
        token = auth["Authorization"].removeprefix("Bearer ")
        browser = launch_chromium(playwright)
        for look, size in LOOKS.items():
            watched = Watched(browser, **size)
            extra = "&kiosk=1" if look == "kiosk" else ""
            watched.page.goto(f"{running.url}/viewer/{scene_id}?token={token}{extra}")
            watched.page.wait_for_function(STANDS)
            watched.page.wait_for_function(APART)
            assert watched.complaints == []
            keep_picture(watched.page, f"demo-{look}")
            watched.page.close()
        browser.close()
        running.stop()


def assert_only_what_was_meant(running: Demo) -> None:
    """A stranger's terminal shows no log line, warning or traceback."""
    for noise in ("Traceback", "Warning", '{"', "cannot be sent", "refused"):
        unexpected = [
            line for line in running.printed().splitlines() if noise in line and "curl" not in line
        ]
        assert not unexpected


def ids_in(running: Demo) -> list[str]:
    """Return all ids and keys that were printed, in their order."""
    return re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}|tf[iv]?_[0-9a-z_]{60,}", running.printed())


def test_a_port_in_use_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_to_end("--data-dir", str(tmp_path / "data"), port=port)
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "data").exists()


def test_the_demo_keeps_out_of_a_database_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    done = run_to_end("--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "not a demo's" in done.stderr


def run_to_end(*options: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a demo that cannot start."""
    command = [sys.executable, "-m", "twin", "demo", "--port", str(port or free_port()), *options]
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
