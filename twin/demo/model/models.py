"""The models of the pump line as files: each is made anew, the same bytes every time."""

from collections.abc import Callable

from twin.demo.model.gltf import Part, glb
from twin.demo.model.handling import cabinet, canister, conveyor
from twin.demo.model.rotating import motor, pump
from twin.demo.model.static import TANK_RADIUS, pipes, tank, valve

TANK_X, PUMP_X, VALVE_X, FILLER_X = -3.6, -0.7, 1.9, 3.4
"""Where they stand along the line, metres."""
TANK_FLANGE_X = TANK_X + TANK_RADIUS + 0.185


def _pipes() -> Part:
    return pipes(TANK_FLANGE_X, PUMP_X, VALVE_X, FILLER_X)


MODELS: dict[str, Callable[[], Part]] = {
    "Demo tank": tank,
    "Demo pump": pump,
    "Demo motor": motor,
    "Demo pipes": _pipes,
    "Demo valve": valve,
    "Demo conveyor": conveyor,
    "Demo canister": canister,
    "Demo cabinet": cabinet,
}


def model(name: str) -> bytes:
    """Return one of MODELS as a binary glTF file."""
    return glb(MODELS[name]())
