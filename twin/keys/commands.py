"""`twinfeed keys` and `twinfeed orgs`: what an operator does who has no key, or is locked out.

They work beside a running server, which hears of every change at once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from twin import serve
from twin.audit.trail import record_command
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import StartupError
from twin.keys.bootstrap import (
    FIRST_KEY,
    KIND,
    SCOPES,
    create_key,
    find_organisation,
    key_values,
    store_key,
)
from twin.keys.directory import TOPIC
from twin.keys.model import DEFAULT_RATE_LIMIT
from twin.keys.secrets import digest, new_id, new_management_secret
from twin.options import database_options
from twin.settings import Settings

MAX_NAME = 200
_ORGANISATION = "organisation"


@click.group("keys")
def keys_group() -> None:
    """Management keys."""


@click.group("orgs")
def orgs_group() -> None:
    """Organisations."""


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
@click.option(
    "--rate-limit",
    type=click.IntRange(0),
    default=DEFAULT_RATE_LIMIT,
    help=f"Requests per clock hour, 0 = no limit [{DEFAULT_RATE_LIMIT}].",
)
@click.option("--expires-in-days", type=click.IntRange(1, 36500))
@click.option("--operator", is_flag=True, help="The key may make and list organisations.")
@database_options
def keys_create(
    name: str,
    scopes: tuple[str, ...],
    environment: str,
    tenant: str | None,
    rate_limit: int,
    expires_in_days: int | None,
    operator: bool,
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
            rate_limit=rate_limit or None,
            expires_in_days=expires_in_days,
            is_operator=operator,
        )
    click.echo(key.api_key)


@keys_group.command("list")
@click.option("--tenant", help="The organisation's tenant id [the first organisation].")
@database_options
def keys_list(tenant: str | None, **flags: object) -> None:
    """List an organisation's management keys, without secrets."""
    with _connected(flags) as conn:
        org_id, _ = find_organisation(conn, tenant)
        rows = conn.execute(load("twin", "management")["all_keys"], [org_id]).fetchall()
        for key_id, environment, scopes, is_active, expires_at, last_used_at, name in rows:
            state = "active" if is_active else "disabled"
            ends = f"expires {expires_at:%Y-%m-%d}" if expires_at else "no expiry"
            used = f"used {last_used_at:%Y-%m-%d %H:%M}" if last_used_at else "never used"
            shown = [key_id, environment, ",".join(scopes), state, ends, used, name]
            click.echo("  ".join(shown))


@keys_group.command("disable")
@click.argument("key_id")
@database_options
def keys_disable(key_id: str, **flags: object) -> None:
    """Disable a management key, also the last admin key: it stops working at once."""
    _switch(key_id, False, flags)


@keys_group.command("enable")
@click.argument("key_id")
@database_options
def keys_enable(key_id: str, **flags: object) -> None:
    """Enable a management key again."""
    _switch(key_id, True, flags)


@keys_group.command("rotate")
@click.argument("key_id")
@click.option("--grace-seconds", type=click.IntRange(0, 30 * 86_400), default=0, show_default=True)
@database_options
def keys_rotate(key_id: str, grace_seconds: int, **flags: object) -> None:
    """Give a management key a new secret and print it, once; the old one ends after the grace."""
    sql = load("twin", "management")
    with _connected(flags) as conn:
        org_id, environment = _owner_of(conn, key_id)
        secret = new_management_secret(environment)
        values = {"key_id": key_id, "grace_seconds": grace_seconds, "secret_hash": digest(secret)}
        conn.execute(sql["rotate_key"], values)
        told = {"grace_seconds": grace_seconds}
        record_command(conn, org_id, environment, "rotate", KIND, key_id, told)
        _tell(conn)
    click.echo(secret)


@orgs_group.command("create")
@click.argument("name")
@database_options
def orgs_create(name: str, **flags: object) -> None:
    """Make an organisation; print its tenant id and its first admin key, once."""
    if not 1 <= len(name) <= MAX_NAME or "\x00" in name:
        raise StartupError(f"An organisation's name has 1 to {MAX_NAME} characters.")
    settings = Settings.from_env(os.environ, **flags)
    tenant_id, secret = new_id("org"), new_management_secret("live")
    values = {"tenant_id": tenant_id, "name": name, "most": settings.max_organisations}
    with _connected(flags) as conn:
        row = conn.execute(load("twin", "organisations")["insert_organisation"], values).fetchone()
        if row is None:
            raise StartupError(f"This server has {values['most']} organisations, the most.")
        key = key_values(int(row[0]), FIRST_KEY, SCOPES, secret)
        store_key(conn, key)
        told = {"name": name, "key_id": key["key_id"]}
        record_command(conn, int(row[0]), "live", "create", _ORGANISATION, tenant_id, told)
    click.echo(f"{tenant_id}  {secret}")


@orgs_group.command("list")
@database_options
def orgs_list(**flags: object) -> None:
    """List all organisations: tenant id, day of creation, name."""
    with _connected(flags) as conn:
        for tenant_id, created_at, name in conn.execute(
            load("twin", "organisations")["all_organisations"]
        ).fetchall():
            click.echo(f"{tenant_id}  {created_at:%Y-%m-%d}  {name}")


@orgs_group.command("edit")
@click.argument("tenant_id")
@click.option(
    "--requires-application/--no-requires-application",
    "requires_application",
    default=None,
    help="Whether each request must name an application.",
)
@database_options
def orgs_edit(tenant_id: str, requires_application: bool | None, **flags: object) -> None:
    """Change an organisation: the way out when nobody holds an application's token any more."""
    if requires_application is None:
        raise click.UsageError("Say what to change: --no-requires-application.")
    told: dict[str, Any] = {"requires_application": requires_application}
    with _connected(flags) as conn:
        org_id, _ = find_organisation(conn, tenant_id)
        values = {"name": None, "allowed_origins": None, "org_id": org_id, **told}
        conn.execute(load("twin", "organisations")["update_organisation"], values)
        record_command(conn, org_id, "live", "update", _ORGANISATION, tenant_id, told)
        _tell(conn)


@contextmanager
def _connected(flags: dict[str, Any]) -> Iterator[Connection]:
    """Give a connection to the up-to-date database, whose transaction the block's end commits."""
    settings = Settings.from_env(os.environ, **flags)
    with serve.database(settings) as url:
        serve.prepare_database(settings, url)
        with psycopg.connect(conninfo(url)) as conn:
            yield conn


def _switch(key_id: str, is_active: bool, flags: dict[str, Any]) -> None:
    with _connected(flags) as conn:
        org_id, environment = _owner_of(conn, key_id)
        conn.execute(load("twin", "management")["switch_key"], [is_active, key_id])
        told = {"is_active": is_active}
        record_command(conn, org_id, environment, "update", KIND, key_id, told)
        _tell(conn)


def _owner_of(conn: Connection, key_id: str) -> tuple[int, str]:
    row = conn.execute(load("twin", "management")["owner_of_key"], [key_id]).fetchone()
    if row is None:
        raise StartupError(f"There is no management key '{key_id[:100]}': twinfeed keys list.")
    return int(row[0]), str(row[1])


def _tell(conn: Connection) -> None:
    conn.execute("SELECT tell(%s)", [f"{TOPIC} "])
