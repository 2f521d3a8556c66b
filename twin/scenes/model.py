"""What a scene is made of, and the checks that need nothing but the scene itself.

Places are in metres, y up, as in glTF. Invariant: a scene that passes has unique node ids, parents that
exist and lead to the top, and finite numbers; every short form that a client may send is spelled out.
"""

import math
from collections import Counter
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from twin.errors import Invalid, ItemError

MAX_BINDINGS = 50
"""Widgets on one node."""
MAX_CAMERAS = 50
MAX_PATH = 200
"""Points of a pipe."""
MAX_RANGES = 20
MAX_DEPTH = 64
"""Of nodes below nodes."""
FAR = 1e6
"""Metres, and factors: a float32 of a browser is exact to centimetres there."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
NodeId = Annotated[str, Meta(min_length=1, max_length=100)]
Color = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$")]
Number = Annotated[float, Meta(ge=-FAR, le=FAR)]
Positive = Annotated[float, Meta(gt=0, le=FAR)]
Vector = tuple[Number, Number, Number]
Rotation = Annotated[list[Number], Meta(min_length=3, max_length=4)]
PrimitiveType = Literal["box", "cylinder", "sphere", "pipe", "tank", "conveyor", "floor"]
DisplayKind = Literal["card", "chart", "gauge", "label", "color", "visibility", "motion"]


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a scene."""


class Primitive(_Model, frozen=True, kw_only=True):
    """A shape of our own: its bounding box in metres; a pipe follows `path` with `radius`."""

    type: PrimitiveType
    size: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    color: Color = "#8a949e"
    opacity: Annotated[float, Meta(ge=0, le=1)] = 1.0
    path: Annotated[list[Vector], Meta(min_length=2, max_length=MAX_PATH)] | None = None
    radius: Positive | None = None


class Range(_Model, frozen=True, kw_only=True):
    """Values from `from` up to, and not including, `to`; an open end is left out."""

    from_: float | None = msgspec.field(default=None, name="from")
    to: float | None = None
    color: Color


class Anchor(_Model, frozen=True, kw_only=True):
    """Where a widget hangs: at a named sub-node of the model, at an offset in metres."""

    node: Name | None = None
    position: Vector = (0.0, 0.0, 0.0)


class Display(_Model, frozen=True, kw_only=True, omit_defaults=True):
    """How a widget shows on its node; the other fields are those of some kinds."""

    kind: DisplayKind
    min: float | None = None
    max: float | None = None
    ranges: Annotated[list[Range], Meta(max_length=MAX_RANGES)] = []
    node: Name | None = None
    from_: float | None = msgspec.field(default=None, name="from")
    to: float | None = None
    axis: Literal["x", "y", "z"] = "y"
    factor: Number = 1.0
    """Motion: revolutions a minute per unit of the value."""


class Binding(_Model, frozen=True, kw_only=True):
    """A widget on a node."""

    widget_id: UUID
    anchor: Anchor = Anchor()
    display: Display = msgspec.field(default_factory=lambda: Display(kind="card"))


