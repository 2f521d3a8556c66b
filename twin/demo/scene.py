"""The demo's scene as the body of a request: what stands where, and which widget shows how. Pure."""

from typing import Any

from twin.demo.model.handling import LAMPS, ROLLERS, TOP, roller_name
from twin.demo.model.models import FILLER_X, PUMP_X, TANK_X, VALVE_X
from twin.demo.model.rotating import SHAFT_Y
from twin.demo.model.static import PIPE_Y

SCENE = "Pump line"
Ids = dict[str, str]
Item = dict[str, Any]

_GREEN, _AMBER, _RED = "#2e9d5b", "#f2a900", "#e5352b"
_WEAK_BAR, _LOW_BAR = 1.7, 1.45
"""A pump whose strainer clogs loses pressure before it vibrates."""
_PRESSURES = [
    {"to": _LOW_BAR, "color": _RED},
    {"from": _LOW_BAR, "to": _WEAK_BAR, "color": _AMBER},
    {"from": _WEAK_BAR, "color": _GREEN},
]
_LEVELS = [
    {"to": 20, "color": _RED},
    {"from": 20, "to": 52, "color": _AMBER},
    {"from": 52, "color": "#2f9bd8"},
]
_VISIBLE_SPEED = 0.03
"""A motor's real speed is a blur, or seems to stand still: it is shown at some 45 turns a minute."""
_BARS = 8
"""Lights beside the tank: the level in steps of 100 / _BARS percent."""


def scene(assets: Ids, widgets: Ids) -> Item:
    """Return the scene, given the ids of models by name and of widgets by title."""
    hang = _Hanger(widgets)
    return {
        "name": SCENE,
        "description": "A tank, a pump with its motor, a valve and a filling conveyor. The "
        "strainer clogs in cycles of two minutes.",
        "nodes": [
            *_hall(),
            *_tank(assets, hang),
            *_pump(assets, hang),
            *_pipes(assets, hang),
            *_conveyor(assets, hang),
            *_cabinet(assets, hang),
        ],
        "cameras": [
            _camera("Overview", (-1.5, 4.3, 9.0), (0.15, 1.25, 0.15), 45),
            _camera("Pump", (PUMP_X - 1.1, 1.6, 3.2), (PUMP_X + 0.5, 0.8, 0.0), 45),
            _camera("Tank", (TANK_X + 2.6, 2.3, 4.4), (TANK_X + 0.2, 1.55, 0.0), 45),
            _camera("Conveyor", (FILLER_X - 3.0, 2.5, 4.2), (FILLER_X - 0.1, 1.0, 0.5), 45),
            _camera("Cabinet", (1.5, 2.1, 1.7), (0.75, 1.4, -1.7), 45),
        ],
        "environment": {"light": "studio", "grid": False},
    }


class _Hanger:
    """Makes bindings of widgets that are named by their titles."""

    def __init__(self, widgets: Ids) -> None:
        self._widgets = widgets

    def __call__(
        self,
        title: str,
        kind: str,
        at: tuple[float, float, float] = (0, 0, 0),
        *,
        node: str | None = None,
        extra: Item | None = None,
        **display: Any,
    ) -> Item:
        """Return a binding; `node` names a part of the model, where the anchor is too."""
        anchor: Item = {"position": list(at)}
        shown: Item = {"kind": kind, **display, **(extra or {})}
        if node is not None:
            anchor["node"] = node
            if kind in ("color", "motion"):
                shown["node"] = node
        return {"widget_id": self._widgets[title], "anchor": anchor, "display": shown}


def _hall() -> list[Item]:
    """Return the floor with a walkway marked in yellow."""
    marks = [
        _block(f"mark-{name}", size, at, "#e3b21c")
        for name, size, at in (
            ("front", [10.6, 0.006, 0.08], [0.0, 0.0, 3.3]),
            ("back", [10.6, 0.006, 0.08], [0.0, 0.0, -2.5]),
            ("left", [0.08, 0.006, 5.88], [-5.26, 0.0, 0.4]),
            ("right", [0.08, 0.006, 5.88], [5.26, 0.0, 0.4]),
        )
    ]
    floor = {"type": "floor", "size": [14.0, 0.02, 9.5], "color": "#a9adac"}
    return [
        {"id": "floor", "name": "Floor", "primitive": floor, "position": [0.0, -0.002, 0.4]},
        *marks,
    ]


def _tank(assets: Ids, hang: _Hanger) -> list[Item]:
    bars = []
    for step in range(_BARS):
        bar = _block(
            f"level-{step + 1}",
            [0.16, 0.17, 0.05],
            [1.16, 0.66 + 0.235 * step, 0.62],
            "#35b6ff" if step else "#e5352b",
        )
        full_from = 100 * step / _BARS
        shown = hang("Tank level", "visibility", extra={"from": full_from})
        bars.append({**bar, "parent": "tank", "widgets": [shown]})
    frame = _block("level-frame", [0.22, 2.0, 0.04], [1.16, 0.58, 0.585], "#23282c")
    post = _block("level-post", [0.06, 0.6, 0.04], [1.16, 0.0, 0.585], "#39424a")
    return [
        {
            "id": "tank",
            "name": "Tank",
            "asset_id": assets["Demo tank"],
            "position": [TANK_X, 0.0, 0.0],
            "widgets": [
                hang("Tank level", "gauge", min=0, max=100, ranges=_LEVELS),
                hang("Level over the day", "chart", (-1.0, 1.3, 0.9)),
                hang("Tank level", "color", node="Level", ranges=_LEVELS),
            ],
        },
        {**frame, "parent": "tank"},
        {**post, "parent": "tank"},
        *bars,
    ]


