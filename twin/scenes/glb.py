"""Checks a binary glTF before it is kept: browsers will load it as it is.

The container is read by hand, as it is three integers and two chunks (glTF 2.0, "GLB File Format
Specification"); the JSON in it is validated by msgspec against the types below, then every index and
length against what is there. Invariant: a file that passes refers to nothing outside itself, and each
accessor lies within its buffer view and each view within the buffer.
"""

import struct
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twin.errors import Invalid

MEDIA_TYPE = "model/gltf-binary"
MAGIC = b"glTF"
JSON_CHUNK, BIN_CHUNK = 0x4E4F534A, 0x004E4942
MAX_JSON_BYTES = 16 * 2**20
"""A model's description; its geometry is in the binary chunk."""
MAX_ITEMS = 100_000
"""Of each list in the JSON: nodes, meshes, accessors."""
MAX_TRIANGLES = 20_000_000
MAX_DEPTH = 256
"""Of nodes below nodes: browsers walk them recursively."""
MAX_NAMES = 1000
DRAWN = frozenset(
    {
        "EXT_mesh_gpu_instancing",
        "EXT_meshopt_compression",
        "EXT_texture_webp",
        "KHR_draco_mesh_compression",
        "KHR_lights_punctual",
        "KHR_materials_anisotropy",
        "KHR_materials_clearcoat",
        "KHR_materials_emissive_strength",
        "KHR_materials_ior",
        "KHR_materials_iridescence",
        "KHR_materials_sheen",
        "KHR_materials_specular",
        "KHR_materials_transmission",
        "KHR_materials_unlit",
        "KHR_materials_volume",
        "KHR_mesh_quantization",
        "KHR_texture_transform",
        "KHR_xmp_json_ld",
    }
)
"""Extensions that the viewer draws; a file that requires another one is refused."""
COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
TRIANGLES, STRIP, FAN = 4, 5, 6