class Node(_Model, frozen=True, kw_only=True):
    """Something that stands in the scene: a model, a primitive, or a group of other nodes."""

    id: NodeId
    name: Name | None = None
    parent: NodeId | None = None
    asset_id: UUID | None = None
    primitive: Primitive | None = None
    position: Vector = (0.0, 0.0, 0.0)
    rotation: Rotation = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Degrees about x, y and z, in this order; or a quaternion x, y, z, w."""
    scale: Vector = (1.0, 1.0, 1.0)
    visible: bool = True
    widgets: Annotated[list[Binding], Meta(max_length=MAX_BINDINGS)] = []


class Camera(_Model, frozen=True, kw_only=True):
    """A view to return to; `fov` in degrees."""

    name: Name
    position: Vector
    target: Vector
    fov: Annotated[float, Meta(ge=5, le=120)] = 50.0


class Environment(_Model, frozen=True, kw_only=True):
    """What surrounds the nodes."""

    background: Color | None = None
    light: Literal["day", "studio", "dusk"] = "studio"
    grid: bool = True


class SceneBody(_Model, frozen=True, kw_only=True):
    """A scene as a client sends it; `revision`: the one it was made from."""

    name: Name
    description: Annotated[str, Meta(max_length=2000)] = ""
    nodes: list[Node] = []
    cameras: Annotated[list[Camera], Meta(max_length=MAX_CAMERAS)] = []
    environment: Environment = Environment()
    revision: int | None = None


class ScenePatch(_Model, frozen=True, kw_only=True):
    """Fields of a scene to change."""

    name: Name | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET
    revision: int | None = None


def read_scene(fields: dict[str, Any], max_nodes: int, max_widgets: int) -> SceneBody:
    """Return a scene from decoded JSON. Raises Invalid naming every node that is wrong."""
    fields = {key: value for key, value in fields.items() if key not in _ANSWERED}
    nodes = fields.get("nodes", [])
    if isinstance(nodes, list):
        if len(nodes) > max_nodes:
            raise Invalid(f"A scene has at most {max_nodes} nodes; this one has {len(nodes)}.")
        fields["nodes"] = [_spelled_out(node) for node in nodes]
    try:
        body = msgspec.convert(fields, SceneBody)
    except msgspec.ValidationError as exc:
        raise Invalid(f"{exc}.") from exc
    errors = [*_node_errors(body.nodes), *_finite_errors(body)]
    if errors:
        raise Invalid(f"The scene is not valid: {errors[0].message}", errors=errors[:100])
    if len(widget_ids(body)) > max_widgets:
        raise Invalid(f"A scene shows at most {max_widgets} widgets.")
    return body


_ANSWERED = frozenset({"id", "assets", "missing", "created_at", "updated_at", "dropped_widget_ids"})
"""Fields of the answer that a client may send back as they came."""


def widget_ids(body: SceneBody) -> list[UUID]:
    """Return the widgets of a scene, each once."""
    return list(dict.fromkeys(b.widget_id for node in body.nodes for b in node.widgets))


def asset_ids(body: SceneBody) -> list[UUID]:
    """Return the models of a scene, each once."""
    return list(dict.fromkeys(node.asset_id for node in body.nodes if node.asset_id is not None))


def _spelled_out(node: Any) -> Any:
    """Return a node whose short forms ('box', 'card', a number as scale) are spelled out."""
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if isinstance(node.get("primitive"), str):
        node["primitive"] = {"type": node["primitive"]}
    if isinstance(node.get("scale"), (int, float)) and not isinstance(node["scale"], bool):
        node["scale"] = [node["scale"]] * 3
    for key in ("position", "rotation", "scale", "widgets", "visible"):
        if node.get(key, 0) is None:
            del node[key]
    if isinstance(node.get("widgets"), list):
        node["widgets"] = [_binding(item) for item in node["widgets"]]
    return node


def _binding(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    item = dict(item)
    anchor, display = item.get("anchor"), item.get("display")
    if isinstance(anchor, str):
        item["anchor"] = {"node": anchor} if anchor else {}
    elif isinstance(anchor, list):
        item["anchor"] = {"position": anchor}
    if isinstance(display, str):
        item["display"] = {"kind": display}
    return {key: value for key, value in item.items() if value is not None}


def _node_errors(nodes: list[Node]) -> list[ItemError]:
    found: list[ItemError] = []
    parents = {node.id: node.parent for node in nodes}
    doubled = {id_ for id_, count in Counter(node.id for node in nodes).items() if count > 1}
    for index, node in enumerate(nodes):
        if node.id in doubled:
            found.append(ItemError(f"Node id '{node.id}' is used twice.", index, "id"))
        if node.asset_id is not None and node.primitive is not None:
            found.append(
                ItemError("A node has an asset_id or a primitive, not both.", index, "primitive")
            )
        if node.parent is not None and node.parent not in parents:
            found.append(
                ItemError(f"There is no node '{node.parent}' to be its parent.", index, "parent")
            )
        elif not _leads_to_top(node.id, parents):
            found.append(
                ItemError(
                    f"'{node.id}' is its own ancestor, or has more than {MAX_DEPTH} above it.",
                    index,
                    "parent",
                )
            )
        for binding in node.widgets:
            message = _display_error(binding.display)
            if message:
                found.append(ItemError(message, index, "widgets"))
    return found


def _leads_to_top(id_: str, parents: dict[str, str | None]) -> bool:
    above: str | None = id_
    for _ in range(MAX_DEPTH + 1):
        above = parents.get(above) if above is not None else None
        if above is None:
            return True
    return False


def _display_error(display: Display) -> str | None:
    if display.min is not None and display.max is not None and display.min >= display.max:
        return f"A {display.kind}'s min is below its max."
    ends = [(display.from_, display.to), *((r.from_, r.to) for r in display.ranges)]
    if any(low is not None and high is not None and low >= high for low, high in ends):
        return "A range's from is below its to."
    if display.kind == "color" and not display.ranges:
        return "A display of kind color needs ranges: [{from?, to?, color}]."
    if display.kind == "visibility" and display.from_ is None and display.to is None:
        return "A display of kind visibility needs from, to, or both."
    return None


def _finite_errors(body: SceneBody) -> list[ItemError]:
    """JSON has no NaN, but the numbers of displays have no bounds that would refuse an infinity."""
    return [
        ItemError("Numbers must be finite.", index, "widgets")
        for index, node in enumerate(body.nodes)
        for binding in node.widgets
        if not all(map(math.isfinite, _numbers(binding.display)))
    ]


def _numbers(display: Display) -> list[float]:
    ends = [display.min, display.max, display.from_, display.to]
    ends += [end for item in display.ranges for end in (item.from_, item.to)]
    return [end for end in ends if end is not None]
