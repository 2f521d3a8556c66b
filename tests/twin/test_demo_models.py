"""The demo's 3D models: sound surfaces, of believable size, that other programs read."""

import io

import numpy as np
import pygltflib
import pytest
import trimesh

from twin.demo.catalog import WIDGETS
from twin.demo.model import shapes
from twin.demo.model.gltf import linear
from twin.demo.model.models import MODELS, model
from twin.demo.scene import scene
from twin.scenes.glb import check_glb
from twin.scenes.model import read_scene

CLOSED = {
    "box": shapes.box(1.0, 0.4, 0.6, 0.05),
    "cylinder": shapes.cylinder(0.5, 1.2, 0.05),
    "ring": shapes.ring(0.3, 0.5, 0.2),
    "torus": shapes.torus(0.5, 0.1),
    "tube": shapes.tube([(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1)], 0.1, 0.3),
    "straight tube": shapes.tube([(0, 0, 0), (0, 0, 2)], 0.1),
    "bolts": shapes.bolts(6, 0.4, 0.03, 0.02),
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_shape_is_closed_and_faces_outwards(name: str) -> None:
    mesh = CLOSED[name]
    solid = trimesh.Trimesh(mesh.positions.round(6), mesh.triangles, process=True)
    solid.merge_vertices(merge_norm=True, merge_tex=True)
    assert solid.is_watertight
    assert solid.volume > 0
    assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1.0)


def test_sizes_are_those_asked_for() -> None:
    box = shapes.box(1.0, 0.4, 0.6, 0.05).positions
    assert np.ptp(box, axis=0) == pytest.approx([1.0, 0.4, 0.6])
    drum = shapes.cylinder(0.5, 1.2).turned("z", -90).moved(x=2).positions
    assert (drum[:, 0].min(), drum[:, 0].max()) == pytest.approx((2.0, 3.2))


def test_colours_are_as_light_adds_up() -> None:
    assert linear("#ffffff") == [1.0, 1.0, 1.0]
    assert linear("#800000") == pytest.approx([0.2159, 0.0, 0.0], abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_small_sound_and_always_the_same(name: str) -> None:
    content = model(name)
    assert content == model(name)
    assert len(content) < 300_000
    told = check_glb(content)
    assert told.extensions == []
    document = pygltflib.GLTF2().load_from_bytes(content)
    assert [node.name for node in document.nodes] == told.nodes
    assert document.materials
    assert all(part.material is not None for mesh in document.meshes for part in mesh.primitives)
    loaded = trimesh.load_scene(io.BytesIO(content), file_type="glb")
    assert sum(len(part.faces) for part in loaded.dump()) >= told.triangles
    low, high = loaded.bounds
    assert np.all(np.isfinite([low, high]))
    assert 0.4 < max(high - low) < 7
    for part in loaded.geometry.values():
        lengths = np.linalg.norm(part.vertex_normals, axis=1)
        assert lengths == pytest.approx(1.0, abs=0.01)
        faces = (part.vertex_normals[part.faces].mean(axis=1) * part.face_normals).sum(axis=1)
        assert (faces > 0).mean() > 0.999, "triangles face the way their normals do"


def test_the_scene_refers_to_what_there_is() -> None:
    titles = [item["title"] for items in WIDGETS.values() for item in items]
    assert len(set(titles)) == len(titles)
    ids = {title: f"00000000-0000-0000-0000-{n:012}" for n, title in enumerate(titles)}
    assets = {name: f"11111111-0000-0000-0000-{n:012}" for n, name in enumerate(MODELS)}
    nodes = {assets[name]: check_glb(model(name)).nodes for name in MODELS}
    body = read_scene(scene(assets, ids), 2000, 100)
    bindings = [(node, binding) for node in body.nodes for binding in node.widgets]
    for node, binding in bindings:
        for part in (binding.anchor.node, binding.display.node):
            assert part is None or part in nodes[str(node.asset_id)]
    kinds = {binding.display.kind for _, binding in bindings}
    assert kinds == {"card", "chart", "gauge", "label", "color", "visibility", "motion"}
    assert {str(node.asset_id) for node in body.nodes if node.asset_id} == set(nodes)
