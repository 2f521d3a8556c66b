"""Models as exporters write them: each is taken as it is, or refused with a reason."""

import io
import os
import struct
from typing import Any

import httpx
import numpy as np
import pygltflib
import pytest
import trimesh
from support.models import pack, triangle
from support.server import RunningServer

FLOAT, USHORT, SHORT = 5126, 5123, 5122


def sent(server: RunningServer, content: bytes) -> httpx.Response:
    headers = server.auth | {"Content-Type": "model/gltf-binary"}
    return server.client.post("/v1/assets?name=exported", content=content, headers=headers)


def taken(server: RunningServer, content: bytes) -> dict[str, Any]:
    """Upload a model that is as good as any, and see that it is answered byte for byte."""
    answer = sent(server, content)
    assert answer.status_code == 201, answer.text
    asset: dict[str, Any] = answer.json()
    assert server.get(asset["url"]).content == content
    return asset


def refused(server: RunningServer, content: bytes) -> str:
    answer = sent(server, content)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["message"])


def required(extension: str, **changes: Any) -> bytes:
    return triangle(extensionsUsed=[extension], extensionsRequired=[extension], **changes)


def test_blender_like_names_with_spaces_and_a_turned_root(server: RunningServer) -> None:
    document = pygltflib.GLTF2().load_from_bytes(triangle())
    document.asset.generator = "Khronos glTF Blender I/O"
    document.nodes = [
        pygltflib.Node(name="Motor.001", mesh=0, extras={"is_visible": 1}),
        pygltflib.Node(name="Pump Büro — Halle 2", children=[0], scale=[0.01] * 3),
        pygltflib.Node(name="Y-up root", children=[1], rotation=[-0.7071068, 0, 0, 0.7071068]),
        pygltflib.Node(name="Camera", camera=0, translation=[7.4, 5.0, 6.5]),
    ]
    document.cameras = [
        pygltflib.Camera(type="perspective", perspective=pygltflib.Perspective(yfov=0.4, znear=0.1))
    ]
    document.scenes[0].nodes = [2, 3]
    asset = taken(server, b"".join(document.save_to_bytes()))
    assert asset["nodes"] == ["Motor.001", "Pump Büro — Halle 2", "Y-up root", "Camera"]


def test_cad_like_thousands_of_nodes(server: RunningServer) -> None:
    parts = [{"name": f"NAUO{n}", "mesh": 0, "translation": [n, 0, 0]} for n in range(5000)]
    root = {
        "name": "ASSEMBLY",
        "children": list(range(1, 5001)),
        "matrix": np.eye(4).ravel().tolist(),
    }
    asset = taken(server, triangle(nodes=[root, *parts]))
    assert asset["nodes"][:2] == ["ASSEMBLY", "NAUO0"]
    assert len(asset["nodes"]) == 1000, "the first thousand are told"
    assert asset["triangles"] == 1, "one mesh, however often it is used"


def test_sketchup_like_unlit_materials_and_instances(server: RunningServer) -> None:
    unlit = {"name": "[Color M02]", "extensions": {"KHR_materials_unlit": {}}}
    asset = taken(
        server,
        triangle(
            extensionsUsed=["KHR_materials_unlit"],
            materials=[unlit],
            meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "material": 0, "mode": 4}]}],
            nodes=[{"name": "skp_camera_Last_Saved"}, {"name": "", "mesh": 0}],
            scenes=[{"nodes": [0, 1]}],
        ),
    )
    assert asset["nodes"] == ["skp_camera_Last_Saved"]
    assert asset["extensions"] == [], "used, but not required"


def test_optimised_by_quantization(server: RunningServer) -> None:
    positions = struct.pack("<12h", 0, 0, 0, 0, 32767, 0, 0, 0, 0, 32767, 0, 0)
    indices = struct.pack("<3H", 0, 1, 2)
    document = {
        "asset": {"version": "2.0", "generator": "glTF-Transform"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "Housing", "mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": SHORT,
                "count": 3,
                "type": "VEC3",
                "normalized": True,
            },
            {"bufferView": 1, "componentType": USHORT, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 24, "byteStride": 8},
            {"buffer": 0, "byteOffset": 24, "byteLength": 6},
        ],
        "buffers": [{"byteLength": 30}],
    }
    asset = taken(server, pack(document, positions + indices))
    assert (asset["extensions"], asset["triangles"]) == (["KHR_mesh_quantization"], 1)


