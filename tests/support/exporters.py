"""Models as exporters write them, each one metre about (0, 0.5, 0), with a part named 'Part <kind>'.

The two compressed forms are written by hand, in the plainest way that their formats allow; the browser's
own decoders read them.
"""

import struct
import zlib
from typing import Any

import numpy as np
import pygltflib
import trimesh

from support.models import pack

FLOAT, USHORT, SHORT, UBYTE = 5126, 5123, 5122, 5121
RED = [0.9, 0.1, 0.1, 1.0]
Floats = np.ndarray[Any, np.dtype[np.float32]]


def corners() -> Floats:
    """The 36 corners of a cube's 12 triangles, 1 m wide, its base at 0."""
    box = trimesh.creation.box()
    at = box.vertices[box.faces.ravel()] + [0.0, 0.5, 0.0]
    return np.ascontiguousarray(at, dtype=np.float32)


def document(name: str, **changes: Any) -> dict[str, Any]:
    """A cube's glTF document, of one buffer view and one accessor of positions."""
    at = corners()
    surface = {"baseColorFactor": RED, "metallicFactor": 0}
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
        "materials": [{"name": "Red", "pbrMetallicRoughness": surface}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": FLOAT,
                "count": len(at),
                "type": "VEC3",
                "min": at.min(axis=0).tolist(),
                "max": at.max(axis=0).tolist(),
            }
        ],
        "bufferViews": [{"buffer": 0, "byteLength": at.nbytes}],
        "buffers": [{"byteLength": at.nbytes}],
        **changes,
    }


def by_trimesh() -> bytes:
    """Two geometries with vertex colours, indexed, with names that hold spaces."""
    lower, upper = (trimesh.creation.box((1, 0.5, 1)) for _ in range(2))
    for part, y, color in ((lower, 0.25, [200, 30, 30, 255]), (upper, 0.75, [30, 30, 200, 255])):
        part.apply_translation([0, y, 0])
        part.visual.vertex_colors = np.tile(np.array(color, dtype=np.uint8), (8, 1))
    content = trimesh.Scene({"Lower half": lower, "Part trimesh": upper}).export(file_type="glb")
    assert isinstance(content, bytes)
    return content


def by_blender() -> bytes:
    """A root that turns Z up to Y up, a scaled child, and a camera, by pygltflib."""
    made = pygltflib.GLTF2.from_dict(
        document(
            "Part blender",
            nodes=[
                # The cube, lying: its height is along −z here, in centimetres.
                {"name": "Part blender", "mesh": 0, "rotation": [0.7071068, 0, 0, 0.7071068]},
                {"name": "Pump Büro — Halle 2", "children": [0], "scale": [1, 1, 1]},
                {"name": "Root", "children": [1], "rotation": [-0.7071068, 0, 0, 0.7071068]},
                {"name": "Camera", "camera": 0, "translation": [7.4, 5, 6.5]},
            ],
            scenes=[{"nodes": [2, 3]}],
            cameras=[{"type": "perspective", "perspective": {"yfov": 0.4, "znear": 0.1}}],
        )
    )
    made.set_binary_blob(corners().tobytes())
    return b"".join(made.save_to_bytes())


