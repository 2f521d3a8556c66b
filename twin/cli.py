"""The command `twinfeed`."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from twin import __version__, serve
from twin.argv import hide_secrets
from twin.backup.command import backup_command, restore_command
from twin.db.embedded import EmbeddedServerError
from twin.errors import StartupError
from twin.exporter.command import export_command
from twin.keys.commands import keys_group, orgs_group
from twin.mqtt.command import mqtt_command
from twin.options import database_options
from twin.settings import Settings, describe
from twin.sqlviews.command import sql_user_group


def main() -> None:
    """Run the command line; errors of ours are one line and exit code 1."""
    hide_secrets()
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


@cli.command("serve", epilog=_settings_help())
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on [8000].")
@click.option("--workers", type=int, help="Worker processes [1].")
@click.option("--tls-cert", help="Certificate chain, PEM: serve HTTPS.")
@click.option("--tls-key", help="Its private key, PEM.")
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


cli.add_command(backup_command)
cli.add_command(restore_command)
cli.add_command(keys_group)
cli.add_command(orgs_group)


@cli.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The datasource's ingestion URL.")
@click.option(
    "--key", required=True, envvar="TWINFEED_KEY", help="Its ingest key, or $TWINFEED_KEY."
)
@click.option("--time-column", help="Name of the time column [found by name].")
@click.option("--device-column", help="Name of the device column [found by name].")
@click.option("--delimiter", help="One character [found in the header].")
@click.option("--sheet", help="Of a workbook [the first].")
@click.option("--batch", type=click.IntRange(1, 100_000), default=5000, show_default=True)
def import_command(file: Path, **options: Any) -> None:
    """Send the rows of a CSV file or an xlsx workbook to a datasource, with a progress bar."""
    from twin.importer import import_file  # only this command needs an HTTP client

    sys.exit(import_file(file, **options))


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
