"""Starts the demo: the server as `serve` runs it, and the plant in a process beside it."""

import multiprocessing
import signal
import socket
import sys
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any

import click
import msgspec

from twin import serve
from twin.demo.plant import PlantConfig, run_plant
from twin.demo.state import open_state
from twin.errors import StartupError
from twin.settings import Settings, default_data_dir

STOP_TIMEOUT_S = 5.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def run_demo(settings: Settings, *, speed: float = 1.0) -> None:
    """Serve a sample plant until SIGTERM or Ctrl-C, always on an embedded database of its own.

    Raises StartupError, EmbeddedServerError.
    """
    settings = demo_settings(settings)
    require_free_port(settings.host, settings.port)
    directory = Path(settings.data_dir).absolute()
    state = open_state(directory, settings.admin_key)
    settings = msgspec.structs.replace(settings, admin_key=state.admin_key)
    click.echo("Starting the database and the server …")
    with serve.ready(settings) as server:
        config = PlantConfig(local_url(settings), directory, state, speed)
        # Spawned, not forked, and no thread: the server forks its workers from this process.
        plant = multiprocessing.get_context("spawn").Process(
            target=run_plant, args=(config,), daemon=True
        )
        server.on_startup(partial(_end_first, plant))
        plant.start()
        try:
            server.serve()
        finally:
            failed = _stop(plant)
    if failed:
        sys.exit(1)
    click.echo("Stopped.")


def demo_settings(settings: Settings) -> Settings:
    """Return settings for the demo: embedded database of its own, webhooks to loopback allowed."""
    own = settings.data_dir == default_data_dir()
    return msgspec.structs.replace(
        settings,
        database_url=None,
        data_dir=settings.data_dir + "-demo" if own else settings.data_dir,
        webhook_allow_private=True,
    )


def local_url(settings: Settings) -> str:
    """Return the server's URL as seen from this machine."""
    host = _ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def require_free_port(host: str, port: int) -> None:
    """Raise StartupError when the address is taken: the plant would be set up in another server."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise StartupError(
            f"{host}:{port} cannot be listened on: {exc.strerror}. Choose another with --port."
        ) from exc


def _end_first(plant: SpawnProcess) -> None:
    """Let a stop signal reach the plant before the server, or it would meet one that is going."""
    for number in (signal.SIGTERM, signal.SIGINT):
        stop_server = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, stop_server: Any = stop_server) -> None:
            plant.terminate()
            stop_server(number, frame)

        signal.signal(number, stop)


def _stop(plant: SpawnProcess) -> bool:
    """End the plant's process; return whether it had failed by itself."""
    plant.terminate()
    plant.join(STOP_TIMEOUT_S)
    if plant.is_alive():
        plant.kill()
        plant.join()
    # A plant that is told to stop before it has its handler ends by the signal.
    return plant.exitcode not in (0, -signal.SIGTERM, -signal.SIGKILL)