def by_cad() -> bytes:
    """An assembly placed by matrices, with one mesh used by eight parts."""
    parts = [
        {
            "name": "Part cad" if n == 7 else f"NAUO{n}",
            "mesh": 0,
            "matrix": [0.5, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0.5, 0]
            + [(n % 2 - 0.5) / 2, n // 2 % 2 / 2, (n // 4 - 0.5) / 2, 1],
        }
        for n in range(8)
    ]
    root = {"name": "ASSEMBLY", "children": list(range(1, 9)), "matrix": np.eye(4).ravel().tolist()}
    return pack(document("", nodes=[root, *parts]), corners().tobytes())


def by_sketchup() -> bytes:
    """An unlit material with an embedded texture."""
    at = corners()
    places = np.ascontiguousarray(at[:, :2] + [0.5, 0.0], dtype=np.float32)
    picture = png(2, 2, [(255, 140, 0)] * 4)
    binary = at.tobytes() + places.tobytes()
    made = document("Part sketchup", extensionsUsed=["KHR_materials_unlit"])
    made["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = 1
    made["materials"] = [
        {
            "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}},
            "extensions": {"KHR_materials_unlit": {}},
        }
    ]
    made["textures"] = [{"source": 0}]
    made["images"] = [{"bufferView": 2, "mimeType": "image/png"}]
    made["accessors"].append(
        {"bufferView": 1, "componentType": FLOAT, "count": len(at), "type": "VEC2"}
    )
    made["bufferViews"] += [
        {"buffer": 0, "byteOffset": at.nbytes, "byteLength": places.nbytes},
        {"buffer": 0, "byteOffset": len(binary), "byteLength": len(picture)},
    ]
    made["buffers"] = [{"byteLength": len(binary) + len(picture)}]
    return pack(made, binary + picture)


def quantised() -> bytes:
    """Positions as 16-bit integers that the node scales back."""
    at = corners()
    whole = np.zeros((len(at), 4), dtype="<i2")
    whole[:, :3] = np.round((at - [0, 0.5, 0]) * 2 * 32767)
    name = "KHR_mesh_quantization"
    node = {"name": "Part quantised", "mesh": 0, "translation": [0, 0.5, 0], "scale": [0.5] * 3}
    accessor = {"bufferView": 0, "componentType": SHORT, "normalized": True, "type": "VEC3"}
    made = document(
        "",
        nodes=[node],
        extensionsUsed=[name],
        extensionsRequired=[name],
        accessors=[{**accessor, "count": len(at)}],
        bufferViews=[{"buffer": 0, "byteLength": whole.nbytes, "byteStride": 8}],
        buffers=[{"byteLength": whole.nbytes}],
    )
    return pack(made, whole.tobytes())


def sparse() -> bytes:
    """A flat cube whose upper corners are given as exceptions, and which moves by an animation."""
    at = corners()
    flat = at * np.float32([1, 0, 1])
    upper = np.flatnonzero(at[:, 1] > 0).astype("<u2")
    moved = np.ascontiguousarray(at[upper])
    times = struct.pack("<2f", 0, 1)
    turns = struct.pack("<8f", 0, 0, 0, 1, 0, 0.7071068, 0, 0.7071068)
    parts = [flat.tobytes(), upper.tobytes(), moved.tobytes(), times, turns]
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    made = document("Part sparse")
    made["bufferViews"] = [
        {"buffer": 0, "byteOffset": start, "byteLength": len(part)}
        for start, part in zip(starts, parts, strict=False)
    ]
    made["accessors"][0]["sparse"] = {
        "count": len(upper),
        "indices": {"bufferView": 1, "componentType": USHORT},
        "values": {"bufferView": 2},
    }
    made["accessors"] += [
        {
            "bufferView": 3,
            "componentType": FLOAT,
            "count": 2,
            "type": "SCALAR",
            "min": [0],
            "max": [1],
        },
        {"bufferView": 4, "componentType": FLOAT, "count": 2, "type": "VEC4"},
    ]
    made["animations"] = [
        {
            "name": "Turn",
            "channels": [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}],
            "samplers": [{"input": 1, "output": 2}],
        }
    ]
    made["buffers"] = [{"byteLength": starts[-1]}]
    return pack(made, b"".join(parts))


def by_meshopt() -> bytes:
    """EXT_meshopt_compression: positions in its vertex format, version 0, all deltas literal."""
    at = corners()
    packed = meshopt(at.tobytes(), 12)
    name = "EXT_meshopt_compression"
    how = {"buffer": 0, "byteLength": len(packed), "byteStride": 12}
    how |= {"count": len(at), "mode": "ATTRIBUTES"}
    made = document(
        "Part meshopt",
        extensionsUsed=[name],
        extensionsRequired=[name],
        bufferViews=[
            {"buffer": 1, "byteLength": at.nbytes, "byteStride": 12, "extensions": {name: how}}
        ],
        buffers=[
            {"byteLength": len(packed)},
            {"byteLength": at.nbytes, "extensions": {name: {"fallback": True}}},
        ],
    )
    return pack(made, packed)


def by_draco(*, damaged: bool = False) -> bytes:
    """KHR_draco_mesh_compression: sequential, nothing predicted."""
    at = corners()
    packed = bytes(100) if damaged else draco(at)
    name = "KHR_draco_mesh_compression"
    how = {name: {"bufferView": 0, "attributes": {"POSITION": 0}}}
    made = document("Part draco", extensionsUsed=[name], extensionsRequired=[name])
    made["accessors"] = [
        {k: v for k, v in made["accessors"][0].items() if k != "bufferView"},
        {"componentType": USHORT, "count": len(at), "type": "SCALAR"},
    ]
    primitive = {"attributes": {"POSITION": 0}, "indices": 1, "material": 0, "extensions": how}
    made["meshes"] = [{"primitives": [primitive]}]
    made["bufferViews"] = [{"buffer": 0, "byteLength": len(packed)}]
    made["buffers"] = [{"byteLength": len(packed)}]
    return pack(made, packed)


EXPORTED = {
    "trimesh": by_trimesh,
    "blender": by_blender,
    "cad": by_cad,
    "sketchup": by_sketchup,
    "quantised": quantised,
    "sparse": sparse,
    "meshopt": by_meshopt,
    "draco": by_draco,
}


def meshopt(rows: bytes, stride: int) -> bytes:
    """Encode up to 256 rows as meshoptimizer's vertex stream."""
    table = np.frombuffer(rows, dtype=np.uint8).reshape(-1, stride).astype(np.int16)
    assert len(table) <= 256
    deltas = np.diff(table, axis=0, prepend=table[:1]).astype(np.int8).astype(np.int16)
    zigzag = ((deltas << 1) ^ (deltas >> 15)).astype(np.uint8)
    groups = -(-len(table) // 16)
    literal = bytes([0xFF] * (-(-groups // 4)))  # two bits a group: 3 is a byte per value
    out = b"\xa0"
    for column in zigzag.T:
        out += literal + column.tobytes().ljust(groups * 16, b"\0")
    first = rows[:stride]
    return out + bytes(max(32 - stride, 0)) + first


def draco(at: Floats) -> bytes:
    """Encode triangles' corners as a Draco 2.2 mesh, sequential, indices and floats as they are."""
    count = len(at)
    assert count < 128, "lengths and indices take a byte each"
    head = b"DRACO" + struct.pack("<BBBBH", 2, 2, 1, 0, 0)
    connectivity = bytes([count // 3, count, 1]) + bytes(range(count))
    attribute = bytes([0, 9, 3, 0, 0])  # position, float32, 3 components, as is, id 0
    return head + connectivity + bytes([1, 1]) + attribute + bytes([0]) + at.tobytes()


def png(width: int, height: int, colors: list[tuple[int, int, int]]) -> bytes:
    """Return a picture of these pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        sum_ = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_)

    rows = [b"\0" + bytes(sum(colors[y * width : (y + 1) * width], ())) for y in range(height)]
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"".join(rows))
    head = b"\x89PNG\r\n\x1a\n"
    return head + chunk(b"IHDR", size) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
