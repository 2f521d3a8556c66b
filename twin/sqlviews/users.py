"""Logins that read an organisation's views and nothing else.

A group role per organisation and environment holds the rights, `twin/sqlviews/job.py` grants it every
new view; a login is a member of one. Roles are made only here, on demand: a server whose own role may
not make any works without.
"""

import secrets

import msgspec
import psycopg
from psycopg import sql

from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import StartupError
from twin.sqlviews.definition import SCHEMA, grant_view
from twin.sqlviews.names import MAX_BYTES, role_name

TIMEOUT = "60s"
MAX_CONNECTIONS = 20
"""What a login may take of the server: programs that read must not crowd out those that write."""

_queries = load("twin", "sqlviews")


class SqlUser(msgspec.Struct, frozen=True):
    """A login, as it is shown once; `password` is None when an administrator made it."""

    name: str
    password: str | None
    views: list[str]


def create_user(url: str, name: str, tenant_id: str | None, environment: str) -> SqlUser:
    """Make a login for an organisation (default: the first), or give it a new password.

    Raises StartupError when there is no such organisation, the name is another role's, or the server's
    own role may not make roles.
    """
    if not name or len(name.encode()) > MAX_BYTES or "\x00" in name:
        raise StartupError(f"The name must have 1 to {MAX_BYTES} bytes.")
    with psycopg.connect(conninfo(url)) as conn:
        keys = load("twin", "keys")
        query = keys["organisation_by_tenant"] if tenant_id else keys["first_organisation"]
        row = conn.execute(query, [tenant_id] if tenant_id else []).fetchone()
        if row is None:
            raise StartupError("There is no such organisation; `twinfeed serve` makes the first.")
        group = role_name(str(row[1]), environment)
        password = None
        try:
            with conn.transaction():
                password = _login(conn, group, name)
        except psycopg.errors.ReservedName:
            raise StartupError(
                f"'{name}' is one of PostgreSQL's own names: take another."
            ) from None
        except psycopg.errors.InsufficientPrivilege:
            if not _is_member(conn, name, group):
                raise StartupError(_help(group, name)) from None
        views = [str(view) for (view,) in conn.execute(_queries["views_of"], [row[0], environment])]
        for view in views:
            conn.execute(grant_view(view, group))
        return SqlUser(name, password, sorted(views))


def _login(conn: Connection, group: str, name: str) -> str:
    password = secrets.token_urlsafe(24)
    names = {"group": sql.Identifier(group), "name": sql.Identifier(name)}
    if not _exists(conn, group):
        conn.execute(sql.SQL("CREATE ROLE {group} NOLOGIN").format(**names))
    if not _exists(conn, name):
        conn.execute(sql.SQL("CREATE ROLE {name} LOGIN IN ROLE {group}").format(**names))
    elif not _is_member(conn, name, group):
        raise StartupError(f"The role '{name}' exists and is not a login of this organisation.")
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": TIMEOUT,
        "idle_in_transaction_session_timeout": TIMEOUT,
        "search_path": SCHEMA,
        "timezone": "UTC",
        "jit": "off",
    }
    if conn.info.server_version >= 170000:
        settings["transaction_timeout"] = TIMEOUT
    for setting, value in settings.items():
        statement = sql.SQL("ALTER ROLE {name} SET {setting} = {value}")
        conn.execute(
            statement.format(**names, setting=sql.Identifier(setting), value=sql.Literal(value))
        )
    statement = sql.SQL("ALTER ROLE {name} CONNECTION LIMIT {most} PASSWORD {password}")
    conn.execute(
        statement.format(**names, most=sql.Literal(MAX_CONNECTIONS), password=sql.Literal(password))
    )
    return password


def _exists(conn: Connection, role: str) -> bool:
    row = conn.execute(_queries["role_exists"], [role]).fetchone()
    return bool(row and row[0])


def _is_member(conn: Connection, name: str, group: str) -> bool:
    row = conn.execute(
        "SELECT count(*) FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid"
        " JOIN pg_roles AS u ON u.oid = m.member WHERE u.rolname = %s AND g.rolname = %s",
        [name, group],
    ).fetchone()
    return bool(row and row[0])


def _help(group: str, name: str) -> str:
    made = sql.SQL("CREATE ROLE {}; CREATE ROLE {} LOGIN PASSWORD '…' IN ROLE {};").format(
        sql.Identifier(group), sql.Identifier(name), sql.Identifier(group)
    )
    return (
        "The server's database role may not make roles (CREATEROLE). Everything else works without."
        " Let an administrator of the database run: "
        f"{made.as_string()} Then run this command again: it grants the views."
    )