def _pump(assets: Ids, hang: _Hanger) -> list[Item]:
    turns: Item = {"axis": "x", "factor": _VISIBLE_SPEED}
    return [
        {"id": "pump-set", "name": "Pump set", "position": [PUMP_X, 0.0, 0.0]},
        {
            "id": "pump",
            "name": "Pump",
            "parent": "pump-set",
            "asset_id": assets["Demo pump"],
            "widgets": [
                hang("Pump vibration", "chart", node="Casing"),
                hang("Pump state", "label", (0.0, 0.35, 0.25), node="Casing"),
                hang("Motor speed", "motion", node="Impeller", extra=turns),
                hang("Motor speed", "motion", node="Coupling", extra=turns),
            ],
        },
        {
            "id": "motor",
            "name": "Motor",
            "parent": "pump-set",
            "asset_id": assets["Demo motor"],
            "position": [0.86, 0.0, 0.0],
            "widgets": [
                hang("Motor", "card"),
                hang("Motor temperature", "label", (0.75, SHAFT_Y, 0.3)),
                hang("Motor speed", "motion", node="Shaft", extra=turns),
                hang("Motor speed", "motion", node="Fan", extra=turns),
            ],
        },
    ]


def _pipes(assets: Ids, hang: _Hanger) -> list[Item]:
    stream = {"type": "cylinder", "size": [0.05, 0.17, 0.05], "color": "#58b7ea"}
    return [
        {
            "id": "pipes",
            "name": "Pipes",
            "asset_id": assets["Demo pipes"],
            "widgets": [
                hang("Pump pressure", "color", node="Strainer", ranges=_PRESSURES),
                hang("Pump pressure", "label", node="Strainer"),
                hang("Pump flow per hour", "card", (-0.4, PIPE_Y, 0.0)),
            ],
        },
        {
            "id": "valve",
            "name": "Valve",
            "asset_id": assets["Demo valve"],
            "position": [VALVE_X, PIPE_Y, 0.0],
            "widgets": [hang("Valve position", "gauge", min=0, max=100)],
        },
        {
            "id": "stream",
            "name": "Filling stream",
            "primitive": {**stream, "opacity": 0.8},
            "position": [FILLER_X, 1.31, 0.0],
            "widgets": [hang("Pump flow", "visibility", extra={"from": 2})],
        },
    ]


def _conveyor(assets: Ids, hang: _Hanger) -> list[Item]:
    under_filler, apart = -0.9, 0.62
    canisters = [
        {
            "id": f"canister-{number}",
            "name": f"Canister {number}",
            "parent": "conveyor",
            "asset_id": assets["Demo canister"],
            "position": [round(under_filler + apart * (number - 2) - 0.12, 3), TOP + 0.005, 0.0],
        }
        for number in range(1, 6)
    ]
    rollers = [
        hang("Conveyor speed", "motion", node=roller_name(n), axis="z", factor=-1)
        for n in range(ROLLERS)
    ]
    return [
        {
            "id": "conveyor",
            "name": "Conveyor",
            "asset_id": assets["Demo conveyor"],
            "position": [FILLER_X, 0.0, 0.9],
            "rotation": [0.0, -90.0, 0.0],
            "widgets": [
                hang("Conveyor", "card", (1.3, TOP - 0.1, 0.3)),
                hang("Canisters per hour", "chart", (-0.9, TOP + 0.4, 0.0)),
                *rollers,
            ],
        },
        *canisters,
    ]


def _cabinet(assets: Ids, hang: _Hanger) -> list[Item]:
    lit = {
        "Lamp green": (_WEAK_BAR, None, "#3ddc84", "#1d3a29"),
        "Lamp amber": (_LOW_BAR, _WEAK_BAR, "#ffc233", "#46361a"),
        "Lamp red": (None, _LOW_BAR, "#ff3b30", "#451d1d"),
    }
    lamps = []
    for name in LAMPS:
        low, high, bright, dark = lit[name]
        ranges = [_range(low, high, bright)]
        ranges += [_range(None, low, dark)] if low is not None else []
        ranges += [_range(high, None, dark)] if high is not None else []
        lamps.append(hang("Pump pressure", "color", node=name, ranges=ranges))
    return [
        {
            "id": "cabinet",
            "name": "Control cabinet",
            "asset_id": assets["Demo cabinet"],
            "position": [0.75, 0.0, -1.75],
            "widgets": [
                hang("CPU", "chart"),
                hang("Memory", "label", (0.75, 1.45, 0.2)),
                *lamps,
            ],
        }
    ]


def _block(id_: str, size: list[float], at: list[float], color: str) -> Item:
    name = id_.replace("-", " ").capitalize()
    return {
        "id": id_,
        "name": name,
        "primitive": {"type": "box", "size": size, "color": color},
        "position": at,
    }


def _camera(
    name: str, at: tuple[float, float, float], target: tuple[float, float, float], fov: float
) -> Item:
    return {"name": name, "position": list(at), "target": list(target), "fov": fov}


def _range(low: float | None, high: float | None, color: str) -> Item:
    ends = {"from": low, "to": high}
    return {**{key: end for key, end in ends.items() if end is not None}, "color": color}
