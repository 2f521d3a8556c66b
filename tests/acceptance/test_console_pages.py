"""More of the console in a real browser: files that are dropped, keys, applications, scenes, figures."""

import base64
import datetime
import io
from collections.abc import Iterator

import httpx
import openpyxl
import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import CHROMIUM, PAGES
from support.models import triangle
from support.server import RunningServer
from support.visit import Visit

pytestmark = [
    pytest.mark.one_home,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built"),
]

DROPPED = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], name));
  return dropped;
}"""


@pytest.fixture
def visit(browser: Browser, console_server: RunningServer) -> Iterator[Visit]:
    with browser.new_context(base_url=console_server.url) as context:
        yield Visit(context, console_server.url)


def dropped(page: Page, name: str, content: bytes) -> None:
    """Drop a file where the page says so."""
    box = page.get_by_text("Drop a file here")
    files = page.evaluate_handle(DROPPED, [name, base64.b64encode(content).decode()])
    box.dispatch_event("dragover", {"dataTransfer": files})
    box.dispatch_event("drop", {"dataTransfer": files})


def status_with(server: RunningServer, key: str) -> int:
    """What the server answers to who lists datasources with a key."""
    bearer = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{server.url}/v1/datasources", headers=bearer).status_code


def shown_secret(page: Page, prefix: str) -> str:
    """Read a secret that is shown once, and say that it was copied."""
    secret = page.locator("code", has_text=prefix).inner_text()
    page.get_by_role("button", name="I have copied it").click()
    expect(page.locator("code", has_text=prefix)).to_have_count(0)
    return secret


def test_a_workbook_is_dropped(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    source = console_server.datasource("drops")
    visit.enter(console_server.admin_key, f"datasources/{source.id}/upload")
    dropped(page, "old.xls", b"anything")
    expect(page.get_by_role("alert")).to_contain_text("save it as .xlsx")
    dropped(page, "damaged.xlsx", b"PK\x03\x04 no workbook")
    expect(page.get_by_role("alert")).to_contain_text("workbook")
    book = openpyxl.Workbook()
    for row in (
        ["Time", "Device", "Flow", "Open", "State"],
        [datetime.datetime(2025, 12, 24, 13, 5), "pump", 1234.5, True, "RUNNING"],
        [datetime.datetime(2025, 12, 24, 13, 6), "pump", 1240, False, "RUNNING"],
    ):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    dropped(page, "shift.xlsx", content.getvalue())
    expect(page.get_by_text("2 readings can be stored")).to_be_visible()
    table = page.get_by_role("table", name="How each column is read")
    for column, meaning in {
        "Time": "time of the reading",
        "Device": "name of the device",
        "Flow": "numbers",
        "Open": "yes or no",
        "State": "text",
    }.items():
        expect(table.get_by_role("row", name=column)).to_contain_text(meaning)
    assert source.detail()["readings_total"] == 0
    page.get_by_role("button", name="Store 2 readings").click()
    expect(page.get_by_text("2 readings stored.")).to_be_visible()
    kinds = {one["key"]: one["kind"] for one in source.detail()["data_keys"]}
    assert kinds == {"Flow": "number", "Open": "boolean", "State": "text"}
    visit.check(refused=1, status=400)


def test_a_key_is_made_rotated_disabled_and_deleted(
    visit: Visit, console_server: RunningServer
) -> None:
    page = visit.page
    visit.enter(console_server.admin_key, "keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("Reporting")
    page.get_by_role("button", name="Create key").click()
    first = shown_secret(page, "tf_live_")
    assert status_with(console_server, first) == 200
    page.get_by_role("button", name="Rotate Reporting").click()
    page.get_by_label("The old secret").select_option("0")
    page.get_by_role("button", name="Rotate", exact=True).click()
    second = shown_secret(page, "tf_live_")
    assert status_with(console_server, first) == 401
    assert status_with(console_server, second) == 200
    page.get_by_role("button", name="Disable Reporting").click()
    row = page.get_by_role("row", name="Reporting")
    expect(row).to_contain_text("disabled")
    assert status_with(console_server, second) == 401
    page.get_by_role("button", name="Delete Reporting").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    visit.open("keys/audit")
    expect(page.get_by_role("row", name="Reporting").first).to_be_visible()
    trail = page.get_by_role("table", name="Audit trail").inner_text()
    assert first not in trail
    assert second not in trail
    visit.check()


def test_an_application_has_a_token(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    visit.enter(console_server.admin_key, "keys/applications")
    page.get_by_role("button", name="New application").click()
    page.get_by_label("Name").fill("Dashboard")
    page.get_by_label("Requests per minute").fill("-1")
    page.get_by_role("button", name="Create application").click()
    expect(page.get_by_role("dialog").locator(".problem, .notice").first).to_be_visible()
    page.get_by_label("Requests per minute").fill("2")
    page.get_by_role("button", name="Create application").click()
    token = shown_secret(page, "tfa_")
    both = console_server.auth | {"X-App-Token": token}
    path = f"{console_server.url}/v1/datasources"
    assert {httpx.get(path, headers=both).status_code for _ in range(6)} == {200, 429}
    page.get_by_role("button", name="Rotate Dashboard").click()
    assert shown_secret(page, "tfa_") != token
    page.get_by_role("button", name="Disable Dashboard").click()
    expect(page.get_by_role("row", name="Dashboard")).to_contain_text("disabled")
    assert httpx.get(path, headers=both).status_code in (401, 403)
    page.get_by_role("button", name="Delete Dashboard").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No application yet")).to_be_visible()
    visit.check(refused=1)


def test_a_scene_comes_as_a_zip_and_models_as_files(
    visit: Visit, console_server: RunningServer
) -> None:
    page, server = visit.page, console_server
    visit.enter(server.admin_key, "scenes/assets")
    files = page.get_by_label("Upload a model")
    files.set_input_files({"name": "notes.glb", "mimeType": "", "buffer": b"only text\n" * 9})
    expect(page.get_by_role("alert")).to_contain_text("glTF")
    files.set_input_files({"name": "Fan.glb", "mimeType": "", "buffer": triangle()})
    expect(page.get_by_role("row", name="Fan")).to_contain_text("1 named part")
    asset = server.get("/v1/assets").json()["items"][0]["id"]
    source = server.datasource("of a widget")
    fields = {"type": "single", "title": "Speed", "datasource_id": source.id, "key": "rpm"}
    widget = server.post("/v1/widgets", fields).json()["id"]
    nodes = [{"id": "fan", "asset_id": asset, "widgets": [{"widget_id": widget}]}]
    scene = server.post("/v1/scenes", {"name": "Roof", "nodes": nodes}).json()["id"]
    page.get_by_role("button", name="Delete Fan").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Roof")
    archive = server.get(f"/v1/scenes/{scene}/export").content
    server.delete(f"/v1/widgets/{widget}")
    visit.open(f"scenes/{scene}")
    expect(page.get_by_role("status").filter(has_text="deleted")).to_contain_text("1 widget")
    server.delete(f"/v1/scenes/{scene}")
    visit.open("scenes")
    bring = page.get_by_label("Import a zip")
    bring.set_input_files(
        {"name": "no.zip", "mimeType": "", "buffer": archive[: len(archive) // 2]}
    )
    expect(page.get_by_role("alert")).to_be_visible()
    bring.set_input_files({"name": "roof.zip", "mimeType": "", "buffer": archive})
    expect(page.get_by_role("status").filter(has_text="Left out")).to_contain_text("1 widget")
    page.get_by_role("status").get_by_role("link", name="Roof").click()
    expect(page.get_by_role("heading", name="Roof")).to_be_visible()
    assert visit.foreign == []


def test_an_alertmanager_that_asks_for_a_user(visit: Visit, console_server: RunningServer) -> None:
    page = visit.page
    visit.sign_in(console_server.admin_key)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.open("webhooks/new")
    page.get_by_label("Name").fill("Manager")
    page.get_by_label("Type").select_option("alertmanager")
    page.get_by_label("URL").fill("http://127.0.0.1:9093")
    expect(page.get_by_label("Token")).to_be_visible()
    page.get_by_label("User").fill("twin:feed")
    page.get_by_label("Password").fill("s3cr3t-word")
    page.get_by_role("button", name="Create webhook").click()
    expect(page.locator(".field .problem")).to_contain_text("without a colon")
    page.get_by_label("User").fill("twinfeed")
    page.get_by_role("button", name="Create webhook").click()
    expect(page.get_by_text("the user twinfeed and a password")).to_be_visible()
    (made,) = console_server.get("/v1/webhooks").json()["items"]
    assert (made["type"], made["username"], made["has_secret"]) == (
        "alertmanager",
        "twinfeed",
        True,
    )
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("User").fill("")
    page.get_by_role("button", name="Save changes").click()
    told = page.get_by_role("definition").filter(has_text="a bearer token")
    expect(told).to_be_visible()  # the form, which speaks of one too, is gone
    assert console_server.get(f"/v1/webhooks/{made['id']}").json()["username"] is None
    assert console_server.delete(f"/v1/webhooks/{made['id']}").status_code == 204
    visit.check(refused=1)


EMPTY = {
    "datasources": "No datasource yet",
    "widgets": "No widget yet",
    "alerts": "No alert rule yet",
    "alerts/rules": "No alert rule yet",
    "alerts/history": "Nothing has happened yet",
    "alerts/silences": "Nothing is silenced",
    "webhooks": "No webhook yet",
    "scenes": "No scene yet",
    "scenes/assets": "No model yet",
    "keys/applications": "No application yet",
}


def test_where_there_is_nothing_it_says_what_to_do(
    visit: Visit, console_server: RunningServer
) -> None:
    page = visit.page
    fields = {"name": "try", "environment": "test", "scopes": ["admin"], "rate_limit": 500}
    key = console_server.post("/v1/keys", fields).json()["api_key"]
    visit.enter(key)
    expect(page.get_by_text("requests are left until")).to_contain_text("of 500")
    expect(page.get_by_text("Healthy")).to_be_visible()
    accepted = page.get_by_role("definition").filter(has_text="since the start")
    expect(accepted).to_contain_text("rejected")
    for path, title in EMPTY.items():
        visit.open(path)
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        advice = page.locator(".empty").first
        expect(advice.locator("p").first).to_be_visible()
    page.get_by_role("button", name="Dark theme").click()
    expect(page.locator("html[data-theme=dark]")).to_be_attached()
    page.reload()
    expect(page.locator("html[data-theme=dark]")).to_be_attached()
    expect(page.get_by_role("button", name="Light theme")).to_be_visible()
    visit.check(kept=["twinfeed-theme"])
