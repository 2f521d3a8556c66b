"""The tank, the pipes with their strainer, and the control valve."""

import math

from twin.demo.model.fittings import (
    Pieces,
    aimed,
    clamp,
    flange,
    foundation,
    joint,
    plate,
    post,
)
from twin.demo.model.gltf import Part
from twin.demo.model.materials import (
    BLUE,
    BRIGHT,
    DARK_STEEL,
    GLASS,
    IRON,
    PIPE,
    RED,
    STEEL,
    WATER,
    YELLOW,
)
from twin.demo.model.rotating import BORE, SHAFT_Y
from twin.demo.model.shapes import (
    Mesh,
    bolts,
    box,
    cylinder,
    joined,
    lathe,
    rounded,
    torus,
    tube,
)

TANK_RADIUS, TANK_FLOOR, TANK_WALL = 0.85, 0.42, 2.3
"""Metres: the wall begins at TANK_FLOOR + 0.2 and is TANK_WALL high."""
PIPE_Y = 2.25
"""The height at which the delivery line runs over to the conveyor."""


def tank() -> Part:
    """Return an upright steel tank with dished ends, a ladder and a sight glass; outlet to +x."""
    low, high = TANK_FLOOR + 0.2, TANK_FLOOR + 0.2 + TANK_WALL
    shell = lathe(_dished(low, high), 44)
    bands = [
        torus(TANK_RADIUS + 0.004, 0.016, 44, 6).moved(y=y)
        for y in (low + 0.05, 1.4, 2.2, high - 0.05)
    ]
    body: Pieces = [
        (shell, STEEL),
        (joined(bands), BRIGHT),
        (cylinder(0.26, 0.1).moved(0.0, high + 0.17, -0.25), DARK_STEEL),
        (cylinder(0.3, 0.035).moved(0.0, high + 0.27, -0.25), STEEL),
        (bolts(12, 0.265, 0.016, 0.02).moved(0.0, high + 0.305, -0.25), BRIGHT),
        (
            tube(
                [
                    (0.35, high + 0.1, 0.3),
                    (0.35, high + 0.5, 0.3),
                    (0.55, high + 0.5, 0.3),
                    (0.55, high + 0.38, 0.3),
                ],
                0.035,
                0.1,
            ),
            STEEL,
        ),
        (aimed(cylinder(BORE, TANK_RADIUS * 0.75 + 0.1, 0.0), "+x", (0.2, SHAFT_Y, 0.0)), STEEL),
        *flange(BORE, "-x", (TANK_RADIUS + 0.185, SHAFT_Y, 0.0), STEEL),
        *foundation(2.1, 2.1, 0.1),
    ]
    for angle in (45, 135, 225, 315):
        x, z = (0.72 * f(math.radians(angle)) for f in (math.cos, math.sin))
        body.append((cylinder(0.055, low + 0.1, 0.004).moved(x, 0.1, z), IRON))
        body.append((cylinder(0.11, 0.02, 0.004).moved(x, 0.1, z), IRON))
    body += plate(0.34, 0.2, (-0.28, 1.75, TANK_RADIUS * 0.955))
    glass, level = _sight_glass(low, high)
    return Part(
        "Tank",
        parts=[
            Part("Vessel", body),
            Part("Ladder", [(_ladder(high).moved(z=-TANK_RADIUS - 0.16), YELLOW)]),
            Part("Level", [(level, WATER)]),
            Part("Sight glass", glass),
        ],
    )


def pipes(from_x: float, pump_x: float, valve_x: float, to_x: float) -> Part:
    """Return suction and delivery of the line; tank's flange, pump, valve and filler are at x."""
    inlet = pump_x - 0.545
    strainer_x = from_x + (inlet - from_x) * 0.5
    suction: Pieces = [
        (aimed(cylinder(BORE, inlet - from_x, 0.0), "+x", (from_x, SHAFT_Y, 0.0)), PIPE),
        *flange(BORE, "+x", (from_x, SHAFT_Y, 0.0), PIPE),
        *flange(BORE, "-x", (inlet, SHAFT_Y, 0.0), PIPE),
        *flange(BORE, "-x", (strainer_x - 0.285, SHAFT_Y, 0.0), PIPE),
        *flange(BORE, "+x", (strainer_x + 0.285, SHAFT_Y, 0.0), PIPE),
        *post(from_x + 0.2, 0.0, SHAFT_Y - BORE),
    ]
    over = [(pump_x, 1.235, 0.0), (pump_x, PIPE_Y, 0.0), (to_x, PIPE_Y, 0.0), (to_x, 1.75, 0.0)]
    nozzle = lathe(
        rounded([(0.0, 0.0), (0.03, 0.0), (0.045, 0.12), (BORE, 0.2), (BORE, 0.3)], 0.02)
    )
    delivery: Pieces = [
        (tube(over, BORE, 0.3, 24, 10), PIPE),
        *flange(BORE, "+y", (pump_x, 1.235, 0.0), PIPE),
        (nozzle.moved(to_x, 1.47, 0.0), STEEL),
        *joint(BORE, "y", (to_x, 1.8, 0.0), PIPE),
        *flange(BORE, "-x", (valve_x - 0.235, PIPE_Y, 0.0), PIPE),
        *flange(BORE, "+x", (valve_x + 0.235, PIPE_Y, 0.0), PIPE),
    ]
    for x in (pump_x + 1.9, to_x - 0.55):
        delivery += [*post(x, 0.0, PIPE_Y - BORE), *clamp(BORE, "x", (x, PIPE_Y, 0.0))]
    for x in (pump_x + 0.75, valve_x + 0.5):
        delivery += [(aimed(_arrow_band(), "+x", (x, PIPE_Y, 0.0)), BLUE)]
    return Part(
        "Pipes",
        parts=[
            Part("Suction line", suction),
            Part("Strainer", _strainer(), (strainer_x, SHAFT_Y, 0.0)),
            Part("Delivery line", delivery),
        ],
    )


