"""The second wall between organisations: the role that API requests run as.

Row-level security bounds that role by the setting `twinfeed.org` (twin/db/pool.py); superusers and the
owner of tables pass it, and the server's login is often both. The role belongs to one database, cannot
log in, adds to the audit trail without changing it, and has no right on what only a start reads.
"""

import psycopg
import structlog
from psycopg import sql

from twin.db.queries import load

CLOSED = ["home", "migrations", "kept_key"]
"""What a start reads and no request."""
ADDED_TO = {"audit_log": "SELECT, INSERT"}
"""Rights of tables that are not changed at will."""
CHANGED = "SELECT, INSERT, UPDATE, DELETE"

log = structlog.get_logger(__name__)


def raise_wall(conn: psycopg.Connection[tuple[object, ...]], schema: str) -> str | None:
    """Make the role and grant it what it lacks. Returns its name.

    None where the server's login may not make roles: then the wall does not stand, which is logged
    with the way out. Called with the migrations' lock held.
    """
    queries = load("twin", "wall")
    row = conn.execute(queries["role_name"]).fetchone()
    assert row is not None
    role = str(row[0])
    try:
        with conn.transaction():
            _make(conn, role)
            _grant(conn, schema, role)
    except psycopg.errors.InsufficientPrivilege:
        made = sql.SQL("CREATE ROLE {0} NOLOGIN; GRANT {0} TO {1};").format(
            sql.Identifier(role), sql.Identifier(conn.info.user)
        )
        log.warning("row_level_security_off", run_as_administrator=made.as_string())
        return None
    return role


def _make(conn: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    row = conn.execute(load("twin", "wall")["role_state"], {"role": role}).fetchone()
    assert row is not None
    exists, is_member = row
    if not exists:
        conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    if not is_member:
        conn.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def _grant(conn: psycopg.Connection[tuple[object, ...]], schema: str, role: str) -> None:
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
    asked = {"schema": schema, "role": role, "closed": CLOSED}
    for (table,) in conn.execute(load("twin", "wall")["without_rights"], asked).fetchall():
        rights = sql.SQL(ADDED_TO.get(str(table), CHANGED))
        statement = sql.SQL("GRANT {rights} ON {table} TO {role}")
        conn.execute(
            statement.format(rights=rights, table=sql.Identifier(schema, str(table)), **names)
        )
