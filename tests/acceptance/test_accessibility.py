"""Every page measured by axe-core: WCAG 2.2 AA in light and in dark, labels, roles, keyboard."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support.browser import CHROMIUM, PAGES, launch_chromium
from support.models import triangle
from support.server import RunningServer, start_server
from support.visit import Visit

AXE = PAGES.parent / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = [
    pytest.mark.one_home,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is absent: the build installs it"),
]

MEASURED = """async (rules) => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const asked = { runOnly: rules ?? tags, resultTypes: ["violations"] };
  const { violations } = await axe.run(document, asked);
  const why = (node) => node.any[0]?.message ?? node.failureSummary;
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${why(node)}`));
}"""


class Measured(Visit):
    """A visit that collects what is hard to read or to reach, by page."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.found: dict[str, list[str]] = {}

    def measure(self, name: str) -> None:
        """All rules in light, then the contrast in dark."""
        page = self.page
        if not page.evaluate("() => 'axe' in globalThis"):
            page.evaluate(AXE.read_text("utf-8"))
        for look, rules in (("light", None), ("dark", ["color-contrast"])):
            page.emulate_media(color_scheme=look, reduced_motion="reduce")  # type: ignore[arg-type]
            expect(page.locator(f"html[data-theme={look}]")).to_be_attached()
            if poor := page.evaluate(MEASURED, rules):
                self.found[f"{name}, {look}"] = poor


@pytest.fixture(scope="module")
def measured(new_database: Any) -> Iterator[tuple[Measured, RunningServer]]:
    with start_server(new_database()) as server, sync_playwright() as playwright:
        browser: Browser = launch_chromium(playwright)
        with browser.new_context(base_url=server.url) as context:
            yield Measured(context, server.url), server
        browser.close()


def _plant(server: RunningServer) -> dict[str, str]:
    """Make one of everything, an alert that fires among it; return their ids."""
    source = server.datasource("Pump line", description="of hall 3")
    assert source.post([{"device": "p1", "heat": 20, "state": "on"}]).status_code == 200
    common = {"datasource_id": source.id, "key": "heat"}
    ids = {"source": source.id}
    for type_ in ("single", "line"):
        fields = {"type": type_, "title": f"Heat, {type_}", "range": "1h", **common}
        ids[type_] = server.post("/v1/widgets", fields).json()["id"]
    hook = {"name": "Shift leader", "url": "http://127.0.0.1:9/hook"}
    ids["hook"] = server.post("/v1/webhooks", hook).json()["id"]
    rule = {"name": "Too hot", "condition": "greater_than", "threshold": 80, "severity": "critical"}
    ids["rule"] = server.post("/v1/alerts", {**common, **rule, "webhooks": [ids["hook"]]}).json()[
        "id"
    ]
    assert source.post([{"device": "p1", "heat": 95}]).status_code == 200
    server.post("/v1/applications", {"name": "Dashboard"})
    glb = server.auth | {"Content-Type": "model/gltf-binary"}
    asset = server.client.post("/v1/assets?name=fan", content=triangle(), headers=glb).json()["id"]
    nodes: list[dict[str, Any]] = [
        {"id": "tank", "primitive": "tank", "widgets": [{"widget_id": ids["single"]}]},
        {"id": "pipe", "primitive": "pipe", "position": [2, 0, 0], "parent": "tank"},
        {"id": "fan", "asset_id": asset, "position": [-2, 0, 0],
         "widgets": [{"widget_id": ids["line"], "display": "chart"}]},
    ]  # fmt: skip
    camera = {"name": "Gate", "position": [4, 3, 6], "target": [0, 1, 0]}
    scene = server.post("/v1/scenes", {"name": "Hall 3", "nodes": nodes, "cameras": [camera]})
    return ids | {"scene": scene.json()["id"]}


def test_the_console_can_be_read_and_reached(measured: tuple[Measured, RunningServer]) -> None:
    visit, server = measured
    ids = _plant(server)
    page = visit.page
    page.goto("/")
    expect(page.get_by_label("Management key")).to_be_visible()
    visit.measure("sign-in")
    visit.enter(server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    source, rules = f"datasources/{ids['source']}", "alerts/rules"
    for path in (
        *("", "datasources", "datasources/new", source, f"{source}/upload", f"{source}/settings"),
        *("widgets", "widgets/new", "alerts", rules, f"{rules}/new", f"{rules}/{ids['rule']}"),
        *("alerts/history", "webhooks", "webhooks/new", f"webhooks/{ids['hook']}", "scenes"),
        *(f"scenes/{ids['scene']}", "scenes/assets", "keys", "keys/applications", "keys/audit"),
    ):
        visit.open(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Loading…")).to_have_count(0)
        visit.measure(path or "overview")
    visit.open("keys")
    page.get_by_role("button", name="New key").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    visit.measure("dialog")
    assert not visit.found, json.dumps(visit.found, indent=1)


def test_the_viewer_and_editor_can_be_read_and_reached(
    measured: tuple[Measured, RunningServer],
) -> None:
    visit, server = measured
    page = visit.page
    visit.found = {}
    scene = server.get("/v1/scenes").json()["items"][0]["id"]
    visit.enter(server.admin_key)
    page.goto(f"/viewer/{scene}?view=2d")
    expect(page.get_by_role("article").first).to_be_visible()
    visit.measure("board")
    page.goto(f"/viewer/{scene}")
    page.wait_for_function("() => globalThis.twinfeedWorld?.frames > 0")
    expect(page.get_by_role("article").first).to_be_attached()
    visit.measure("viewer")
    page.get_by_label("Edit", exact=True).click()
    tree = page.get_by_label("Editor").get_by_label("Nodes")
    for details in page.get_by_label("Editor").locator("details > summary").all():
        details.click()
    for name in ("fan", "pipe"):
        tree.get_by_role("button", name=name).click()
        expect(page.get_by_role("region", name="Properties")).to_be_visible()
        visit.measure(f"editor, {name}")
    assert not visit.found, json.dumps(visit.found, indent=1)


def test_the_editor_is_reached_by_keyboard(measured: tuple[Measured, RunningServer]) -> None:
    visit, server = measured
    page: Page = visit.page
    scene = server.get("/v1/scenes").json()["items"][0]["id"]
    page.goto("about:blank")
    page.goto(f"/viewer/{scene}")
    page.wait_for_function("() => globalThis.twinfeedWorld?.frames > 0")
    page.get_by_label("Edit", exact=True).focus()
    page.keyboard.press("Enter")
    editor = page.get_by_label("Editor")
    chosen = editor.get_by_label("Nodes").get_by_role("button", name="tank")
    chosen.focus()
    page.keyboard.press("Enter")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("e")
    expect(editor.get_by_label("Rotate")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Delete")
    expect(chosen).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(chosen).to_be_visible()
    page.keyboard.press("Control+s")
    expect(editor.get_by_role("button", name="Saved")).to_be_visible()
