"""Triangle meshes of rounded industrial shapes, with normals. Pure; metres, y up.

Invariant: triangles are counter-clockwise seen from outside, every normal has length 1.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float, float]

ROUND = 28
"""Segments of a circle: smooth at the size of a screen, and few."""
CREASE = math.cos(math.radians(32))
"""Sharper corners of a profile are edges, the others are curves."""


class Mesh(NamedTuple):
    """Positions and normals (n × 3) and triangles (m × 3 indices)."""

    positions: Floats
    normals: Floats
    triangles: NDArray[np.int64]

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Mesh":
        """Return it elsewhere."""
        return self._replace(positions=self.positions + np.array([x, y, z]))

    def turned(self, axis: str, degrees: float) -> "Mesh":
        """Return it turned about an axis through the origin, counter-clockwise seen against it."""
        a, b = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cos, -sin, sin, cos
        return self._replace(positions=self.positions @ turn.T, normals=self.normals @ turn.T)


def joined(meshes: list[Mesh]) -> Mesh:
    """Return several as one."""
    starts = np.cumsum([0, *(len(mesh.positions) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.positions for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
        ),
    )


def box(x: float, y: float, z: float, bevel: float = 0.012, steps: int = 2) -> Mesh:
    """Return a box around the origin with rounded edges."""
    half = np.array([x, y, z]) / 2
    bevel = min(bevel, float(half.min()) * 0.98)
    inner = half - bevel
    grids = [_edges(float(h), bevel, steps) for h in half]
    faces = []
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        for sign in (1.0, -1.0):
            u, v = np.meshgrid(grids[a], grids[b], indexing="ij")
            points = np.empty((*u.shape, 3))
            points[..., axis], points[..., a], points[..., b] = sign * half[axis], u, v
            core = np.clip(points, -inner, inner)
            normals = points - core
            normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
            faces.append(_grid(core + bevel * normals, normals))
    return joined(faces)


def lathe(profile: list[tuple[float, float]], segments: int = ROUND) -> Mesh:
    """Return what a profile of (radius, y) makes when turned about y; it runs upwards outside."""
    points = np.array(profile, float)
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    points, steps = points[[True, *(lengths > 1e-9)]], steps[lengths > 1e-9]
    flat = np.stack([steps[:, 1], -steps[:, 0]], axis=1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    rows: list[tuple[Any, Any, Any, Any]] = []
    for index in range(len(flat)):
        first = _corner(flat, index - 1, index) if index else flat[index]
        last = _corner(flat, index + 1, index) if index + 1 < len(flat) else flat[index]
        rows.append((points[index], first, points[index + 1], last))
    angles = np.linspace(0, 2 * math.pi, segments + 1)
    around = np.stack([np.cos(angles), np.zeros_like(angles), -np.sin(angles)], axis=1)
    up = np.array([0.0, 1.0, 0.0])
    bands = []
    for low, low_normal, high, high_normal in rows:
        ends = ((low, low_normal), (high, high_normal))
        positions = np.stack([around * end[0] + up * end[1] for end, _ in ends], axis=1)
        normals = np.stack([around * normal[0] + up * normal[1] for _, normal in ends], axis=1)
        bands.append(_grid(positions, normals))
    return joined(bands)


def rounded(profile: list[tuple[float, float]], radius: float, steps: int = 3) -> list[Any]:
    """Return a profile whose inner corners are arcs of about a radius."""
    found: list[Any] = [profile[0]]
    for before, corner, after in zip(profile, profile[1:], profile[2:], strict=False):
        found += _arc(np.array(before), np.array(corner), np.array(after), radius, steps)
    return [(float(x), float(y)) for x, y in [*found, profile[-1]]]


def cylinder(radius: float, height: float, bevel: float = 0.008, segments: int = ROUND) -> Mesh:
    """Return an upright cylinder on the origin with rounded rims."""
    outline = [(0.0, 0.0), (radius, 0.0), (radius, height), (0.0, height)]
    return lathe(rounded(outline, min(bevel, radius * 0.4, height * 0.4), 2), segments)


def ring(inner: float, outer: float, height: float, segments: int = ROUND) -> Mesh:
    """Return an upright pipe's wall on the origin."""
    outline = [(inner, 0), (outer, 0), (outer, height), (inner, height), (inner, 0)]
    return lathe([(float(r), float(y)) for r, y in outline], segments)


def torus(radius: float, thickness: float, segments: int = ROUND, sides: int = 10) -> Mesh:
    """Return a lying ring of a round section."""
    angles = np.linspace(0, 2 * math.pi, sides + 1)
    section = [(radius + thickness * math.cos(a), thickness * math.sin(a)) for a in angles]
    return lathe(section, segments)


