"""What is typed for `twinfeed backup` and `twinfeed restore`."""

import os
from pathlib import Path

import click

from twin import serve
from twin.db.embedded import running_url
from twin.db.embedded.cluster import PGDATA
from twin.errors import StartupError
from twin.options import database_options
from twin.settings import Settings
from twin.vault import kept_key

FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.command("backup")
@FOLDER
@database_options
def backup_command(folder: Path, **flags: object) -> None:
    """Write all of the database to the new folder DIR, while it is used or not.

    Everything that was acknowledged before the start is in it. It holds what the database holds: keys as
    hashes, webhooks' secrets sealed. With TWINFEED_SECRET_KEY it does not hold their key: keep that too.
    """
    from twin.backup.dump import back_up  # only these commands pack

    settings = Settings.from_env(os.environ, **flags)
    if not settings.database_url:
        _require_cluster(Path(settings.data_dir))
    with serve.database(settings) as url:
        back_up(url, folder, lambda: kept_key(settings, url), click.echo)


@click.command("restore")
@FOLDER
@database_options
def restore_command(folder: Path, **flags: object) -> None:
    """Put the backup in DIR into an empty database, also of another home than it came from.

    The backup is checked as a whole before anything is written. A database that holds anything of
    Twinfeed's is refused: name a new one, or a new data directory.
    """
    from twin.backup.load import check, restore

    settings = Settings.from_env(os.environ, **flags)
    found = check(folder, settings, click.echo)
    if not settings.database_url and running_url(Path(settings.data_dir)):
        raise StartupError(
            f"A server runs on {settings.data_dir}: restore into a new directory with --data-dir."
        )
    with serve.database(settings) as url:
        restore(url, settings, found, click.echo)


def _require_cluster(data_dir: Path) -> None:
    try:
        found = (data_dir / PGDATA / "PG_VERSION").exists()
    except OSError:
        return  # not ours to look into; opening it says so
    if not found:
        raise StartupError(
            f"There is no database in {data_dir}: name its directory with --data-dir, or its server "
            "with --database-url."
        )
