"""How many pictures a second the viewer draws while a scene turns, and how soon the first one stands.

Chromium without a graphics card, as the tests use it: the processor draws. Counted are the pictures
that the viewer drew while the animation frames of the browser turned the camera; every widget gets a new
value each second meanwhile.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.home import Home
from tests.bench.options import Options
from tests.bench.report import Table, Tables
from tests.support.browser import launch_chromium
from tests.support.server import ADMIN_KEY, Datasource
from twin.clock import now_us
from twin.demo.api import Api
from twin.demo.model.models import MODELS, model
from twin.demo.setup import set_up
from twin.demo.state import State
from twin.scenes.glb import MEDIA_TYPE

NODES = 100
TYPES = ("single",) * 20 + ("double",) * 10 + ("line",) * 12 + ("bar",) * 8
"""The widgets: 50."""
GOAL_PER_S = 20.0
GOAL_FIRST_S = 2.0
WIDTH, HEIGHT = 1280, 720
SHAPES = ("tank", "box", "cylinder", "pipe", "conveyor", "sphere")
COLORS = ("#8fa3b5", "#3f7fbf", "#c9cdd1", "#d9a441")
DISPLAYS: tuple[dict[str, Any], ...] = (
    {"kind": "card"},
    {"kind": "gauge", "min": 0, "max": 100},
    {"kind": "chart"},
    {"kind": "label"},
    {"kind": "card"},
    {"kind": "color", "ranges": [{"from": 50, "color": "#d9480f"}]},
    {"kind": "card"},
    {"kind": "motion", "axis": "y", "factor": 0.2},
)
TURN = """async (seconds) => {
  const world = twinfeedWorld, before = world.frames, gaps = [];
  const began = await new Promise(requestAnimationFrame);
  let last = began;
  while (last - began < seconds * 1000) {
    world.orbit(1.5, 0);
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  gaps.sort((a, b) => a - b);
  const { calls, triangles } = world.drawn;
  return {
    perS: (world.frames - before) / (last - began) * 1000,
    slow: gaps[Math.floor(gaps.length * 0.95)],
    calls, triangles, ratio: world.renderer.getPixelRatio(),
  };
}"""
LOADED = "() => globalThis.twinfeedWorld?.frames > 2 && !document.querySelector('.progress')"
FIRST_MS = "performance.getEntriesByName('first-picture')[0]?.startTime ?? 0"


def measure(home: Home, options: Options) -> Tables:
    """Turn a scene of shapes, one of models and the demo's, which is loaded several times, too."""
    source = home.server.datasource("Hall")
    widgets = [_widget(home, source, i, type_) for i, type_ in enumerate(TYPES)]
    shapes = [{"primitive": {"type": SHAPES[i % 6], "color": COLORS[i % 4]}} for i in range(NODES)]
    ids = [_asset(home, name) for name in MODELS]
    models = [{"asset_id": ids[i % len(ids)]} for i in range(NODES)]
    scenes = {
        f"{NODES} shapes": _scene(home, shapes, widgets),
        f"{NODES} copies of the demo's models": _scene(home, models, widgets),
        "the demo": _demo(home),
    }
    with sync_playwright() as playwright, _readings(source):
        browser = launch_chromium(playwright)
        tables = [_turning(browser, scenes, options), _first(browser, scenes, options)]
        browser.close()
    return Tables(tables)


def _turning(browser: Browser, scenes: dict[str, str], options: Options) -> Table:
    table = Table(
        f"A scene of {len(TYPES)} widgets turns, {WIDTH} x {HEIGHT}, drawn by the processor",
        ["", "pictures/s", "95 % of frames", "draw calls", "triangles", "pixel ratio", "goal"],
    )
    for name, address in scenes.items():
        page = _opened(browser, address)
        rounds = [page.evaluate(TURN, options.seconds) for _ in range(options.rounds)]
        page.close()
        per_s = [r["perS"] for r in rounds]
        last = rounds[-1]
        table.add(
            name,
            f"{median(per_s):.1f} ({min(per_s):.1f}-{max(per_s):.1f})",
            f"<= {median(r['slow'] for r in rounds):.0f} ms",
            f"{last['calls']}",
            f"{last['triangles']:,}",
            f"{last['ratio']:.2f}",
            f">= {GOAL_PER_S:.0f}: {'reached' if median(per_s) >= GOAL_PER_S else 'missed'}",
        )
    return table


def _first(browser: Browser, scenes: dict[str, str], options: Options) -> Table:
    table = Table(
        "The first picture after the address was opened, nothing cached",
        ["", "median", "worst", "goal"],
    )
    for name, address in scenes.items():
        took = []
        for _ in range(options.rounds):
            page = _opened(browser, address)
            took.append(float(page.evaluate(FIRST_MS)) / 1000)
            page.close()
        reached = "reached" if median(took) <= GOAL_FIRST_S else "missed"
        goal = f"<= {GOAL_FIRST_S:.0f} s: {reached}"
        table.add(name, f"{median(took):.2f} s", f"{max(took):.2f} s", goal)
    return table


def _opened(browser: Browser, address: str) -> Page:
    """Open a page of its own, with nothing in its cache, and wait until its models stand."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(address)
    page.wait_for_function(LOADED)
    return page


def _widget(home: Home, source: Datasource, number: int, type_: str) -> str:
    key = {"primary_key": f"k{number}", "secondary_key": "k0"}
    fields = key if type_ == "double" else {"key": f"k{number}"}
    if type_ in ("line", "bar"):
        fields |= {"range": "15m", "bucket": "10s" if type_ == "line" else "1m"}
    body = {"type": type_, "title": f"{type_} {number}", "datasource_id": source.id, **fields}
    return str(_made(home, "/v1/widgets", body)["id"])


def _asset(home: Home, name: str) -> str:
    headers = home.server.auth | {"Content-Type": MEDIA_TYPE}
    path = f"/v1/assets?name={quote(name)}"
    answer = home.server.client.post(path, content=model(name), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _scene(home: Home, nodes: list[dict[str, Any]], widgets: list[str]) -> str:
    """Make a scene of nodes in rows with a widget on every second; return its address."""
    for i, node in enumerate(nodes):
        node |= {"id": f"n{i}", "position": [(i % 10 - 4.5) * 4.0, 0.0, (i // 10 - 4.5) * 4.0]}
        if i % 2 == 0:
            display = DISPLAYS[i // 2 % len(DISPLAYS)]
            node["widgets"] = [{"widget_id": widgets[i // 2], "display": display}]
    made = _made(home, "/v1/scenes", {"name": "Hall", "nodes": nodes})
    return str(_made(home, f"/v1/scenes/{made['id']}/view-tokens", {})["url"])


def _demo(home: Home) -> str:
    state = State(ADMIN_KEY, "0" * 64)
    with Api(home.server.url, ADMIN_KEY) as api, TemporaryDirectory() as directory:
        stage = set_up(api, Path(directory), state, "http://127.0.0.1:9/", now_us()).stage
    return f"{home.server.url}/viewer/{stage.scene_id}?token={stage.token}"


def _made(home: Home, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = home.server.post(path, body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@contextmanager
def _readings(source: Datasource) -> Iterator[None]:
    """Send a value of each key every second."""
    over = threading.Event()

    def send() -> None:
        second = 0
        while not over.wait(1.0):
            second += 1
            body = {f"k{i}": (second * 7 + i * 13) % 100 for i in range(len(TYPES))}
            assert source.post(body).status_code == 200

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
