"""The console in a real browser: what a plant's engineer does in it, without the command line."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from support.browser import CHROMIUM, PAGES
from support.server import RunningServer
from support.visit import Visit

CSV = b"""Time;Device;Flow;Remark
24.12.2025 13:05;pump;1.234,5;ok
24.12.2025 13:06;pump;1.240,0;ok
never;pump;1,0;ok
"""

pytestmark = [
    pytest.mark.one_home,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built"),
]


class Hook:
    """A receiver on loopback that refuses its first call and counts."""

    def __init__(self) -> None:
        received = self.received = []  # type: list[str]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                received.append(self.headers["X-Twinfeed-Delivery"])
                self.send_response(404 if len(received) == 1 else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def visit(browser: Browser, console_server: RunningServer) -> Iterator[Visit]:
    with browser.new_context(base_url=console_server.url) as context:
        yield Visit(context, console_server.url)


def test_a_first_reading_arrives(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    visit.sign_in(console_server.admin_key)
    page.get_by_role("link", name="Datasources").first.click()
    page.get_by_role("link", name="Create a datasource").click()
    page.get_by_label("Name", exact=True).fill("Pump line 1")
    page.get_by_label("Time zone").fill("Mars/Olympus")
    page.get_by_role("button", name="Create datasource").click()
    expect(page.get_by_text("is not an IANA time zone").first).to_be_visible()
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Create datasource").click()
    expect(page.get_by_text("Waiting for the first reading")).to_be_visible()
    url = page.locator("code", has_text="/ingest/").first.inner_text()
    key = page.locator("code", has_text="tfi_").first.inner_text()
    for name in ("curl", "Python", "Excel"):
        page.get_by_role("button", name=name, exact=True).click()
        snippet = page.get_by_label(f"{name} snippet", exact=True)
        expect(snippet).to_contain_text(url)
        expect(snippet).to_contain_text(key)
    body = {"device": "pump-1", "temperature": 42.5}
    sent = httpx.post(url, json=body, headers={"Authorization": f"Bearer {key}"})
    assert sent.status_code == 200
    row = page.get_by_role("row", name="pump-1")
    expect(row).to_contain_text("42.5")
    page.get_by_role("link", name="To the datasource").click()
    page.get_by_role("button", name="Edit temperature").click()
    page.get_by_label("Unit").fill("°C")
    page.get_by_role("button", name="Save").click()
    keys = page.get_by_role("table", name="Data keys")
    expect(keys.get_by_role("row", name="temperature")).to_contain_text("°C")
    expect(page.get_by_text(key)).to_have_count(0)
    visit.check(refused=1)


def test_a_file_is_looked_at_before_it_is_stored(
    visit: Visit, console_server: RunningServer
) -> None:
    page = visit.page
    source = console_server.datasource("uploads", timezone="Europe/Berlin")
    visit.sign_in(console_server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.open(f"datasources/{source.id}/upload")
    files = page.get_by_label("File", exact=True)
    files.set_input_files({"name": "export.csv", "mimeType": "text/csv", "buffer": CSV})
    expect(page.get_by_text("2 readings can be stored")).to_be_visible()
    expect(page.get_by_role("row", name="Time")).to_contain_text("time of the reading")
    expect(page.get_by_role("row", name="Device")).to_contain_text("name of the device")
    expect(page.get_by_role("row", name="Flow")).to_contain_text("numbers")
    expect(page.get_by_text("Row 4:")).to_be_visible()
    assert source.detail()["readings_total"] == 0
    page.get_by_role("button", name="Store 2 readings").click()
    expect(page.get_by_text("2 readings stored.")).to_be_visible()
    assert source.detail()["readings_total"] == 2
    keys = console_server.get(f"/v1/datasources/{source.id}/keys").json()["keys"]
    assert len(keys) == 1, "the key of the upload is deleted"
    visit.check()


def test_a_widget_is_drawn_while_it_is_made(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    source = console_server.datasource("drawn")
    assert source.post([{"flow": value} for value in (1, 2, 3)]).status_code == 200
    visit.sign_in(console_server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.open("widgets/new")
    page.get_by_label("Title").fill("Flow")
    page.get_by_label("Type").select_option("single")
    page.get_by_label("Datasource").select_option(label="drawn")
    page.get_by_label("Key", exact=True).fill("flow")
    expect(page.locator(".big strong")).to_have_text("3")
    assert source.post({"flow": 7}).status_code == 200
    expect(page.locator(".big strong")).to_have_text("7")
    page.get_by_label("Type").select_option("line")
    expect(page.get_by_role("img", name="Chart of Flow")).to_be_visible()
    page.get_by_role("button", name="Create widget").click()
    expect(page.get_by_role("link", name="Flow", exact=True)).to_be_visible()
    assert [w["title"] for w in console_server.get("/v1/widgets").json()["items"]] == ["Flow"]
    visit.check()


def test_an_alert_is_seen_acknowledged_and_told_again(
    visit: Visit, console_server: RunningServer, hook: Hook
) -> None:
    page = visit.page
    source = console_server.datasource("watched")
    assert source.post({"device": "m1", "heat": 20}).status_code == 200
    visit.sign_in(console_server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.open("webhooks/new")
    page.get_by_label("Name").fill("Shift leader")
    page.get_by_label("URL").fill(hook.url)
    page.get_by_role("button", name="Create webhook").click()
    expect(page.get_by_text("Nothing was sent yet")).to_be_visible()
    deliveries = page.url
    visit.open("alerts/rules/new")
    page.get_by_label("Name").fill("Too hot")
    page.get_by_label("Datasource").select_option(label="watched")
    page.get_by_label("Key").fill("heat")
    page.get_by_label("Threshold").fill("80")
    page.get_by_label("Ends at").fill("90")
    page.get_by_label("Severity").select_option("critical")
    page.get_by_label("Shift leader").check()
    page.get_by_role("button", name="Create rule").click()
    expect(page.locator(".field .problem")).to_contain_text("must not be above threshold")
    page.get_by_label("Ends at").fill("75")
    page.get_by_role("button", name="Create rule").click()
    expect(page.get_by_role("heading", name="Too hot")).to_be_visible()
    assert source.post({"device": "m1", "heat": 92.5}).status_code == 200
    visit.open("alerts")
    firing = page.get_by_role("listitem").filter(has_text="Too hot")
    expect(firing).to_contain_text("92.5")
    firing.get_by_role("button", name="Acknowledge").click()
    expect(firing).to_contain_text("Acknowledged by")
    visit.open("alerts/history")
    expect(page.get_by_role("row", name="Too hot")).to_contain_text("firing, critical")
    page.goto(deliveries)
    failed = page.get_by_role("row", name="404")
    expect(failed).to_contain_text("failed")
    failed.get_by_role("button", name="Re-send").click()
    expect(page.get_by_role("row", name="delivered")).to_contain_text("2 attempts")
    assert hook.received[0] == hook.received[1]
    visit.check(refused=1)


def test_a_scene_is_made_and_shown_by_a_token(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    visit.sign_in(console_server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.open("scenes")
    page.get_by_role("button", name="New scene").click()
    page.get_by_label("Name").fill("Hall 3")
    page.get_by_role("button", name="Create scene").click()
    page.get_by_role("button", name="New view token").click()
    page.get_by_label("Name").fill("gate")
    page.get_by_role("button", name="Create token").click()
    link = page.locator("code", has_text="/viewer/").inner_text()
    token = link.partition("token=")[2]
    scene = page.url.rpartition("/")[2]
    asked = {"Authorization": f"Bearer {token}"}
    path = f"{console_server.url}/v1/scenes/{scene}"
    assert httpx.get(path, headers=asked).json()["name"] == "Hall 3"
    page.get_by_role("button", name="Revoke gate").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("Nobody else can look yet")).to_be_visible()
    assert httpx.get(path, headers=asked).status_code == 401
    visit.check()


def test_a_datasource_is_deleted_by_its_name(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    source = console_server.datasource("to be deleted")
    visit.sign_in(console_server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.open(f"datasources/{source.id}/settings")
    page.get_by_role("button", name="Delete datasource").click()
    confirm = page.get_by_role("dialog")
    confirm.get_by_label("Type the name").fill("to be")
    confirm.get_by_role("button", name="Delete datasource").click()
    expect(confirm.get_by_text("Type exactly")).to_be_visible()
    confirm.get_by_label("Type the name").fill("to be deleted")
    confirm.get_by_role("button", name="Delete datasource").click()
    expect(page.get_by_role("heading", name="Datasources")).to_be_visible()
    assert console_server.get(f"/v1/datasources/{source.id}").status_code == 404
    visit.check()


def test_who_is_not_signed_in_sees_the_sign_in(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    visit.sign_in("tf_live_" + "0" * 64)
    expect(page.get_by_role("alert")).to_be_visible()
    made = console_server.post("/v1/keys", {"name": "short", "scopes": ["read"]}).json()
    visit.sign_in(made["api_key"])
    visit.open("datasources")
    expect(page.get_by_role("heading", name="Datasources")).to_be_visible()
    expect(page.get_by_role("link", name="New datasource")).to_have_count(0)
    visit.open("keys")
    expect(page.get_by_text("needs a key with the scope admin")).to_be_visible()
    assert page.context.cookies()[0]["httpOnly"]
    assert made["api_key"] not in str(page.context.cookies())
    visit.check()
    console_server.delete(f"/v1/keys/{made['key_id']}")
    visit.open("datasources")
    expect(page.get_by_text("The session has ended")).to_be_visible()
    visit.sign_in(console_server.admin_key)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Management key")).to_be_visible()
    assert page.context.cookies() == []


ROUTES = ["", "datasources", "widgets/new", "alerts", "alerts/rules/new", "alerts/history"]
ROUTES += ["alerts/silences", "webhooks/new", "scenes", "scenes/assets", "keys", "keys/audit"]


def test_every_page_fits_a_phone(browser: Browser, console_server: RunningServer) -> None:
    source = console_server.datasource("a name as long as people give them to their machines")
    assert source.post({f"key.{i}": i for i in range(12)}).status_code == 200
    phone = {"width": 375, "height": 700}
    with browser.new_context(base_url=console_server.url, viewport=phone) as context:  # type: ignore[arg-type]
        visit = Visit(context, console_server.url)
        page = visit.page
        visit.sign_in(console_server.admin_key)
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Datasources").first.click()
        expect(page.get_by_role("heading", name="Datasources")).to_be_visible()
        for path in [*ROUTES, f"datasources/{source.id}", f"datasources/{source.id}/upload"]:
            visit.open(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.get_by_text("Loading…")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
        visit.check()


def test_it_is_reached_by_keyboard(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    page.goto("/")
    expect(page.get_by_label("Management key")).to_be_focused()
    page.keyboard.type(console_server.admin_key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("link", name="Twinfeed").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Widgets")).to_be_visible()
    visit.open("widgets/new")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button, a")]
          .filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
          .map((one) => one.outerHTML)"""
    )
    assert unnamed == []
    visit.check()