Index = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=0, le=2**53)]


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a glTF document; fields that nobody checks are skipped."""


class _About(_Part, frozen=True):
    version: str


class _Scene(_Part, frozen=True):
    nodes: list[Index] = []


class _Node(_Part, frozen=True):
    name: str | None = None
    mesh: Index | None = None
    children: list[Index] = []


class _Primitive(_Part, frozen=True):
    attributes: dict[str, Index]
    indices: Index | None = None
    material: Index | None = None
    mode: Annotated[int, Meta(ge=0, le=6)] = TRIANGLES
    extensions: dict[str, msgspec.Raw] = {}


class _Mesh(_Part, frozen=True):
    primitives: Annotated[list[_Primitive], Meta(min_length=1)]


class _Accessor(_Part, frozen=True):
    component_type: int
    count: Annotated[int, Meta(ge=1, le=2**32)]
    type: str
    buffer_view: Index | None = None
    byte_offset: Size = 0


class _View(_Part, frozen=True):
    buffer: Index
    byte_length: Annotated[int, Meta(ge=1, le=2**53)]
    byte_offset: Size = 0
    byte_stride: Annotated[int, Meta(ge=4, le=252)] | None = None
    extensions: dict[str, msgspec.Raw] = {}


class _Buffer(_Part, frozen=True):
    byte_length: Size
    uri: str | None = None
    extensions: dict[str, msgspec.Raw] = {}


class _Image(_Part, frozen=True):
    uri: str | None = None
    buffer_view: Index | None = None


class _Animation(_Part, frozen=True):
    name: str | None = None


class _Document(_Part, frozen=True):
    asset: _About
    scene: Index | None = None
    scenes: list[_Scene] = []
    nodes: list[_Node] = []
    meshes: list[_Mesh] = []
    accessors: list[_Accessor] = []
    buffer_views: list[_View] = []
    buffers: list[_Buffer] = []
    images: list[_Image] = []
    materials: list[msgspec.Raw] = []
    animations: list[_Animation] = []
    extensions_required: list[str] = []


class Model(msgspec.Struct, frozen=True):
    """What is told of a model: names of its nodes, triangles, animations, required extensions."""

    nodes: list[str]
    triangles: int
    animations: list[str]
    extensions: list[str]


_decoder = msgspec.json.Decoder(_Document)


def check_glb(content: bytes) -> Model:
    """Return what a binary glTF holds. Raises Invalid with what is wrong in it."""
    text, binary_bytes = _chunks(content)
    try:
        document = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise Invalid(f"The JSON chunk is not a glTF 2.0 document: {str(exc)[:200]}.") from exc
    if not document.asset.version.startswith("2."):
        raise Invalid(f"glTF {document.asset.version[:20]} is not supported: export glTF 2.0.")
    unknown = sorted(set(document.extensions_required) - DRAWN)
    if unknown:
        raise Invalid(
            f"The model requires {', '.join(name[:60] for name in unknown[:5])}, which the viewer "
            "does not draw: export without it."
        )
    _check_sizes(document)
    _check_buffers(document, binary_bytes)
    _check_images(document)
    _check_meshes(document)
    _check_nodes(document)
    return Model(
        nodes=_names(node.name for node in document.nodes),
        triangles=_triangles(document),
        animations=_names(animation.name for animation in document.animations),
        extensions=sorted(set(document.extensions_required)),
    )


def _chunks(content: bytes) -> tuple[memoryview, int]:
    """Return the JSON chunk and the length of the binary one."""
    if content[:4] != MAGIC:
        raise Invalid("This is no binary glTF: it does not begin with 'glTF'. Export as .glb.")
    if len(content) < 20:
        raise Invalid("The file ends within its header.")
    version, length = struct.unpack_from("<II", content, 4)
    if version != 2:
        raise Invalid(f"The container's version is {version}; only 2 is supported.")
    if length != len(content):
        raise Invalid(f"The header says {length} bytes, the file has {len(content)}.")
    json_bytes, kind = struct.unpack_from("<II", content, 12)
    if kind != JSON_CHUNK:
        raise Invalid("The first chunk is not JSON.")
    if json_bytes > len(content) - 20:
        raise Invalid(f"The JSON chunk says {json_bytes} bytes, {len(content) - 20} are left.")
    if json_bytes > MAX_JSON_BYTES:
        raise Invalid(f"The JSON chunk has {json_bytes} bytes; at most {MAX_JSON_BYTES} are read.")
    at, binary_bytes = 20 + json_bytes, 0
    while at < len(content):
        if len(content) - at < 8:
            raise Invalid("The file ends within a chunk's header.")
        size, kind = struct.unpack_from("<II", content, at)
        if size > len(content) - at - 8:
            raise Invalid(f"A chunk says {size} bytes, {len(content) - at - 8} are left.")
        if kind == BIN_CHUNK and not binary_bytes:
            binary_bytes = size
        at += 8 + size
    return memoryview(content)[20 : 20 + json_bytes], binary_bytes


def _check_sizes(document: _Document) -> None:
    for name in ("nodes", "meshes", "accessors", "buffer_views", "images", "materials"):
        count = len(getattr(document, name))
        if count > MAX_ITEMS:
            raise Invalid(f"The model has {count} {name}; at most {MAX_ITEMS} are drawn.")


def _check_buffers(document: _Document, binary_bytes: int) -> None:
    for index, buffer in enumerate(document.buffers):
        if buffer.uri is not None:
            _refuse_reference(buffer.uri, f"buffers[{index}]")
        elif index == 0 and buffer.byte_length > binary_bytes:
            raise Invalid(
                f"buffers[0] says {buffer.byte_length} bytes, the binary chunk has {binary_bytes}."
            )
        elif index > 0 and "EXT_meshopt_compression" not in buffer.extensions:
            raise Invalid(f"buffers[{index}] has no content: only the first is in the file.")
    for index, view in enumerate(document.buffer_views):
        where = f"bufferViews[{index}]"
        buffer = _at(document.buffers, view.buffer, f"{where}.buffer")
        if view.byte_offset + view.byte_length > buffer.byte_length:
            raise Invalid(f"{where} ends at byte {view.byte_offset + view.byte_length} of "
                          f"{buffer.byte_length} in its buffer.")  # fmt: skip
    for index, accessor in enumerate(document.accessors):
        _check_accessor(document, accessor, f"accessors[{index}]")


def _check_accessor(document: _Document, accessor: _Accessor, where: str) -> None:
    width, components = COMPONENT_BYTES.get(accessor.component_type), COMPONENTS.get(accessor.type)
    if width is None or components is None:
        raise Invalid(
            f"{where} has an unknown type: {accessor.type[:20]!r}, {accessor.component_type}."
        )
    if accessor.buffer_view is None:
        return  # zeros, or Draco's
    view = _at(document.buffer_views, accessor.buffer_view, f"{where}.bufferView")
    step = view.byte_stride or width * components
    end = accessor.byte_offset + step * (accessor.count - 1) + width * components
    if end > view.byte_length:
        raise Invalid(f"{where} ends at byte {end} of {view.byte_length} in its buffer view.")


def _check_images(document: _Document) -> None:
    for index, image in enumerate(document.images):
        if image.uri is not None:
            _refuse_reference(image.uri, f"images[{index}]")
        elif image.buffer_view is not None:
            _at(document.buffer_views, image.buffer_view, f"images[{index}].bufferView")


def _refuse_reference(uri: str, where: str) -> None:
    if not uri.startswith("data:"):
        raise Invalid(f"{where} refers to another file ('{uri[:80]}'): export with all included.")


def _check_meshes(document: _Document) -> None:
    for index, mesh in enumerate(document.meshes):
        for number, part in enumerate(mesh.primitives):
            where = f"meshes[{index}].primitives[{number}]"
            for name, accessor in part.attributes.items():
                _at(document.accessors, accessor, f"{where}.{name[:40]}")
            if part.indices is not None:
                _at(document.accessors, part.indices, f"{where}.indices")
            if part.material is not None:
                _at(document.materials, part.material, f"{where}.material")


def _check_nodes(document: _Document) -> None:
    """Check that nodes form trees: each has one parent at most, none is below itself."""
    parent: dict[int, int] = {}
    for index, node in enumerate(document.nodes):
        if node.mesh is not None:
            _at(document.meshes, node.mesh, f"nodes[{index}].mesh")
        for child in node.children:
            _at(document.nodes, child, f"nodes[{index}].children")
            if parent.setdefault(child, index) != index:
                raise Invalid(f"nodes[{child}] has two parents.")
    level = [index for index in range(len(document.nodes)) if index not in parent]
    reached = 0
    for _ in range(MAX_DEPTH):
        reached += len(level)
        level = [child for index in level for child in document.nodes[index].children]
    if level or reached != len(document.nodes):
        raise Invalid(f"A node is its own ancestor, or has more than {MAX_DEPTH} above it.")
    for index, scene in enumerate(document.scenes):
        for root in scene.nodes:
            _at(document.nodes, root, f"scenes[{index}].nodes")
    if document.scene is not None:
        _at(document.scenes, document.scene, "scene")


def _triangles(document: _Document) -> int:
    """Return how many triangles the meshes have. Raises Invalid past what is drawn."""
    total = 0
    for mesh in document.meshes:
        for part in mesh.primitives:
            source = part.indices if part.indices is not None else part.attributes.get("POSITION")
            if source is None:
                continue
            count = document.accessors[source].count
            if part.mode == TRIANGLES:
                total += count // 3
            elif part.mode in (STRIP, FAN):
                total += max(0, count - 2)
    if total > MAX_TRIANGLES:
        raise Invalid(f"The model has {total} triangles; at most {MAX_TRIANGLES} are drawn.")
    return total


def _names(found: Any) -> list[str]:
    distinct = dict.fromkeys(name for name in found if name)
    return [name[:200].replace("\x00", "") for name in distinct][:MAX_NAMES]


def _at(items: list[Any], index: int, where: str) -> Any:
    if index >= len(items):
        raise Invalid(f"{where} refers to number {index} of {len(items)}.")
    return items[index]
