"""A scene and its models as one zip: `scene.json`, and `assets/<sha256>.glb` beside it.

Nothing is compressed: models mostly are already. Invariant: an archive is believed in nothing; names,
sizes and the scene are checked as if each had come alone.
"""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec

from twin.errors import Invalid, Unreadable
from twin.ground import Ground
from twin.principal import Principal
from twin.scenes.assets import Asset, AssetStore
from twin.scenes.model import read_scene
from twin.scenes.store import Scene, SceneStore

MEDIA_TYPE = "application/zip"
SCENE_NAME = "scene.json"
MAX_SCENE_BYTES = 32 * 2**20
MAX_FILES = 1001
"""A scene, and as many models as an organisation's."""
MADE = (1980, 1, 1, 0, 0, 0)
"""So that the same scene makes the same archive."""


class ImportedScene(msgspec.Struct, frozen=True):
    """A scene made from an archive, and widgets that it showed where it came from."""

    scene: Scene
    dropped_widget_ids: list[UUID]


class _Pipe(io.RawIOBase):
    """A place to write to that keeps only what was not taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


async def exported(ground: Ground, principal: Principal, scene: Scene) -> AsyncIterator[bytes]:
    """Yield an archive in parts."""
    pipe, store = _Pipe(), AssetStore(ground, principal)
    with zipfile.ZipFile(pipe, "w") as archive:
        fields = msgspec.to_builtins(scene)
        kept = ("name", "description", "nodes", "cameras", "environment", "assets")
        document = msgspec.json.format(msgspec.json.encode({k: fields[k] for k in kept}))
        archive.writestr(zipfile.ZipInfo(SCENE_NAME, MADE), document)
        yield pipe.take()
        written: set[str] = set()
        for asset in scene.assets:
            if asset.sha256 in written:
                continue
            written.add(asset.sha256)
            with archive.open(zipfile.ZipInfo(f"assets/{asset.sha256}.glb", MADE), "w") as file:
                async for part in store.content(asset):
                    file.write(part)
                    yield pipe.take()
    yield pipe.take()


async def imported(ground: Ground, principal: Principal, content: bytes) -> ImportedScene:
    """Make a scene and its models from an archive. Raises Unreadable and Invalid.

    Models that the organisation has already are used as they are; widgets that it does not have are
    left out and named.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        listed = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as exc:
        raise Unreadable("The body is no zip archive, or a damaged one.") from exc
    if len(listed) > MAX_FILES:
        raise Invalid(f"The archive has {len(listed)} files; at most {MAX_FILES} are read.")
    try:
        fields = msgspec.json.decode(
            _read(archive, SCENE_NAME, MAX_SCENE_BYTES), type=dict[str, Any]
        )
        told = msgspec.convert(fields.get("assets", []), list[_Told])
    except msgspec.MsgspecError as exc:
        raise Invalid(f"{SCENE_NAME}: {exc}.") from exc
    nodes = fields.get("nodes", [])
    widgets = await _known_widgets(ground, principal, nodes)
    dropped = _drop_unknown(nodes, widgets)
    settings = ground.settings
    read_scene(
        fields, settings.max_scene_nodes, settings.max_stream_widgets
    )  # before models are kept
    stored = await _store_models(ground, principal, archive, told)
    for node in nodes:
        if node.get("asset_id") is not None:
            node["asset_id"] = stored.get(str(node["asset_id"]), node["asset_id"])
    body = read_scene(fields, settings.max_scene_nodes, settings.max_stream_widgets)
    return ImportedScene(await SceneStore(ground, principal).create(body), dropped)


class _Told(msgspec.Struct, frozen=True):
    """What the archive's scene says of a model."""

    id: str
    name: str
    sha256: str


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return a file of an archive. Raises Invalid where it is absent, too large or damaged."""
    try:
        with archive.open(name) as file:
            content = file.read(most + 1)
    except KeyError as exc:
        raise Invalid(f"The archive has no {name}.") from exc
    except (
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        OSError,
        EOFError,
        ValueError,
    ) as exc:
        raise Invalid(f"{name} in the archive cannot be read.") from exc
    except Exception as exc:  # the decompressors have errors of their own
        if type(exc).__module__ in ("zlib", "_lzma", "lzma", "bz2"):
            raise Invalid(f"{name} in the archive is damaged.") from exc
        raise
    if len(content) > most:
        raise Invalid(f"{name} in the archive has more than {most} bytes.")
    return content


async def _store_models(
    ground: Ground, principal: Principal, archive: zipfile.ZipFile, told: list[_Told]
) -> dict[str, str]:
    """Keep the archive's models; return their new ids by the old ones."""
    store, stored = AssetStore(ground, principal), {}
    by_content: dict[str, Asset] = {}
    for asset in told:
        known = by_content.get(asset.sha256)
        if known is None:
            content = _read(archive, f"assets/{asset.sha256}.glb", ground.settings.max_asset_bytes)
            if hashlib.sha256(content).hexdigest() != asset.sha256:
                raise Invalid(
                    f"assets/{asset.sha256}.glb in the archive is not what its name says."
                )
            known = by_content[asset.sha256] = await store.create(
                asset.name[:200] or "model", content
            )
        stored[asset.id] = str(known.id)
    return stored


async def _known_widgets(ground: Ground, principal: Principal, nodes: Any) -> set[str]:
    wanted = []
    for item in _bindings(nodes):
        try:
            wanted.append(UUID(str(item.get("widget_id"))))
        except ValueError:
            continue  # reading the scene names it
    known = await SceneStore(ground, principal).known_widgets(wanted)
    return {str(id_) for id_ in known}


def _drop_unknown(nodes: Any, known: set[str]) -> list[UUID]:
    """Take widgets that are not known off the nodes; return them."""
    dropped: dict[UUID, None] = {}
    for node in nodes if isinstance(nodes, list) else []:
        if not isinstance(node, dict) or not isinstance(node.get("widgets"), list):
            continue
        kept = []
        for item in node["widgets"]:
            try:
                id_ = UUID(str(item.get("widget_id"))) if isinstance(item, dict) else None
            except ValueError:
                id_ = None
            if id_ is None or str(id_) in known:
                kept.append(item)
            else:
                dropped[id_] = None
        node["widgets"] = kept
    return list(dropped)


def _bindings(nodes: Any) -> list[dict[str, Any]]:
    lists = (
        [node.get("widgets") for node in nodes if isinstance(node, dict)]
        if isinstance(nodes, list)
        else []
    )
    return [
        item
        for found in lists
        if isinstance(found, list)
        for item in found
        if isinstance(item, dict)
    ]
