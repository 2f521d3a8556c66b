"""The pump and the motor that drives it: the parts that turn are nodes on their own axis."""

import math

from twin.demo.model.fittings import Pieces, aimed, flange, foundation, gauge_dial, plate
from twin.demo.model.gltf import Part
from twin.demo.model.materials import (
    BLUE,
    BRIGHT,
    DARK_STEEL,
    GLASS,
    GREY_BLUE,
    IRON,
    ORANGE,
    RED,
    RUBBER,
    STEEL,
)
from twin.demo.model.shapes import (
    Mesh,
    bolts,
    box,
    cylinder,
    joined,
    lathe,
    ring,
    rounded,
    torus,
    tube,
)

SHAFT_Y = 0.62
"""The axis of pump and motor, metres above the floor."""
BORE = 0.085
"""Outer radius of the pipes that the pump stands in."""


def pump() -> Part:
    """Return a centrifugal pump on its base plate; it sucks from −x and delivers upwards.

    Its front is a window, so that the impeller is seen. The origin is on the floor below the impeller.
    """
    body: Pieces = []
    casing = lathe(
        rounded([(0.30, 0.0), (0.34, 0.02), (0.36, 0.14), (0.30, 0.26), (0.16, 0.30)], 0.06), 40
    )
    # The casing lies along x, open to the front side where the window sits.
    body += [
        (aimed(casing, "+x", (-0.12, SHAFT_Y, 0)), BLUE),
        (aimed(ring(0.255, 0.35, 0.05, 40), "-x", (-0.10, SHAFT_Y, 0)), BLUE),
        (aimed(bolts(16, 0.305, 0.015, 0.02), "-x", (-0.15, SHAFT_Y, 0)), BRIGHT),
        (aimed(cylinder(0.30, 0.02, 0.002, 40), "+x", (0.06, SHAFT_Y, 0)), DARK_STEEL),
    ]
    spiral = tube(
        [
            (0.0, SHAFT_Y + 0.1, 0.20),
            (0.0, SHAFT_Y + 0.34, 0.17),
            (0.0, 1.08, 0.0),
            (0.0, 1.2, 0.0),
        ],
        0.1,
        0.16,
    )
    body += [(spiral, BLUE), *flange(BORE, "-y", (0.0, 1.235, 0.0), BLUE)]
    bearing = lathe(
        rounded([(0.0, 0.0), (0.15, 0.0), (0.13, 0.10), (0.11, 0.30), (0.0, 0.30)], 0.03)
    )
    body += [
        (aimed(bearing, "+x", (0.16, SHAFT_Y, 0)), BLUE),
        (box(0.22, 0.40, 0.20, 0.02).moved(0.34, 0.42, 0.0), BLUE),
        (box(0.18, 0.14, 0.46, 0.02).moved(0.02, 0.22, 0.0), BLUE),
        (cylinder(0.03, 0.05).moved(0.32, SHAFT_Y + 0.11, 0), RED),
    ]
    fittings = [(mesh, paint) for mesh, paint in body if paint is not BLUE]
    fittings += _suction() + gauge_dial((0.0, 1.0, 0.12)) + plate(0.14, 0.08, (0.34, 0.48, 0.106))
    window = aimed(cylinder(0.26, 0.012, 0.003, 40), "-x", (-0.13, SHAFT_Y, 0))
    return Part(
        "Pump",
        parts=[
            Part("Casing", [(mesh, paint) for mesh, paint in body if paint is BLUE]),
            Part("Fittings", fittings),
            Part("Base", _base()),
            Part("Impeller", _impeller(), (-0.06, SHAFT_Y, 0.0)),
            Part("Coupling", _coupling(), (0.58, SHAFT_Y, 0.0)),
            Part("Window", [(window, GLASS)]),
        ],
    )


def motor() -> Part:
    """Return a finned motor whose shaft points to −x; the origin is below its drive end."""
    length, radius = 0.62, 0.24
    shell = lathe(
        rounded([(0.0, 0.0), (0.20, 0.0), (radius, 0.05), (radius, length), (0.0, length)], 0.03),
        36,
    )
    fins = [
        box(length * 0.84, 0.05, 0.012, 0.004, 1)
        .moved(length * 0.52, radius + 0.012, 0)
        .turned("x", degrees)
        for degrees in range(0, 360, 10)
        if not 150 <= degrees <= 210
    ]
    housing: Pieces = [
        (aimed(shell, "+x", (0.0, SHAFT_Y, 0.0)), GREY_BLUE),
        (joined(fins).moved(y=SHAFT_Y), GREY_BLUE),
        (aimed(bolts(8, 0.18, 0.016, 0.02), "-x", (0.0, SHAFT_Y, 0.0)), BRIGHT),
        (aimed(_cowl(), "+x", (length + 0.16, SHAFT_Y, 0.0)), GREY_BLUE),
        (aimed(ring(0.235, 0.275, 0.20, 36), "+x", (length - 0.02, SHAFT_Y, 0.0)), GREY_BLUE),
        (box(0.24, 0.13, 0.20, 0.02).moved(0.26, SHAFT_Y + 0.32, 0.0), GREY_BLUE),
        (box(0.20, 0.02, 0.17, 0.006).moved(0.26, SHAFT_Y + 0.39, 0.0), DARK_STEEL),
        (aimed(cylinder(0.028, 0.06), "+z", (0.26, SHAFT_Y + 0.31, 0.1)), RUBBER),
        (torus(0.045, 0.011).turned("x", 90).moved(0.46, SHAFT_Y + 0.33, 0.0), BRIGHT),
        *plate(0.13, 0.08, (0.30, SHAFT_Y - 0.02, radius + 0.038)),
    ]
    feet = [box(0.14, 0.10, 0.44, 0.015).moved(x, SHAFT_Y - 0.27, 0.0) for x in (0.12, 0.5)]
    housing.append((joined(feet), GREY_BLUE))
    housing.append((box(0.62, 0.18, 0.42, 0.015).moved(0.31, 0.23, 0.0), IRON))
    return Part(
        "Motor",
        parts=[
            Part("Housing", housing),
            Part("Shaft", _shaft(), (-0.08, SHAFT_Y, 0.0)),
            Part("Fan", _fan(), (length + 0.1, SHAFT_Y, 0.0)),
        ],
    )


