"""The scene editor in a real browser: handles that are dragged, models that are dropped, saving."""

import base64
from pathlib import Path
from typing import Any

import pytest
import trimesh
from playwright.sync_api import Browser, Page, expect
from support.browser import CHROMIUM, PAGES, Watched
from support.server import RunningServer

pytestmark = [
    pytest.mark.one_home,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built"),
]

# Where a handle of the chosen node is: the middle of an arrow, or the ring's first point.
HANDLE = """([mode, name]) => {
  const root = twinfeedWorld.stage.scene.children.find((one) => one.isTransformControlsRoot);
  root.updateMatrixWorld(true);
  const picker = root.children.find((one) => one.isTransformControlsGizmo).picker[mode];
  const mesh = picker.children.find((one) => one.name === name);
  mesh.geometry.computeBoundingSphere();
  const at = mesh.geometry.boundingSphere.center.clone();
  if (mode === 'rotate') at.fromBufferAttribute(mesh.geometry.attributes.position, 0).setLength(0.5);
  const { x, y } = twinfeedWorld.project(at.applyMatrix4(mesh.matrixWorld));
  return [x, y];
}"""
# Where a part of a model is.
PART = """([id, name]) => {
  let at = null;
  twinfeedWorld.plant.built.get(id)?.body?.traverse((one) => {
    if ((one.userData.name ?? one.name) !== name) return;
    at = one.getWorldPosition(twinfeedWorld.camera.position.clone());
  });
  if (!at) return null;
  const { x, y } = twinfeedWorld.project(at);
  return [x, y];
}"""
DROPPED = """(content) => {
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], 'Two feet.glb'));
  return dropped;
}"""


class Desk:
    """A scene that is open in the editor."""

    def __init__(self, browser: Browser, server: RunningServer, **scene: Any) -> None:
        self.server = server
        made = server.post("/v1/scenes", {"name": "Hall", **scene})
        assert made.status_code == 201, made.text
        self.path = f"/v1/scenes/{made.json()['id']}"
        self.watched = Watched(browser, 1200, 800)
        self.page: Page = self.watched.page
        session = {"api_key": server.admin_key}
        assert self.page.request.post(f"{server.url}/v1/session", data=session).status == 201
        self.page.goto(server.url + self.path.replace("/v1/scenes", "/viewer"))
        self.page.get_by_label("Edit", exact=True).click()
        self.editor = self.page.get_by_label("Editor")
        self.drawn()

    def drawn(self) -> None:
        """Wait until the camera stands and the picture is as the scene says."""
        self.page.wait_for_function(
            "() => new Promise((done) => { const at = twinfeedWorld.camera.position.clone();"
            "requestAnimationFrame(() => requestAnimationFrame(() =>"
            "done(at.distanceTo(twinfeedWorld.camera.position) < 1e-6))) })"
        )

    def choose(self, name: str) -> None:
        self.editor.get_by_label("Nodes").get_by_role("button", name=name).click()
        self.page.wait_for_function(
            "() => twinfeedWorld.stage.scene.children.some("
            "(one) => one.isTransformControlsRoot && one.visible && one.controls.object)"
        )

    def drag(self, mode: str, handle: str, across: int, down: int) -> None:
        """Drag a handle by pixels."""
        self.drawn()
        x, y = self.page.evaluate(HANDLE, [mode, handle])
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + across, y + down, steps=6)
        mouse.up()

    def field(self, group: str, part: str) -> Any:
        return self.editor.get_by_role("group", name=group).get_by_label(part, exact=True)

    def numbers(self, group: str, parts: str = "xyz") -> list[float]:
        return [float(self.field(group, part).input_value()) for part in parts]

    def save(self) -> dict[str, Any]:
        self.editor.get_by_role("button", name="Save").click()
        expect(self.editor.get_by_role("button", name="Saved")).to_be_visible()
        return dict(self.server.get(self.path).json())


