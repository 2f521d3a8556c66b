"""Parts with materials become a binary glTF 2.0 file. Pure: the same parts give the same bytes."""

import struct

import msgspec
import numpy as np

from twin.demo.model.shapes import Mesh, Point, joined
from twin.scenes.glb import BIN_CHUNK, JSON_CHUNK, MAGIC

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTICES, _INDICES = 34962, 34963


class Material(msgspec.Struct, frozen=True):
    """A surface: colour as '#rrggbb', and how it shines."""

    name: str
    color: str
    metallic: float = 0.0
    roughness: float = 0.6
    opacity: float = 1.0
    glow: bool = False


class Part(msgspec.Struct):
    """A named node: what it is made of, where it is in its parent, and what hangs on it."""

    name: str
    pieces: list[tuple[Mesh, Material]] = []
    at: Point = (0.0, 0.0, 0.0)
    parts: list["Part"] = []


def glb(root: Part) -> bytes:
    """Return a file of one scene; pieces of a part with one material become one primitive."""
    writer = _Writer()
    writer.node(root)
    return writer.packed()


def linear(color: str) -> list[float]:
    """Return red, green, blue as glTF counts them: proportional to light, not as screens do."""
    screen = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [round(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4, 5) for c in screen]


class _Writer:
    def __init__(self) -> None:
        self._binary = bytearray()
        self._nodes: list[dict[str, object]] = []
        self._meshes: list[dict[str, object]] = []
        self._accessors: list[dict[str, object]] = []
        self._views: list[dict[str, object]] = []
        self._materials: dict[Material, int] = {}
        self._known: dict[int, int] = {}

    def node(self, part: Part) -> int:
        index = len(self._nodes)
        node: dict[str, object] = {"name": part.name}
        self._nodes.append(node)
        if any(part.at):
            node["translation"] = list(part.at)
        if part.pieces:
            node["mesh"] = self._mesh(part)
        if part.parts:
            node["children"] = [self.node(below) for below in part.parts]
        return index

    def _mesh(self, part: Part) -> int:
        """Return the mesh of a part's pieces; parts that share their list share it."""
        known = self._known.get(id(part.pieces))
        if known is not None:
            return known
        by_material: dict[Material, list[Mesh]] = {}
        for mesh, material in part.pieces:
            by_material.setdefault(material, []).append(mesh)
        primitives = [self._primitive(joined(m), n) for n, m in by_material.items()]
        self._meshes.append({"name": part.name, "primitives": primitives})
        self._known[id(part.pieces)] = len(self._meshes) - 1
        return len(self._meshes) - 1

    def packed(self) -> bytes:
        document = {
            "asset": {"version": "2.0", "generator": "Twinfeed demo"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": self._nodes,
            "meshes": self._meshes,
            "materials": [_surface(material) for material in self._materials],
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(self._binary)}],
        }
        text = msgspec.json.encode(document)
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), JSON_CHUNK) + text
        chunks += struct.pack("<II", len(self._binary), BIN_CHUNK) + self._binary
        return MAGIC + struct.pack("<II", 2, 12 + len(chunks)) + chunks

    def _primitive(self, mesh: Mesh, material: Material) -> dict[str, object]:
        # Equal to a hundredth of a millimetre is the same vertex.
        corners = np.column_stack([mesh.positions.round(5), mesh.normals.round(3)]) + 0.0
        corners, places = np.unique(corners.astype(np.float32), axis=0, return_inverse=True)
        positions, normals = (
            np.ascontiguousarray(corners[:, :3]),
            np.ascontiguousarray(corners[:, 3:]),
        )
        small = len(positions) <= 65535  # 65535 itself would restart a strip
        indices = places.reshape(-1)[mesh.triangles].astype(np.uint16 if small else np.uint32)
        extent = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
        return {
            "attributes": {
                "POSITION": self._accessor(positions, "VEC3", _FLOAT, _VERTICES, extent),
                "NORMAL": self._accessor(normals, "VEC3", _FLOAT, _VERTICES, {}),
            },
            "indices": self._accessor(
                indices.reshape(-1, 1), "SCALAR", _UINT16 if small else _UINT32, _INDICES, {}
            ),
            "material": self._materials.setdefault(material, len(self._materials)),
        }

    def _accessor(
        self, array: np.ndarray, kind: str, component: int, target: int, extent: dict[str, object]
    ) -> int:
        content = array.tobytes()
        self._views.append(
            {
                "buffer": 0,
                "byteOffset": len(self._binary),
                "byteLength": len(content),
                "target": target,
            }
        )
        self._binary += content + bytes(-len(content) % 4)
        view = len(self._views) - 1
        self._accessors.append(
            {"bufferView": view, "componentType": component, "count": len(array), "type": kind}
            | extent
        )
        return len(self._accessors) - 1


def _surface(material: Material) -> dict[str, object]:
    color = linear(material.color)
    surface: dict[str, object] = {
        "name": material.name,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*color, material.opacity],
            "metallicFactor": material.metallic,
            "roughnessFactor": material.roughness,
        },
    }
    if material.opacity < 1:
        surface |= {"alphaMode": "BLEND", "doubleSided": True}
    if material.glow:
        surface["emissiveFactor"] = color
    return surface
