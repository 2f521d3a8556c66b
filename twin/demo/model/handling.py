"""The roller conveyor with its canisters, and the control cabinet."""

from twin.demo.model.fittings import Pieces, aimed, plate, post
from twin.demo.model.gltf import Material, Part
from twin.demo.model.materials import (
    BRIGHT,
    CABINET,
    CANISTER,
    DARK_STEEL,
    GREY_BLUE,
    IRON,
    LABEL,
    LAMP_AMBER,
    LAMP_GREEN,
    LAMP_RED,
    ORANGE,
    PLINTH,
    RED,
    RUBBER,
    SCREEN,
    STEEL,
    YELLOW,
)
from twin.demo.model.shapes import box, cylinder, joined, lathe, ring, rounded, tube

LENGTH, WIDTH, TOP = 4.0, 0.62, 0.78
"""Metres of the conveyor: along x, along z, and the height its rollers carry at."""
ROLLERS = 20
LAMPS: dict[str, Material] = {
    "Lamp green": LAMP_GREEN,
    "Lamp amber": LAMP_AMBER,
    "Lamp red": LAMP_RED,
}


def conveyor() -> Part:
    """Return a driven roller conveyor along x around the origin; each 'Roller n' turns about z."""
    frame: Pieces = []
    for side in (-1, 1):
        z = side * WIDTH / 2
        frame += [
            (box(LENGTH, 0.16, 0.04, 0.01).moved(0.0, TOP - 0.08, z), GREY_BLUE),
            (
                tube(
                    [(-LENGTH / 2 + 0.05, TOP + 0.16, z), (LENGTH / 2 - 0.05, TOP + 0.16, z)],
                    0.018,
                    segments=10,
                ),
                BRIGHT,
            ),
        ]
        for x in (-1.8, -0.6, 0.6, 1.8):
            frame += post(x, z, TOP - 0.15, 0.07)
            frame.append((box(0.03, 0.2, 0.02, 0.004, 1).moved(x, TOP + 0.07, z), IRON))
    braces = [box(0.05, 0.05, WIDTH, 0.008).moved(x, 0.25, 0.0) for x in (-1.8, -0.6, 0.6, 1.8)]
    frame.append((joined(braces), IRON))
    frame += [
        (box(0.1, 0.1, 0.06, 0.01).moved(-1.2, TOP + 0.02, WIDTH / 2 + 0.06), YELLOW),
        (aimed(cylinder(0.03, 0.03), "+z", (-1.2, TOP + 0.02, WIDTH / 2 + 0.09)), RED),
    ]
    roller = _roller()
    rollers = [Part(roller_name(n), roller, (roller_x(n), TOP - 0.04, 0.0)) for n in range(ROLLERS)]
    return Part("Conveyor", parts=[Part("Frame", frame), Part("Drive", _drive()), *rollers])


def roller_name(index: int) -> str:
    """Return the node's name of a roller, counted from 0."""
    return f"Roller {index + 1}"


def roller_x(index: int) -> float:
    """Return where along the conveyor a roller lies."""
    return -LENGTH / 2 + 0.1 + index * (LENGTH - 0.2) / (ROLLERS - 1)


def canister() -> Part:
    """Return a canister of 60 litres with a handle and a cap, standing on the origin."""
    neck = lathe(rounded([(0.07, 0.0), (0.06, 0.05), (0.0, 0.05)], 0.01), 18)
    handle = tube(
        [(-0.1, 0.5, 0.0), (-0.1, 0.57, 0.0), (0.05, 0.57, 0.0), (0.05, 0.5, 0.0)],
        0.02,
        0.05,
        10,
        4,
    )
    pieces: Pieces = [
        (box(0.38, 0.5, 0.34, 0.05, 4).moved(y=0.25), CANISTER),
        (joined([box(0.386, 0.022, 0.346, 0.01).moved(y=y) for y in (0.14, 0.36)]), CANISTER),
        (handle, CANISTER),
        (neck.moved(0.12, 0.5, 0.0), ORANGE),
        (box(0.24, 0.13, 0.01, 0.003, 1).moved(0.0, 0.25, 0.169), LABEL),
        (box(0.18, 0.02, 0.01, 0.003, 1).moved(0.0, 0.28, 0.171), PLINTH),
    ]
    return Part("Canister", pieces)


