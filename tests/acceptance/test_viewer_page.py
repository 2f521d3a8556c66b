"""The viewer's page in a real browser, on a real server."""

import time
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect
from support.browser import CHROMIUM, PAGES, STANDS, Watched, keep_picture, launch_chromium
from support.server import RunningServer, launch, start_server

from twin.db.pool import conninfo

pytestmark = [
    pytest.mark.one_home,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built"),
]


FRONT = {"name": "Front", "position": [1.5, 3, 7], "target": [1.5, 0.5, 0]}
POSITION = "twinfeedWorld.camera.position.toArray()"
CONTRASTS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0.5) return color;
    }
  };
  const told = {};
  for (const what of ['h1', '.badge', '.card h3', '.card b', '.card time', '.ticks span', '.alerts h2'])
    for (const element of document.querySelectorAll(what)) {
      const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
      told[what] = Math.min(told[what] ?? 21, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
  return told;
}"""


class Hall:
    """A scene of a tank and a motor with three widgets, a rule, and a token."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.source = server.datasource("hall")
        self.began = time.time()
        past = [{"ts": self.began - 1800, "temp": 11}, {"ts": self.began - 60, "temp": 42}]
        assert self.source.post(past).status_code == 200
        common = {"datasource_id": self.source.id, "key": "temp"}
        single = self._widget(type="single", title="Temperature", **common)
        line = self._widget(type="line", title="Course", range="1h", bucket="1m", **common)
        rule = {"name": "Too hot", "condition": "greater_than", "threshold": 80}
        made = server.post("/v1/alerts", {**common, **rule, "severity": "critical"})
        assert made.status_code == 201, made.text
        nodes: list[dict[str, Any]] = [
            {
                "id": "motor",
                "name": "Motor",
                "primitive": "cylinder",
                "widgets": [{"widget_id": single}],
            },
            {
                "id": "tank",
                "primitive": "tank",
                "position": [3, 0, 0],
                "widgets": [{"widget_id": line, "display": "chart"}],
            },
        ]
        body = {"name": "Hall 1", "nodes": nodes, "cameras": [FRONT]}
        scene = server.post("/v1/scenes", body)
        assert scene.status_code == 201, scene.text
        self.tokens = f"/v1/scenes/{scene.json()['id']}/view-tokens"
        self.address = self.token()["url"]

    def _widget(self, **fields: Any) -> str:
        answer = self.server.post("/v1/widgets", fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def token(self) -> dict[str, Any]:
        return dict(self.server.post(self.tokens).json())

    def send(self, temp: float) -> None:
        assert self.source.post({"temp": temp}).status_code == 200


@pytest.fixture(scope="module")
def hall(server: RunningServer) -> Hall:
    return Hall(server)


def card(page: Page, title: str = "Temperature") -> Any:
    return page.get_by_role("article", name=title)


def colour(page: Page) -> str:
    """The colour of the motor in the 3D picture."""
    script = "twinfeedWorld.plant.built.get('motor').body.material.color.getHexString()"
    return str(page.evaluate(script))


def test_a_scene_lives(browser: Browser, hall: Hall) -> None:
    watched = Watched(browser)
    page = watched.page
    page.goto(hall.address)
    expect(card(page)).to_contain_text("42")
    expect(page.locator("[data-link=live]")).to_be_visible()
    page.wait_for_function(STANDS)
    calm = colour(page)
    hall.send(95.5)
    expect(card(page)).to_contain_text("95.5")
    expect(card(page).get_by_role("img", name="critical: Too hot")).to_be_attached()
    entry = page.get_by_label("Alerts", exact=True).get_by_role("button", name="Motor")
    expect(entry).to_be_visible()
    page.wait_for_function("colour => colour !== twinfeedWorld.plant.built.get('motor').body"
                           ".material.color.getHexString()", arg=calm)  # fmt: skip
    keep_picture(page, "hall-alarm")
    entry.click()
    page.get_by_label("Shown time").fill("600")  # of 1000: 24 minutes ago
    expect(card(page)).to_contain_text("11")
    expect(page.get_by_text("All quiet at this time.")).to_be_visible()
    page.wait_for_function("colour => colour === twinfeedWorld.plant.built.get('motor').body"
                           ".material.color.getHexString()", arg=calm)  # fmt: skip
    page.get_by_role("button", name="Live").click()
    expect(card(page)).to_contain_text("95.5")
    page.get_by_label("Board").click()
    expect(page.get_by_role("heading", name="Motor")).to_be_visible()
    assert watched.complaints == []
    assert watched.strangers(hall.server.url) == []
    page.close()


def test_a_token_that_ends_or_is_not_for_this_scene(browser: Browser, hall: Hall) -> None:
    watched = Watched(browser)
    page = watched.page
    made = hall.token()
    page.goto(made["url"])
    expect(card(page)).to_be_attached()
    assert hall.server.delete(f"{hall.tokens}/{made['token_id']}").status_code == 204
    expect(page.get_by_role("alert")).to_contain_text("does not work any more")
    other = Hall(hall.server)
    page.goto(hall.address.partition("?")[0] + "?token=" + other.token()["token"])
    expect(page.get_by_role("alert")).to_contain_text("another scene")
    page.goto(hall.address.partition("?")[0])
    expect(page.get_by_role("alert")).to_contain_text("Sign in")
    page.close()


def test_a_token_that_expired(browser: Browser, hall: Hall) -> None:
    made = hall.token()
    assert hall.server.database_url is not None
    with psycopg.connect(conninfo(hall.server.database_url), autocommit=True) as conn:
        changed = conn.execute(
            "UPDATE view_tokens SET expires_at = now() - interval '1 s' WHERE token_id = %s",
            [made["token_id"]],
        )
        assert changed.rowcount == 1
    page = Watched(browser).page
    page.goto(made["url"])
    expect(page.get_by_role("alert")).to_contain_text("expired or was revoked")
    page.close()


def test_the_past_is_played_back(browser: Browser, server: RunningServer) -> None:
    page = Watched(browser).page
    page.goto(Hall(server).address + "&view=2d")
    expect(card(page)).to_contain_text("42")
    time_ = page.get_by_label("Shown time")
    time_.fill("600")
    expect(card(page)).to_contain_text("11")
    page.get_by_label("Speed").select_option("1×")
    shown = time_.get_attribute("aria-valuetext") or ""
    page.get_by_role("button", name="Play").click()
    expect(time_).not_to_have_attribute("aria-valuetext", shown)
    page.get_by_label("Speed").select_option("600×")
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")
    expect(card(page)).to_contain_text("42")
    page.close()


def test_without_the_stream_it_is_polled(browser: Browser, server: RunningServer) -> None:
    hall = Hall(server)
    page = Watched(browser).page
    page.route("**/v1/stream?**", lambda route: route.abort())
    page.goto(hall.address + "&view=2d")
    expect(page.locator("[data-link=polling]")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("The live stream is away")
    hall.send(55.25)
    expect(card(page)).to_contain_text("55.25")
    page.unroute("**/v1/stream?**")
    expect(page.locator("[data-link=live]")).to_be_visible()
    page.close()


def test_by_keyboard(browser: Browser, hall: Hall) -> None:
    page = Watched(browser).page
    page.goto(hall.address)
    page.wait_for_function(STANDS)
    start = page.evaluate(POSITION)
    assert start == pytest.approx(FRONT["position"], abs=0.01)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        f"start => {POSITION}.some((n, i) => Math.abs(n - start[i]) > 0.2)", arg=start
    )
    page.keyboard.press("1")
    page.wait_for_function(
        f"start => {POSITION}.every((n, i) => Math.abs(n - start[i]) < 0.01)", arg=start
    )
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate(
            "document.activeElement.querySelector('[aria-label=Temperature]') !== null"
        ):
            break
    expect(page.locator(".whole:focus-visible")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_function("() => Math.abs(twinfeedWorld.controls.target.x) < 0.2")  # the motor
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement === document.body")
    page.close()


def test_on_the_wall_and_in_full_screen(browser: Browser, hall: Hall) -> None:
    page = Watched(browser, 1280, 720).page
    page.goto(hall.address + "&kiosk=1")
    page.wait_for_function(STANDS)
    expect(card(page)).to_be_visible()
    expect(page.get_by_role("heading", name="Hall 1")).to_be_visible()
    expect(page.get_by_label("Shown time")).to_be_hidden()
    expect(page.get_by_label("Full screen")).to_be_hidden()
    keep_picture(page, "hall-kiosk")
    page.goto(hall.address + "&view=2d")
    page.get_by_label("Full screen").click()
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.get_by_label("Full screen").click()
    page.wait_for_function("() => document.fullscreenElement === null")
    page.close()


def test_dark_and_light_can_be_read(browser: Browser, hall: Hall) -> None:
    page = Watched(browser, dark=True).page
    page.goto(hall.address + "&view=2d")
    for theme, other in (("dark", "Light colours"), ("light", "Dark colours")):
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        expect(card(page)).to_be_visible()
        found = page.evaluate(CONTRASTS)
        assert {"h1", ".card h3", ".card b", ".ticks span"} <= set(found)
        assert min(found.values()) >= 4.5, found
        keep_picture(page, f"hall-board-{theme}")
        page.get_by_label(other).click()
    page.close()


def test_a_phone(browser: Browser, hall: Hall) -> None:
    page = Watched(browser, 375, 667).page
    page.goto(hall.address)
    expect(page.locator(".anchored.as-card, .anchored.as-pill").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.wait_for_function(STANDS)
    keep_picture(page, "hall-phone")
    expect(page.get_by_role("button", name="Live")).to_be_in_viewport(ratio=1)
    page.close()


def test_without_webgl(playwright: Playwright, hall: Hall) -> None:
    flat = launch_chromium(playwright, webgl=False)
    page = Watched(flat).page
    page.goto(hall.address)
    expect(page.get_by_role("status").filter(has_text="no WebGL")).to_be_visible()
    expect(card(page)).to_be_visible()
    expect(card(page, "Course").locator("canvas")).to_be_visible()
    flat.close()


def test_a_scene_is_edited(browser: Browser, hall: Hall) -> None:
    page = Watched(browser).page
    signed = page.request.post(
        f"{hall.server.url}/v1/session", data={"api_key": hall.server.admin_key}
    )
    assert signed.status == 201
    path = hall.tokens.removesuffix("/view-tokens")
    page.goto(hall.server.url + path.replace("/v1/scenes", "/viewer"))
    page.get_by_label("Edit").click()
    editor = page.get_by_label("Editor")
    editor.get_by_label("Add a node").select_option("conveyor")
    editor.get_by_label("Name", exact=True).fill("Belt")
    editor.get_by_label("Name", exact=True).press("Enter")
    editor.get_by_label("Bind a widget").select_option(index=1)
    editor.get_by_label("Shown as").select_option("gauge")
    editor.get_by_label("Max").fill("60")
    editor.get_by_label("Max").press("Enter")
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("button", name="Saved")).to_be_visible()
    scene = hall.server.get(path).json()
    belt = scene["nodes"][-1]
    assert (scene["revision"], belt["name"], belt["primitive"]["type"]) == (2, "Belt", "conveyor")
    assert belt["widgets"][0]["display"] == {"kind": "gauge", "min": 0, "max": 60}
    editor.get_by_label("Undo").click()
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("button", name="Saved")).to_be_visible()
    assert hall.server.get(path).json()["nodes"][-1]["widgets"][0]["display"]["max"] == 100
    hall.server.patch(path, {"name": "Renamed by another"})
    editor.get_by_role("button", name="Delete").click()
    editor.get_by_role("button", name="Save").click()
    expect(editor.get_by_role("alert")).to_contain_text("revision")
    editor.get_by_role("button", name="Load the newer one").click()
    expect(page.get_by_role("heading", name="Renamed by another")).to_be_visible()
    page.close()


def test_a_server_that_starts_again(browser: Browser, database_url: str) -> None:
    with start_server(database_url) as server:
        hall = Hall(server)
        watched = Watched(browser)
        page = watched.page
        page.goto(hall.address)
        expect(card(page)).to_contain_text("42")
        port = int(server.url.rpartition(":")[2])
        server.stop()
        expect(page.locator("[data-link=offline]")).to_be_visible()
        expect(card(page)).to_contain_text("42")
    again = launch(database_url, port=port)
    try:
        expect(page.locator("[data-link=live]")).to_be_visible()
        hall.source.server = again
        hall.send(7.25)
        expect(card(page)).to_contain_text("7.25")
    finally:
        page.close()
        assert again.stop() == 0
        again.log.unlink(missing_ok=True)