def _suction() -> Pieces:
    neck = lathe(rounded([(0.15, 0.0), (0.12, 0.06), (BORE, 0.16), (BORE, 0.36)], 0.05))
    arms = [
        aimed(box(0.03, 0.05, 0.05, 0.01), "+y", (-0.17, SHAFT_Y, 0.0))
    ]  # fmt: skip
    return [
        (aimed(neck, "-x", (-0.17, SHAFT_Y, 0.0)), STEEL),
        (joined(arms), STEEL),
        *flange(BORE, "+x", (-0.545, SHAFT_Y, 0.0), STEEL),
    ]


def _base() -> Pieces:
    """Return the plate that pump and motor share."""
    rails = [box(2.1, 0.12, 0.09, 0.015).moved(0.62, 0.14, z) for z in (-0.3, 0.3)]
    plinth = [(mesh.moved(0.62), paint) for mesh, paint in foundation(2.3, 0.95, 0.08)]
    return [
        *plinth,
        (joined(rails), IRON),
        (box(2.0, 0.02, 0.55, 0.006).moved(0.62, 0.15, 0), IRON),
    ]


def _impeller() -> Pieces:
    """Return a closed wheel seen from its open front: a disc, a hub and bent vanes."""
    vanes = []
    for index in range(6):
        path = []
        for step in range(6):
            radius = 0.06 + 0.17 * step / 5
            angle = math.radians(60 * index + 14 * step)
            path.append((0.0, radius * math.cos(angle), radius * math.sin(angle)))
        vanes.append(tube(path, 0.018, 0.0, 8))
    disc = aimed(cylinder(0.24, 0.02, 0.005, 40), "+x", (0.02, 0.0, 0.0))
    hub = aimed(
        lathe(rounded([(0.07, 0.0), (0.06, 0.05), (0.0, 0.11)], 0.04)), "-x", (0.03, 0.0, 0.0)
    )
    return [(disc, BRIGHT), (joined(vanes), ORANGE), (hub, DARK_STEEL)]


def _coupling() -> Pieces:
    """Return two hubs with claws, which show that they turn."""
    hubs = [aimed(cylinder(0.075, 0.07, 0.008), "+x", (x, 0.0, 0.0)) for x in (-0.085, 0.015)]
    claws = [
        box(0.15, 0.03, 0.035, 0.006).moved(0.0, 0.082, 0.0).turned("x", degrees)
        for degrees in range(0, 360, 60)
    ]
    shaft = aimed(cylinder(0.032, 0.3, 0.004), "+x", (-0.15, 0.0, 0.0))
    return [(joined(hubs), DARK_STEEL), (joined(claws), ORANGE), (shaft, BRIGHT)]


def _shaft() -> Pieces:
    key = box(0.1, 0.012, 0.02, 0.002).moved(0.04, 0.034, 0.0)
    return [(aimed(cylinder(0.032, 0.1, 0.003), "+x", (-0.02, 0.0, 0.0)), BRIGHT), (key, ORANGE)]


def _fan() -> Pieces:
    blades: list[Mesh] = [
        box(0.05, 0.14, 0.05, 0.004, 1).turned("y", 28).moved(0.0, 0.13, 0.0).turned("x", degrees)
        for degrees in range(0, 360, 45)
    ]
    hub = aimed(cylinder(0.07, 0.06), "+x", (-0.03, 0.0, 0.0))
    return [(joined(blades), RUBBER), (hub, ORANGE)]


def _cowl() -> Mesh:
    """Return the grille behind the fan: rings that leave it to be seen."""
    circles = [torus(radius, 0.008, 32, 8).moved(y=0.02) for radius in (0.08, 0.13, 0.18, 0.23)]
    spokes = [
        box(0.24, 0.012, 0.014, 0.003, 1).moved(0.125, 0.02, 0.0).turned("y", degrees)
        for degrees in range(0, 360, 60)
    ]
    return joined([*circles, *spokes])