def test_handles_move_turn_and_scale(browser: Browser, server: RunningServer) -> None:
    quaternion = [0, 0.7071068, 0, 0.7071068]
    desk = Desk(
        browser,
        server,
        nodes=[{"id": "turned", "primitive": "box", "rotation": quaternion}],
        cameras=[{"name": "near", "position": [3, 3, 5], "target": [0, 0.5, 0]}],
    )
    desk.choose("turned")
    desk.drag("translate", "X", 90, 15)
    expect(desk.field("Position, m", "x")).not_to_have_value("0")
    x, y, z = desk.numbers("Position, m")
    assert x > 0
    assert (x % 0.25, y, z) == (0, 0, 0), "snapped, along one axis"
    assert desk.numbers("Rotation", "xyzw") == quaternion, "moving turns nothing"
    desk.page.keyboard.press("Control+z")
    expect(desk.field("Position, m", "x")).to_have_value("0")
    desk.page.keyboard.press("Control+y")
    expect(desk.field("Position, m", "x")).to_have_value(f"{x:g}")
    desk.editor.get_by_label("Rotate").click()
    desk.drag("rotate", "Y", 40, 60)
    expect(desk.field("Rotation", "y")).not_to_have_value("0.7071068")
    assert len(turned := desk.numbers("Rotation", "xyzw")) == 4
    assert sum(part**2 for part in turned) == pytest.approx(1, abs=1e-5), "still a quaternion"
    desk.editor.get_by_label("Rotation as").select_option("degrees")
    expect(desk.field("Rotation", "w")).to_have_count(0)
    assert desk.numbers("Position, m") == [x, 0, 0]
    desk.editor.get_by_label("Scale (R)").click()
    desk.drag("scale", "Y", 0, -60)
    expect(desk.field("Scale", "y")).not_to_have_value("1")
    node = desk.save()["nodes"][0]
    assert node["position"] == [x, 0, 0]
    assert len(node["rotation"]) == 3
    assert node["scale"][1] > 1
    assert (node["scale"][0], node["scale"][2]) == (1, 1)
    assert desk.watched.complaints == []
    desk.page.close()


def test_a_pipe_is_led_by_its_points(browser: Browser, server: RunningServer) -> None:
    camera = {"name": "near", "position": [3, 4, 6], "target": [1, 0.5, 0]}
    desk = Desk(browser, server, cameras=[camera])
    desk.editor.get_by_label("Add a node").select_option("pipe")
    desk.editor.get_by_label("Add after point 1").click()
    expect(desk.field("Point 2, m", "x")).to_have_value("1")
    expect(desk.editor.get_by_label("Drag point 2 in the picture")).to_have_attribute(
        "aria-pressed", "true"
    )
    desk.drag("translate", "Y", 0, -80)
    expect(desk.field("Point 2, m", "y")).not_to_have_value("1")
    desk.field("Point 3, m", "z").fill("2")
    desk.field("Point 3, m", "z").press("Enter")
    desk.editor.get_by_label("Remove point 1").click()
    node = desk.save()["nodes"][0]
    (x, y, z), last = node["primitive"]["path"]
    assert (x, z, last) == (1, 0, [2, 1, 2])
    assert y > 1
    assert node["position"] == [0, 0, 0]
    expect(desk.editor.get_by_label("Remove point 1")).to_be_disabled()
    desk.page.close()


def test_models_come_by_drop_and_their_parts_by_click(
    browser: Browser, server: RunningServer, tmp_path: Path
) -> None:
    widget = server.post(
        "/v1/widgets",
        {"type": "single", "title": "Load", "datasource_id": server.datasource("feet").id, "key": "kg"},
    ).json()["id"]  # fmt: skip
    camera = {"name": "near", "position": [1, 3, 6], "target": [0, 0, 0]}
    desk = Desk(browser, server, cameras=[camera])
    files = desk.editor.get_by_label("Upload a model")
    files.set_input_files(
        {"name": "notes.glb", "mimeType": "", "buffer": b"just a text file\n" * 9}
    )
    expect(desk.editor.get_by_role("alert")).to_contain_text("notes.glb: ")
    expect(desk.editor.get_by_role("alert")).to_contain_text("binary glTF")
    huge = tmp_path / "huge.glb"
    with huge.open("wb") as sparse:
        sparse.truncate(2**30)
    files.set_input_files(huge)
    expect(desk.editor.get_by_role("alert")).to_contain_text("huge.glb: A model has at most")
    feet = trimesh.Scene()
    for name, x in (("Left foot", -1), ("Right foot", 1)):
        place = trimesh.transformations.translation_matrix([x, 0, 0])
        feet.add_geometry(trimesh.creation.box((1, 1, 1)), node_name=name, transform=place)
    content = base64.b64encode(feet.export(file_type="glb")).decode()
    dropped = desk.page.evaluate_handle(DROPPED, content)
    desk.page.dispatch_event("canvas[tabindex]", "dragover", {"dataTransfer": dropped})
    expect(desk.page.get_by_text("Drop a .glb file")).to_be_visible()
    desk.page.dispatch_event("canvas[tabindex]", "drop", {"dataTransfer": dropped})
    expect(desk.editor.get_by_label("Nodes")).to_contain_text("Two feet")
    expect(desk.editor.get_by_role("alert")).to_have_count(0)
    desk.page.wait_for_function(PART, arg=["model-1", "Right foot"])
    desk.drawn()
    desk.page.mouse.click(*desk.page.evaluate(PART, ["model-1", "Right foot"]))
    expect(desk.editor.get_by_text("Clicked part: Right foot")).to_be_visible()
    desk.editor.get_by_label("Bind a widget").select_option(widget)
    expect(desk.editor.get_by_label("Part of the model")).to_have_value("Right foot")
    node = desk.save()["nodes"][0]
    assert node["widgets"][0]["anchor"]["node"] == "Right foot"
    server.delete(f"/v1/widgets/{widget}")
    desk.page.reload()
    expect(desk.page.get_by_text("1 part of this scene is missing")).to_be_visible()
    desk.page.get_by_label("Edit", exact=True).click()
    desk.choose("Two feet")
    expect(desk.editor.get_by_text("This widget was deleted")).to_be_visible()
    desk.page.close()


