"""What several machines have: flanges, feet, supports, name plates."""

from twin.demo.model.gltf import Material
from twin.demo.model.materials import BRIGHT, IRON, LABEL, PLINTH
from twin.demo.model.shapes import (
    Mesh,
    Point,
    bolts,
    box,
    cylinder,
    joined,
    lathe,
    ring,
    rounded,
)

Pieces = list[tuple[Mesh, Material]]
_TURNS: dict[str, tuple[str, float]] = {
    "+x": ("z", -90.0),
    "-x": ("z", 90.0),
    "+y": ("y", 0.0),
    "-y": ("x", 180.0),
    "+z": ("x", 90.0),
    "-z": ("x", -90.0),
}


def aimed(mesh: Mesh, direction: str, at: Point = (0.0, 0.0, 0.0)) -> Mesh:
    """Return what stands on the origin, lying in a direction ('+x', '-y', …) from a place."""
    return mesh.turned(*_TURNS[direction]).moved(*at)


def flange(bore: float, direction: str, at: Point, paint: Material) -> Pieces:
    """Return a flange of a pipe of outer radius `bore`, with eight bolts on its face."""
    disc = ring(bore * 0.85, bore * 1.85, 0.035)
    heads = bolts(8, bore * 1.5, 0.017, 0.018).moved(y=0.035)
    return [(aimed(disc, direction, at), paint), (aimed(heads, direction, at), BRIGHT)]


def joint(bore: float, axis: str, at: Point, paint: Material) -> Pieces:
    """Return two flanges back to back, with the bolts' heads on both sides."""
    first, second = ("+" + axis, "-" + axis)
    return [*flange(bore, first, at, paint), *flange(bore, second, at, paint)]


def post(x: float, z: float, height: float, width: float = 0.09) -> Pieces:
    """Return a column on a foot plate with anchor bolts."""
    foot = box(0.24, 0.016, 0.24, 0.006).moved(x, 0.008, z)
    column = box(width, height, width, 0.012).moved(x, height / 2, z)
    return [
        (joined([foot, column]), IRON),
        (bolts(4, 0.13, 0.013, 0.03).moved(x, 0.016, z), BRIGHT),
    ]


def clamp(radius: float, axis: str, at: Point) -> Pieces:
    """Return a ring around a pipe that a post holds."""
    middle = [at[0], at[1], at[2]]
    middle["xyz".index(axis)] -= 0.03
    band = ring(radius * 1.0, radius * 1.22, 0.06)
    return [(aimed(band, "+" + axis, (middle[0], middle[1], middle[2])), IRON)]


def plate(width: float, height: float, at: Point) -> Pieces:
    """Return a name plate that faces +z."""
    return [
        (box(width, height, 0.008, 0.003, 1).moved(*at), LABEL),
        (box(width * 0.82, height * 0.12, 0.004, 0.001, 1)
         .moved(at[0], at[1] + height * 0.2, at[2] + 0.005), PLINTH),
        (box(width * 0.6, height * 0.09, 0.004, 0.001, 1)
         .moved(at[0] - width * 0.11, at[1] - height * 0.1, at[2] + 0.005), PLINTH),
    ]  # fmt: skip


def foundation(x: float, z: float, height: float) -> Pieces:
    """Return a plinth on the floor."""
    return [(box(x, height, z, 0.02).moved(y=height / 2), PLINTH)]


def gauge_dial(at: Point) -> Pieces:
    """Return a round pressure gauge on a stem, which faces +z."""
    face = lathe(rounded([(0.0, 0.0), (0.07, 0.0), (0.07, 0.04), (0.0, 0.04)], 0.008))
    x, y, z = at
    needle = (
        box(0.008, 0.055, 0.004, 0.001, 1).turned("z", -35).moved(x + 0.014, y + 0.17, z + 0.043)
    )
    return [
        (cylinder(0.014, 0.12).moved(x, y, z), BRIGHT),
        (aimed(face, "+z", (x, y + 0.15, z)), BRIGHT),
        (aimed(cylinder(0.058, 0.004, 0.001), "+z", (x, y + 0.15, z + 0.037)), LABEL),
        (needle, PLINTH),
    ]
