"""What is typed for `twinfeed sql-user`."""

import os

import click

from twin import serve
from twin.settings import Settings
from twin.sqlviews.users import create_user


@click.group("sql-user")
def sql_user_group() -> None:
    """Logins of the database that read the views of one organisation."""


@sql_user_group.command("create")
@click.argument("name")
@click.option("--tenant", help="The organisation's tenant id [the first organisation].")
@click.option("--environment", type=click.Choice(["live", "test"]), default="live")
@click.option("--data-dir", help="Directory of the embedded database.")
@click.option("--database-url", help="PostgreSQL or TimescaleDB URL.")
def sql_user_create(name: str, tenant: str | None, environment: str, **flags: object) -> None:
    """Create a read-only login and print its password, once; or give one a new password.

    It reads the organisation's views in the schema twin_sql, those to come too, and nothing else.
    """
    settings = Settings.from_env(os.environ, **flags)
    with serve.database(settings) as url:
        serve.prepare_database(settings, url)
        user = create_user(url, name, tenant, environment)
    if user.password is not None:
        click.echo(user.password)
    else:
        click.echo("The login keeps the password it was made with.", err=True)
    known = ", ".join(f"twin_sql.{view}" for view in user.views) or "none yet"
    click.echo(f"{user.name} reads: {known}", err=True)
