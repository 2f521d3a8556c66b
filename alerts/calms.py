"""The calm of each datasource as one worker holds it, kept in step with the states.

Transitions may come by the hundred a second, so it is made anew only for the devices that changed.
"""

import numpy as np

from alerts.calm import Calm, Standing, make_calm, remade
from alerts.held import Prepared
from twin.batch import Int32s


class Calms:
    """What of each datasource is calm, at the states last asked for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[int, tuple[Prepared, Calm | None]] = {}

    def of(self, prepared: Prepared) -> Calm | None:
        """Return what changes no state, None where that would take too much memory. Any thread."""
        no = prepared.schema.no
        last, calm = self._held.get(no, (None, None))
        if last is not None and last.plan is prepared.plan and last.active is prepared.active:
            return calm
        standing = Standing(prepared.plan, prepared.active, prepared.held.states, prepared.rule_no)
        devices = None
        if calm is not None and last is not None and last.plan is prepared.plan:
            devices = prepared.held.states.since(last.held.states)
        if calm is None or devices is None:
            calm = make_calm(standing)
        else:
            calm = remade(calm, standing, _streams(prepared, devices))
        self._held[no] = prepared, calm
        return calm


def _streams(prepared: Prepared, devices: set[int]) -> Int32s:
    """Return the streams of devices named by that of page 0."""
    names = [prepared.schema.streams[device][0] for device in devices if device]
    found = {stream for name in names for stream in prepared.view.devices.get(name, ())}
    return np.array(sorted(found), np.int32)