def tube(
    path: list[Point], radius: float, bend: float = 0.0, segments: int = 18, steps: int = 7
) -> Mesh:
    """Return a pipe along points, with arcs of radius `bend` at its corners and closed ends."""
    corners = [np.array(point, float) for point in path]
    line: list[Floats] = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        line += _arc(before, corner, after, bend, steps) if bend else [corner]
    points = np.array([*line, corners[-1]])
    points = points[[True, *(np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-9)]]
    ahead = np.diff(points, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    along = np.concatenate([ahead[:1], ahead[:-1] + ahead[1:], ahead[-1:]])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along[0], [0.0, 0.0, 1.0] if abs(along[0][2]) < 0.9 else [0.0, 1.0, 0.0])
    angles = np.linspace(0, 2 * math.pi, segments + 1)[:, None]
    rings = []
    for direction in along:
        # The frame is carried along, so that the pipe does not twist.
        side = side - direction * (side @ direction)
        side /= np.linalg.norm(side)
        rings.append(np.cos(angles) * side + np.sin(angles) * np.cross(direction, side))
    normals = np.array(rings)
    wall = _grid(points[:, None] + radius * normals, normals)
    ends = [
        _fan(points[at], points[at] + radius * normals[at], sign * along[at])
        for at, sign in ((0, -1.0), (-1, 1.0))
    ]
    return joined([wall, *ends])


def extruded(outline: list[tuple[float, float]], depth: float) -> Mesh:
    """Return a convex outline in x and y, counter-clockwise, made `depth` thick about z = 0."""
    flat = np.array([*outline, outline[0]])
    ahead = np.diff(flat, axis=0)
    normals = np.stack([ahead[:, 1], -ahead[:, 0], np.zeros(len(ahead))], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    front = np.column_stack([flat, np.full(len(flat), depth / 2)])
    back = front * [1.0, 1.0, -1.0]
    sides = []
    for index in range(len(normals)):
        smooth = [_corner(normals, index - 1, index)]
        smooth.append(_corner(normals, (index + 1) % len(normals), index))
        points = np.stack([back[index : index + 2], front[index : index + 2]], axis=1)
        sides.append(_grid(points, np.repeat(np.array(smooth)[:, None], 2, axis=1)))
    middle = front[:-1].mean(axis=0)
    toward = np.array([0.0, 0.0, 1.0])
    return joined(
        [
            *sides,
            _fan(middle, front, toward),
            _fan(middle * [1.0, 1.0, -1.0], back, -toward),
        ]
    )


def bolts(count: int, radius: float, size: float, height: float) -> Mesh:
    """Return hexagonal heads in a circle, standing on y = 0."""
    found = []
    for index in range(count):
        angle = 2 * math.pi * (index + 0.5) / count
        head = cylinder(size, height, 0.0, 6)
        found.append(head.moved(radius * math.cos(angle), 0.0, radius * math.sin(angle)))
    return joined(found)


def _edges(half: float, bevel: float, steps: int) -> Floats:
    """Return coordinates across a face, close together where it is rounded."""
    arc = np.tan(np.linspace(0, math.pi / 4, steps + 1)) * bevel
    return np.concatenate([-(half - bevel) - arc[::-1], (half - bevel) + arc])


def _corner(normals: Floats, other: int, own: int) -> Floats:
    """Return the normal where two parts of a profile meet: shared on a curve, own at an edge."""
    if normals[other] @ normals[own] < CREASE:
        return np.asarray(normals[own])
    both = normals[other] + normals[own]
    return np.asarray(both / np.linalg.norm(both))


def _arc(before: Floats, corner: Floats, after: Floats, radius: float, steps: int) -> list[Floats]:
    """Return points that round a corner: a quadratic curve, close to an arc."""
    reach = []
    for end in (before, after):
        away = end - corner
        length = float(np.linalg.norm(away))
        reach.append(corner + away * min(radius, length * 0.5) / length)
    return [
        (1 - t) ** 2 * reach[0] + 2 * t * (1 - t) * corner + t**2 * reach[1]
        for t in np.linspace(0, 1, steps + 1)
    ]


def _grid(positions: Floats, normals: Floats) -> Mesh:
    """Return the surface over a grid of points (rows × columns × 3)."""
    rows, columns = positions.shape[:2]
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:]
    quads = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
    return _facing(Mesh(positions.reshape(-1, 3), normals.reshape(-1, 3), quads))


def _fan(middle: Floats, rim: Floats, normal: Floats) -> Mesh:
    """Return a flat cap."""
    positions = np.concatenate([[middle], rim])
    ends = np.arange(1, len(rim))
    triangles = np.stack([np.zeros_like(ends), ends, ends + 1], axis=1)
    return _facing(Mesh(positions, np.repeat([normal], len(positions), axis=0), triangles))


def _facing(mesh: Mesh) -> Mesh:
    """Turn triangles to the side of their normals; leave out those without area, as at a tip."""
    corners = mesh.positions[mesh.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = (across * mesh.normals[mesh.triangles].sum(axis=1)).sum(axis=1) > 0
    triangles = np.where(outward[:, None], mesh.triangles, mesh.triangles[:, ::-1])
    return mesh._replace(triangles=triangles[np.linalg.norm(across, axis=1) > 1e-10])