def test_surroundings_views_and_archives(browser: Browser, server: RunningServer) -> None:
    camera = {"name": "gate", "position": [3, 3, 6], "target": [0, 0, 0]}
    desk = Desk(browser, server, cameras=[camera], nodes=[{"id": "a", "primitive": "tank"}])
    editor = desk.editor
    editor.get_by_text("Scene", exact=True).click()
    editor.get_by_label("Name of the scene").fill("Hall 9")
    light = editor.get_by_role("combobox", name="Light")
    light.select_option("dusk")  # while the name is still being typed
    editor.get_by_label("Grid on the ground").uncheck()
    editor.get_by_label("Background as light").uncheck()
    editor.get_by_label("Background", exact=True).fill("#102030")
    editor.get_by_text("Saved views").click()
    editor.get_by_role("button", name="Keep this view").click()
    name = editor.get_by_label("Name of the view View 2")
    name.fill("gate")
    name.press("Enter")
    expect(name).to_have_value("View 2")
    name.fill("roof")
    name.press("Enter")
    editor.get_by_label("Delete gate").click()
    scene = desk.save()
    assert scene["name"] == "Hall 9"
    assert scene["environment"] == {"background": "#102030", "light": "dusk", "grid": False}
    assert [one["name"] for one in scene["cameras"]] == ["roof"]
    assert scene["cameras"][0]["position"] == [3, 3, 6]
    editor.get_by_text("Export and import").click()
    with desk.page.expect_download() as caught:
        editor.get_by_role("link", name="Export as zip").click()
    archive = Path(caught.value.path()).read_bytes()
    into = {"name": "hall.zip", "mimeType": "application/zip", "buffer": archive}
    editor.get_by_label("Import a zip").set_input_files(into)
    editor.get_by_role("status").get_by_role("link", name="Hall 9").click()
    expect(desk.page.get_by_role("heading", name="Hall 9")).to_be_visible()
    assert scene["id"] not in desk.page.url
    desk.page.close()


def test_what_another_saved_is_overwritten_only_when_asked(
    browser: Browser, server: RunningServer
) -> None:
    desk = Desk(browser, server, nodes=[{"id": "a", "primitive": "box"}])
    desk.choose("a")
    desk.field("Position, m", "x").fill("4")
    desk.field("Position, m", "x").press("Enter")
    assert server.patch(desk.path, {"name": "Theirs"}).status_code == 200
    desk.editor.get_by_role("button", name="Save").click()
    expect(desk.editor.get_by_role("alert")).to_contain_text("revision")
    assert server.get(desk.path).json()["nodes"][0]["position"] == [0, 0, 0]
    desk.editor.get_by_role("button", name="Overwrite it").click()
    expect(desk.editor.get_by_role("button", name="Saved")).to_be_visible()
    scene = server.get(desk.path).json()
    assert (scene["name"], scene["nodes"][0]["position"]) == ("Hall", [4, 0, 0])
    desk.page.close()