def test_optimised_by_meshopt(server: RunningServer) -> None:
    """The buffer that the views describe is no part of the file: it is what they expand to."""
    packed = {"buffer": 0, "byteLength": 20, "byteStride": 12, "count": 3, "mode": "ATTRIBUTES"}
    content = required(
        "EXT_meshopt_compression",
        bufferViews=[
            {"buffer": 1, "byteLength": 36, "extensions": {"EXT_meshopt_compression": packed}}
        ],
        buffers=[
            {"byteLength": 36},
            {"byteLength": 36, "extensions": {"EXT_meshopt_compression": {"fallback": True}}},
        ],
    )
    assert taken(server, content)["extensions"] == ["EXT_meshopt_compression"]


def test_compressed_by_draco(server: RunningServer) -> None:
    draco = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    content = required(
        "KHR_draco_mesh_compression",
        accessors=[{"componentType": FLOAT, "count": 3000, "type": "VEC3"}],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "extensions": draco}]}],
    )
    assert taken(server, content)["triangles"] == 1000


def test_textures_within_the_file(server: RunningServer) -> None:
    document = pygltflib.GLTF2().load_from_bytes(triangle())
    positions = document.binary_blob() or b""
    png = b"\x89PNG\r\n\x1a\n" + os.urandom(200)
    document.set_binary_blob(positions + png)
    document.buffers[0].byteLength = len(positions) + len(png)
    view = pygltflib.BufferView(buffer=0, byteOffset=len(positions), byteLength=len(png))
    document.bufferViews.append(view)
    document.images = [
        pygltflib.Image(bufferView=1, mimeType="image/png", name="rust"),
        pygltflib.Image(uri="data:image/png;base64,iVBORw0KGgo=", name="inline"),
    ]
    document.textures = [pygltflib.Texture(source=0)]
    surface = pygltflib.PbrMetallicRoughness(baseColorTexture=pygltflib.TextureInfo(index=0))
    document.materials = [pygltflib.Material(name="Rusty", pbrMetallicRoughness=surface)]
    document.meshes[0].primitives[0].material = 0
    assert taken(server, b"".join(document.save_to_bytes()))["nodes"] == ["Motor 1"]


def test_what_a_scene_of_trimesh_holds(server: RunningServer) -> None:
    parts = {"Crate 7": trimesh.creation.box(), "Kugel": trimesh.creation.icosphere(subdivisions=1)}
    asset = taken(server, trimesh.Scene(parts).export(file_type="glb"))
    assert {"Crate 7", "Kugel"} <= set(asset["nodes"])
    assert asset["triangles"] == 12 + 80


@pytest.mark.parametrize("kind", ["images", "buffers"])
def test_what_lies_beside_the_file_is_refused(server: RunningServer, kind: str) -> None:
    part = {"uri": "textures/rust.png", "byteLength": 36}
    message = refused(server, triangle(**{kind: [part]}))
    assert f"{kind}[0]" in message
    assert "export with all included" in message


def test_what_the_viewer_cannot_draw_is_refused(server: RunningServer) -> None:
    assert "MSFT_lod" in refused(server, required("MSFT_lod"))
    assert "KHR_texture_basisu" in refused(server, required("KHR_texture_basisu"))


def test_the_text_form_and_older_containers_are_refused(server: RunningServer) -> None:
    assert "Export as .glb" in refused(server, b'{"asset": {"version": "2.0"}}')
    old = b"glTF" + struct.pack("<II", 1, 20) + bytes(8)
    assert "version is 1" in refused(server, old)
    ply = io.BytesIO(trimesh.creation.box().export(file_type="ply")).getvalue()
    assert "no binary glTF" in refused(server, ply)


def test_fifty_megabytes(server: RunningServer) -> None:
    count = 50_000_000 // 36 * 3
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "Scan", "mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": FLOAT, "count": count, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 12 * count}],
        "buffers": [{"byteLength": 12 * count}],
    }
    content = pack(document, os.urandom(2**16) * (12 * count // 2**16 + 1))
    asset = taken(server, content)
    assert (asset["size_bytes"], asset["triangles"]) == (len(content), count // 3)
    assert server.delete(f"/v1/assets/{asset['id']}").status_code == 204
