"""What exporters write, in a real browser: drawn where it should stand, picked by parts, or refused."""

from collections.abc import Iterator
from typing import Any

import pytest
import trimesh
from playwright.sync_api import Browser, expect
from support.browser import CHROMIUM, PAGES, STANDS, Watched, keep_picture
from support.exporters import EXPORTED, by_draco
from support.models import triangle
from support.server import RunningServer

pytestmark = [
    pytest.mark.one_home,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is absent"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="the web pages are not built"),
]

COLUMNS = 4
APART_M = 2.5

BOX = """id => {
  const { group } = twinfeedWorld.plant.built.get(id), box = twinfeedWorld.plant.box(id);
  return [box.min, box.max].map(end => end.sub(group.position).toArray());
}"""
PIXELS = """id => {
  const world = twinfeedWorld, { group } = world.plant.built.get(id);
  const gl = world.renderer.getContext();
  const size = [gl.drawingBufferWidth, gl.drawingBufferHeight];
  const draw = visible => {
    group.visible = visible;
    world.renderer.render(world.stage.scene, world.camera);
    const pixels = new Uint8Array(size[0] * size[1] * 4);
    gl.readPixels(0, 0, ...size, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    return pixels;
  };
  const without = draw(false), shown = draw(true), changed = [];
  for (let i = 0; i < shown.length; i += 4)
    if ([0, 1, 2].some(c => Math.abs(shown[i + c] - without[i + c]) > 24))
      changed.push([...shown.slice(i, i + 3)]);
  return changed;
}"""
PICKED = """() => {
  globalThis.picked = null;
  const told = twinfeedWorld.onPick;
  twinfeedWorld.onPick = (node, part, point) => {
    globalThis.picked = [node, part?.userData.name ?? part?.name ?? null];
    told(node, part, point);
  };
}"""
TURNED = """() => {
  let angle = 0;
  twinfeedWorld.plant.built.get('sparse').body.traverse(o => angle = Math.max(angle, o.quaternion.y));
  return angle > 0.05;
}"""  # fmt: skip


def place(number: int) -> list[float]:
    column, row = number % COLUMNS, number // COLUMNS
    return [(column - (COLUMNS - 1) / 2) * APART_M, 0.0, (row - 1) * APART_M]


def upload(server: RunningServer, name: str, content: bytes) -> dict[str, Any]:
    headers = server.auth | {"Content-Type": "model/gltf-binary"}
    answer = server.client.post(f"/v1/assets?name={name}", content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def page(server: RunningServer, browser: Browser) -> Iterator[Watched]:
    """A scene of everything, with two models that cannot be shown; one is gone while the page loads."""
    contents = {name: make() for name, make in EXPORTED.items()}
    contents |= {"damaged": by_draco(damaged=True), "gone": triangle()}
    assets = {name: upload(server, name, content) for name, content in contents.items()}
    nodes = [
        {"id": name, "name": name.title(), "asset_id": asset["id"], "position": place(i)}
        for i, (name, asset) in enumerate(assets.items())
    ]
    view = {"name": "Front", "position": [0, 5, 9], "target": [0, 0.5, 0]}
    scene = server.post("/v1/scenes", {"name": "Exports", "nodes": nodes, "cameras": [view]})
    assert scene.status_code == 201, scene.text
    made = server.post(f"/v1/scenes/{scene.json()['id']}/view-tokens").json()
    watched = Watched(browser, 640, 400)
    missing = {"status": 404, "json": {"error": "NOT_FOUND", "message": "no", "status": 404}}
    watched.page.route(f"**{assets['gone']['url']}", lambda route: route.fulfill(**missing))
    watched.page.goto(made["url"])
    watched.page.wait_for_function(STANDS)
    yield watched
    assert watched.strangers(server.url) == [], "decoders come from the server too"


@pytest.mark.parametrize("kind", EXPORTED)
def test_it_is_drawn_where_it_stands(page: Watched, kind: str) -> None:
    low, high = page.page.evaluate(BOX, kind)
    assert [low[1], high[1]] == pytest.approx([0, 1], abs=0.01)
    if kind != "sparse":  # which turns
        assert [low[0], high[0]] == pytest.approx([-0.5, 0.5], abs=0.01)
    pixels = page.page.evaluate(PIXELS, kind)
    assert len(pixels) > 100
    if kind == "sketchup":
        assert [255, 140, 0] in pixels, "its texture, unlit"
    if kind == "trimesh":
        assert any(red > blue + 60 for red, _, blue in pixels), "its lower half"
        assert any(blue > red + 60 for red, _, blue in pixels), "its upper half"


def test_a_part_is_picked(page: Watched) -> None:
    page.page.evaluate(PICKED)
    for kind, part in (("cad", "Part cad"), ("trimesh", "Part trimesh"), ("draco", "Part draco")):
        spot = page.page.evaluate(
            """([kind, part]) => {
              const world = twinfeedWorld, found = world.plant.part(kind, part);
              const box = world.plant.box(kind).setFromObject(found);
              const { x, y } = world.project(box.min.add(box.max).multiplyScalar(0.5));
              return { x, y };
            }""",
            [kind, part],
        )
        page.page.locator("canvas[aria-label]").click(position=spot)
        page.page.wait_for_function("kind => picked?.[0] === kind", arg=kind)
        assert page.page.evaluate("picked") == [kind, part]


def test_what_the_file_moves_is_moved(page: Watched) -> None:
    page.page.wait_for_function(TURNED)


def test_what_cannot_be_shown_says_why(page: Watched) -> None:
    notice = page.page.get_by_role("alert")
    notice.get_by_text("2 parts of this scene are missing").click()
    expect(notice).to_contain_text("Damaged: The model cannot be read: THREE.DRACOLoader")
    expect(notice).to_contain_text("Gone: The model is gone from the server.")
    for kind in ("damaged", "gone"):
        assert len(page.page.evaluate(PIXELS, kind)) > 50, "a marked box stands for it"
    keep_picture(page.page, "models")


def test_a_large_model_is_brought_into_view_once_it_stands(
    browser: Browser, server: RunningServer
) -> None:
    content = trimesh.creation.box(extents=(60, 20, 40)).export(file_type="glb")
    nodes = [{"id": "hall", "asset_id": upload(server, "Hall", content)["id"]}]
    scene = server.post("/v1/scenes", {"name": "Hall", "nodes": nodes}).json()
    address = server.post(f"/v1/scenes/{scene['id']}/view-tokens", {}).json()["url"]
    watched = Watched(browser)
    watched.page.goto(address)
    watched.page.wait_for_function(STANDS)
    corners = watched.page.evaluate("""() => {
      const world = twinfeedWorld, box = world.plant.box(), found = [];
      for (const x of [box.min.x, box.max.x]) for (const y of [box.min.y, box.max.y])
        for (const z of [box.min.z, box.max.z]) {
          const at = world.camera.position.clone().set(x, y, z).project(world.camera);
          found.push([at.x, at.y, at.z]);
        }
      return found;
    }""")
    assert all(abs(value) < 1 for corner in corners for value in corner)
    assert max(abs(value) for x, y, _ in corners for value in (x, y)) > 0.5
    assert watched.complaints == []
    watched.page.close()