def valve() -> Part:
    """Return a control valve in a line along x, its actuator above; the origin is in the line."""
    body = lathe(
        rounded(
            [(0.09, -0.2), (0.10, -0.15), (0.155, -0.05), (0.155, 0.05), (0.10, 0.15), (0.09, 0.2)],
            0.06,
        )
    )
    pieces: Pieces = [
        (aimed(body, "+x"), RED),
        (
            lathe(
                rounded(
                    [
                        (0.0, 0.05),
                        (0.10, 0.05),
                        (0.08, 0.2),
                        (0.12, 0.21),
                        (0.12, 0.25),
                        (0.0, 0.25),
                    ],
                    0.015,
                )
            ),
            RED,
        ),
        (bolts(6, 0.1, 0.014, 0.02).moved(y=0.25), BRIGHT),
        *flange(BORE, "+x", (-0.235, 0.0, 0.0), RED),
        *flange(BORE, "-x", (0.235, 0.0, 0.0), RED),
        (
            joined([box(0.03, 0.24, 0.04, 0.006).moved(x, 0.36, 0.0) for x in (-0.08, 0.08)]),
            DARK_STEEL,
        ),
    ]
    dome = lathe(
        rounded(
            [
                (0.0, 0.0),
                (0.1, 0.0),
                (0.21, 0.06),
                (0.22, 0.09),
                (0.22, 0.12),
                (0.19, 0.17),
                (0.08, 0.22),
                (0.0, 0.22),
            ],
            0.03,
        ),
        36,
    )
    actuator: Pieces = [
        (dome.moved(y=0.47), BLUE),
        (torus(0.22, 0.012, 36, 8).moved(y=0.575), BRIGHT),
        (cylinder(0.04, 0.06).moved(y=0.68), BRIGHT),
        (box(0.13, 0.16, 0.09, 0.015).moved(0.0, 0.36, 0.11), DARK_STEEL),
        *plate(0.08, 0.05, (0.0, 0.38, 0.157)),
    ]
    stem: Pieces = [
        (cylinder(0.018, 0.25, 0.002).moved(y=0.24), BRIGHT),
        (cylinder(0.05, 0.015, 0.003).moved(y=0.36), YELLOW),
    ]
    return Part(
        "Valve", parts=[Part("Body", pieces), Part("Actuator", actuator), Part("Stem", stem)]
    )


def _dished(low: float, high: float) -> list[tuple[float, float]]:
    """Return a tank's outline: an ellipse, a wall, an ellipse."""
    ends = [math.radians(degrees) for degrees in range(0, 91, 9)]
    bottom = [(TANK_RADIUS * math.sin(a), low - 0.24 * math.cos(a)) for a in ends]
    top = [(TANK_RADIUS * math.cos(a), high + 0.24 * math.sin(a)) for a in ends]
    return bottom + top


def _sight_glass(low: float, high: float) -> tuple[Pieces, Mesh]:
    x, z = TANK_RADIUS * math.sin(0.5), TANK_RADIUS * math.cos(0.5)
    x, z = x * 1.14, z * 1.14
    arms = [
        tube([(x * 0.85, y, z * 0.85), (x, y, z)], 0.028)
        for y in (low + 0.15, high - 0.15)
    ]  # fmt: skip
    ends = [cylinder(0.06, 0.08, 0.01).moved(x, y - 0.04, z) for y in (low + 0.15, high - 0.15)]
    wall = cylinder(0.045, high - low - 0.3, 0.0, 20).moved(x, low + 0.15, z)
    column = cylinder(0.034, (high - low) * 0.6, 0.004, 16).moved(x, low + 0.16, z)
    return [(joined(arms + ends), DARK_STEEL), (wall, GLASS)], column


def _ladder(high: float) -> Mesh:
    rails = [
        tube(
            [(x, 0.1, 0.0), (x, high + 0.55, 0.0), (x, high + 0.55, 0.3), (x, high + 0.2, 0.3)],
            0.02,
            0.15,
            10,
        )
        for x in (-0.2, 0.2)
    ]
    rungs = [
        aimed(cylinder(0.013, 0.4, 0.0, 8), "+x", (-0.2, 0.35 + 0.28 * index, 0.0))
        for index in range(9)
    ]
    return joined(rails + rungs)


def _strainer() -> Pieces:
    """Return a Y strainer: a body with a basket that hangs down at 45°."""
    body = lathe(
        rounded([(BORE, -0.25), (0.12, -0.14), (0.13, 0.0), (0.12, 0.14), (BORE, 0.25)], 0.05)
    )
    basket = lathe(
        rounded([(0.0, -0.36), (0.13, -0.36), (0.13, -0.30), (0.095, -0.29), (0.095, 0.0)], 0.01)
    )
    heads = bolts(6, 0.105, 0.014, 0.02).moved(y=-0.30)
    return [
        (joined([aimed(body, "+x"), basket.turned("x", -35).turned("z", 30)]), STEEL),
        (heads.turned("x", -35).turned("z", 30), BRIGHT),
        *flange(BORE, "+x", (-0.285, 0.0, 0.0), STEEL),
        *flange(BORE, "-x", (0.285, 0.0, 0.0), STEEL),
    ]


def _arrow_band() -> Mesh:
    return cylinder(BORE * 1.02, 0.16, 0.0, 24)
