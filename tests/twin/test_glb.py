"""What is taken for a model, and what is refused and why."""

import contextlib
import random
import struct
from typing import Any

import pygltflib
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from support.models import pack, triangle

from twin.errors import Invalid
from twin.scenes.glb import check_glb


def test_a_model_is_told() -> None:
    model = check_glb(triangle(animations=[{"name": "Spin", "channels": [], "samplers": []}]))
    assert (model.nodes, model.triangles, model.animations) == (["Motor 1"], 1, ["Spin"])


def test_what_trimesh_exports() -> None:
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box(), node_name="Pump house")
    scene.add_geometry(trimesh.creation.icosphere(subdivisions=2), node_name="Kugel Ü")
    model = check_glb(scene.export(file_type="glb"))
    assert {"Pump house", "Kugel Ü"} <= set(model.nodes)
    assert model.triangles == 12 + 320


def test_what_pygltflib_exports() -> None:
    document = pygltflib.GLTF2().load_from_bytes(triangle())
    document.nodes.append(pygltflib.Node(name="Empty", children=[]))
    document.scenes[0].nodes.append(1)
    model = check_glb(b"".join(document.save_to_bytes()))
    assert model.nodes == ["Motor 1", "Empty"]


def test_draco_says_that_it_is_needed() -> None:
    draco = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    model = check_glb(
        triangle(
            extensionsUsed=list(draco),
            extensionsRequired=list(draco),
            accessors=[{"componentType": 5126, "count": 300, "type": "VEC3"}],
            meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "extensions": draco}]}],
        )
    )
    assert (model.extensions, model.triangles) == (list(draco), 100)


LIES: dict[str, tuple[bytes, str]] = {
    "text": (b"solid cube\nfacet normal 0 0 0", "does not begin with 'glTF'"),
    "nothing": (b"", "does not begin with 'glTF'"),
    "a header alone": (b"glTF\2\0\0\0", "ends within its header"),
    "glTF 1": (b"glTF" + struct.pack("<II", 1, 20) + b"\0" * 8, "version is 1"),
    "too short": (triangle()[:-1], "says"),
    "too long": (triangle() + b"\0", "says"),
    "another chunk": (triangle().replace(b"JSON", b"TEXT", 1), "not JSON"),
    "no document": (pack([]), "glTF 2.0 document"),  # type: ignore[arg-type]
    "an old document": (triangle(asset={"version": "1.0"}), "glTF 1.0"),
    "an unknown extension": (triangle(extensionsRequired=["ACME_voxels"]), "ACME_voxels"),
    "another file": (triangle(images=[{"uri": "http://example.com/x.png"}]), "another file"),
    "a buffer elsewhere": (
        triangle(buffers=[{"byteLength": 36, "uri": "pump.bin"}]),
        "another file",
    ),
    "a large buffer": (triangle(buffers=[{"byteLength": 4000}]), "binary chunk has 36"),
    "a second buffer": (triangle(buffers=[{"byteLength": 36}] * 2), "no content"),
    "a long view": (triangle(bufferViews=[{"buffer": 0, "byteLength": 37}]), "byte 37 of 36"),
    "no buffer": (triangle(bufferViews=[{"buffer": 9, "byteLength": 36}]), "number 9 of 1"),
    "a long accessor": (
        triangle(accessors=[{"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"}]),
        "byte 48 of 36",
    ),
    "an endless accessor": (
        triangle(accessors=[{"componentType": 5126, "count": 2**31, "type": "VEC3"}]),
        "triangles",
    ),
    "a strange accessor": (
        triangle(accessors=[{"bufferView": 0, "componentType": 7, "count": 1, "type": "VEC3"}]),
        "unknown type",
    ),
    "no mesh": (triangle(nodes=[{"mesh": 5}]), "number 5 of 1"),
    "a cycle": (triangle(nodes=[{"children": [1]}, {"children": [0]}]), "own ancestor"),
    "itself": (triangle(nodes=[{"children": [0]}]), "own ancestor"),
    "two parents": (triangle(nodes=[{"children": [2]}, {"children": [2]}, {}]), "two parents"),
    "too deep": (triangle(nodes=[{"children": [i + 1]} for i in range(300)] + [{}]), "256"),
    "a negative index": (triangle(scene=-1), "glTF 2.0 document"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_lie_is_named(case: str) -> None:
    content, says = LIES[case]
    with pytest.raises(Invalid) as refused:
        check_glb(content)
    assert says in refused.value.message


def test_a_large_model_is_read() -> None:
    model = check_glb(
        pack(
            {"asset": {"version": "2.0"}, "buffers": [{"byteLength": 50_000_000}]},
            bytes(50_000_000),
        )
    )
    assert model.triangles == 0


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_damage_is_refused_or_harmless(seed: int, flips: int) -> None:
    random_ = random.Random(seed)
    content: Any = bytearray(triangle())
    for _ in range(flips):
        content[random_.randrange(len(content))] = random_.randrange(256)
    with contextlib.suppress(Invalid):
        check_glb(bytes(content))
