"""The process beside the server that sets up the sample plant and feeds it.

It ends with the server's main process, however that ends; when it cannot set up, it ends that one.
"""

import os
import signal
import sys
import time
from pathlib import Path

import click
import msgspec

from twin import runtime
from twin.clock import now_us
from twin.demo.api import Api
from twin.demo.card import card
from twin.demo.errors import DemoFailed
from twin.demo.feed import feed
from twin.demo.pump import CYCLE_S, VIBRATION_LIMIT, readings
from twin.demo.receiver import Receiver
from twin.demo.setup import set_up
from twin.demo.state import State


class PlantConfig(msgspec.Struct, frozen=True):
    """What the plant's process is told. `speed`: simulated seconds per second."""

    base_url: str
    directory: Path
    state: State
    speed: float


def run_plant(config: PlantConfig) -> None:
    """Set up and feed until SIGTERM."""
    runtime.die_with_parent()
    # Ctrl-C reaches the whole group; the main process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with (
            Receiver(config.state.webhook_secret) as receiver,
            Api(config.base_url, config.state.admin_key) as api,
        ):
            api.wait_until_healthy()
            plant = set_up(api, config.directory, config.state, receiver.url, now_us())
            alert_in_s = seconds_to_alert() / config.speed
            click.echo(card(config.base_url, plant, config.state, config.directory, alert_in_s))
            feed(api, plant, speed=config.speed, sleep=time.sleep)
    except DemoFailed as exc:
        click.echo(f"twinfeed: the demo cannot be set up: {exc}", err=True)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the exit code tells the main process
        os.kill(os.getppid(), signal.SIGTERM)
        sys.exit(1)


def seconds_to_alert() -> int:
    """Return when in a cycle the vibration passes its limit."""
    return next(
        second
        for second in range(int(CYCLE_S))
        if float(readings(second, 0.0)["pump-1"]["vibration"]) > VIBRATION_LIMIT
    )