def cabinet() -> Part:
    """Return a two-door cabinet that faces +z, with a panel and a signal tower on its roof."""
    width, height, depth = 1.2, 1.9, 0.5
    front = depth / 2
    body: Pieces = [
        (box(width, 0.1, depth * 0.94, 0.01).moved(y=0.05), PLINTH),
        (box(width, height, depth, 0.015).moved(y=0.1 + height / 2), CABINET),
    ]
    for side in (-1, 1):
        x = side * width / 4
        body.append(
            (
                box(width / 2 - 0.02, height - 0.06, 0.03, 0.012).moved(
                    x, 0.1 + height / 2, front + 0.012
                ),
                CABINET,
            )
        )
        body.append(
            (box(0.022, 0.16, 0.03, 0.008).moved(side * 0.05, 1.0, front + 0.04), DARK_STEEL)
        )
        slits = [
            box(0.3, 0.012, 0.012, 0.003, 1).moved(x, 0.3 + 0.035 * n, front + 0.026)
            for n in range(6)
        ]
        body.append((joined(slits), PLINTH))
    buttons = [
        aimed(cylinder(0.026, 0.03), "+z", (0.18 + 0.09 * n, 1.2, front + 0.025)) for n in range(3)
    ]
    body += [
        (buttons[0], LAMP_GREEN), (buttons[1], RUBBER), (buttons[2], LABEL),
        (aimed(cylinder(0.05, 0.012), "+z", (0.46, 1.2, front + 0.025)), YELLOW),
        (aimed(cylinder(0.034, 0.05, 0.012), "+z", (0.46, 1.2, front + 0.03)), RED),
        (box(0.46, 0.34, 0.03, 0.01).moved(0.3, 1.55, front + 0.03), PLINTH),
        *plate(0.26, 0.09, (-0.3, 1.72, front + 0.03)),
    ]  # fmt: skip
    screen = box(0.41, 0.29, 0.01, 0.003, 1).moved(0.3, 1.55, front + 0.043)
    tower = [
        Part(
            "Mast",
            [
                (cylinder(0.022, 0.22).moved(y=2.0), STEEL),
                (cylinder(0.065, 0.03).moved(y=2.2), PLINTH),
                (cylinder(0.06, 0.02).moved(y=2.58), PLINTH),
            ],
        )
    ]
    tower += [
        Part(name, [(cylinder(0.058, 0.112, 0.01, 20), paint)], (0.0, 2.232 + 0.116 * level, 0.0))
        for level, (name, paint) in enumerate(LAMPS.items())
    ]
    return Part("Cabinet", parts=[Part("Housing", body), Part("Panel", [(screen, SCREEN)]), *tower])


def _roller() -> Pieces:
    """Return a roller on its axis, with a stripe and two pins that show that it turns."""
    length = WIDTH - 0.08
    wall = aimed(cylinder(0.045, length, 0.006, 18), "+z", (0.0, 0.0, -length / 2))
    stripe = box(0.014, 0.012, length * 0.94, 0.003, 1).moved(0.0, 0.042, 0.0)
    sleeve = aimed(ring(0.044, 0.0475, 0.05, 18), "+z", (0.0, 0.0, length / 2 - 0.1))
    return [(wall, STEEL), (stripe, ORANGE), (sleeve, RUBBER)]


def _drive() -> Pieces:
    x, z = 1.25, -WIDTH / 2 - 0.14
    return [
        (aimed(cylinder(0.1, 0.34, 0.02), "+x", (x, TOP - 0.3, z)), GREY_BLUE),
        (box(0.2, 0.24, 0.22, 0.02).moved(x - 0.1, TOP - 0.28, z), IRON),
        (box(0.12, 0.08, 0.12, 0.012).moved(x + 0.18, TOP - 0.18, z), GREY_BLUE),
        (box(0.16, 0.2, 0.05, 0.012).moved(x - 0.1, TOP - 0.15, z + 0.1), ORANGE),
    ]
