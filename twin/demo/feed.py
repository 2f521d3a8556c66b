"""Sends a reading of everything every second."""

import time
from collections.abc import Callable

import click

from twin.clock import now_us, to_rfc3339
from twin.demo.api import Api
from twin.demo.catalog import MACHINE, PUMP_LINE
from twin.demo.errors import DemoFailed
from twin.demo.machine import Machine
from twin.demo.pump import readings
from twin.demo.setup import Plant

PERIOD_S = 1.0
QUIET_S = 5.0
"""A shorter outage is not worth a line: a worker of the server may be starting again."""


def feed(api: Api, plant: Plant, *, speed: float, sleep: Callable[[float], None]) -> None:
    """Send readings until the process ends. A second that cannot be sent is left out.

    `speed`: seconds of the simulated plant per second.
    """
    machine, pump = plant.sources[MACHINE], plant.sources[PUMP_LINE]
    figures = Machine()
    start = last_sent = time.monotonic()
    told = False
    tick = 0
    while True:
        tick += 1
        sleep(max(start + tick * PERIOD_S - time.monotonic(), 0.0))
        at_us = now_us()
        since_s = (time.monotonic() - start) * speed
        try:
            api.ingest(machine.id, machine.key, figures.reading())
            api.ingest(pump.id, pump.key, pump_request(since_s, at_us))
        except DemoFailed as exc:
            if not told and time.monotonic() - last_sent > QUIET_S:
                click.echo(f"Readings cannot be sent: {exc}", err=True)
                told = True
            continue
        if told:
            click.echo("Readings are sent again.", err=True)
        last_sent, told = time.monotonic(), False


def pump_request(since_s: float, at_us: int) -> list[dict[str, object]]:
    """Return a reading of each device of the pump line."""
    ts = to_rfc3339(at_us)
    return [
        {"ts": ts, "device": device, "values": values}
        for device, values in readings(since_s, at_us / 1_000_000).items()
    ]
