"""The command `twinfeed`."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from twin import __version__, serve
from twin.db.embedded import EmbeddedServerError
from twin.errors import StartupError
from twin.exporter.command import export_command
from twin.keys.bootstrap import SCOPES, create_key
from twin.mqtt.command import mqtt_command
from twin.settings import Settings, describe
from twin.sqlviews.command import sql_user_group

_URL_HELP = "PostgreSQL or TimescaleDB URL; without one the embedded database is used."


def main() -> None:
    """Run the command line; errors of ours are one line and exit code 1."""
    try:
        cli(standalone_mode=True)
    except (StartupError, EmbeddedServerError) as exc:
        click.echo(f"twinfeed: {exc}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Twinfeed: time-series ingest and digital-twin datasources."""


def _settings_help() -> str:
    lines = [
        f"  {name}  {text}" + (f" [{default}]" if default else "")
        for name, default, text in describe()
    ]
    return "\b\nEvery setting is an environment variable:\n" + "\n".join(lines)


def database_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --data-dir and --database-url."""

    @click.option("--data-dir", help="Directory of the embedded database.")
    @click.option("--database-url", help=_URL_HELP)
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        command(*args, **kwargs)

    return wrapped


@cli.command("serve", epilog=_settings_help())
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on [8000].")
@click.option("--workers", type=int, help="Worker processes [1].")
@click.option("--log-level", help="debug, info, warning or error [info].")
@database_options
def serve_command(**flags: object) -> None:
    """Serve the API until SIGTERM or Ctrl-C."""
    serve.serve(Settings.from_env(os.environ, **flags))


@cli.command("migrate")
@database_options
def migrate_command(**flags: object) -> None:
    """Bring the database up to date, and stop."""
    settings = Settings.from_env(os.environ, **flags)
    with serve.database(settings) as url:
        found = serve.prepare_database(settings, url)
    click.echo(f"The database is up to date: {found.home}, PostgreSQL {found.server_version}.")


@cli.group("keys")
def keys_group() -> None:
    """Management keys."""


@keys_group.command("create")
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("read", "write"),
    help="May be given several times [read, write].",
)
@click.option("--environment", type=click.Choice(["live", "test"]), default="live")
@click.option("--tenant", help="The organisation's tenant id [the first organisation].")
@click.option("--rate-limit", type=click.IntRange(1), help="Requests per clock hour [none].")
@click.option("--expires-in-days", type=click.IntRange(1, 36500))
@database_options
def keys_create(
    name: str,
    scopes: tuple[str, ...],
    environment: str,
    tenant: str | None,
    rate_limit: int | None,
    expires_in_days: int | None,
    **flags: object,
) -> None:
    """Create a management key and print it, once. Works while the server runs."""
    settings = Settings.from_env(os.environ, **flags)
    with serve.database(settings) as url:
        serve.prepare_database(settings, url)
        key = create_key(
            url,
            name=name,
            scopes=scopes,
            environment=environment,
            tenant_id=tenant,
            rate_limit=rate_limit,
            expires_in_days=expires_in_days,
        )
    click.echo(key.api_key)


@cli.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The datasource's ingestion URL.")
@click.option(
    "--key", required=True, envvar="TWINFEED_KEY", help="Its ingest key, or $TWINFEED_KEY."
)
@click.option("--time-column", help="Name of the time column [found by name].")
@click.option("--device-column", help="Name of the device column [found by name].")
@click.option("--delimiter", help="One character [found in the header].")
@click.option("--batch", type=click.IntRange(1, 100_000), default=5000, show_default=True)
def import_command(file: Path, **options: Any) -> None:
    """Send a CSV file's rows to a datasource in batches, with a progress bar and a summary."""
    from twin.importer import import_csv  # only this command needs an HTTP client

    sys.exit(import_csv(file, **options))


cli.add_command(mqtt_command)
cli.add_command(export_command)
cli.add_command(sql_user_group)


@cli.command("demo")
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on [8000].")
@click.option("--data-dir", help="Directory of the demo's own database [the default, with -demo].")
@click.option("--speed", type=click.FloatRange(0.1, 60), default=1.0, hidden=True)
def demo_command(speed: float, **flags: object) -> None:
    """Serve with a sample plant: datasources, simulated devices, widgets and an alert."""
    from twin.demo.run import run_demo  # starts simulators that nothing else needs

    run_demo(Settings.from_env(os.environ, **flags), speed=speed)
