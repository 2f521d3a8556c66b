"""The first organisation and its admin key; management keys made from the command line."""

import msgspec
import psycopg

from twin.audit.trail import record_command
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import StartupError
from twin.keys.secrets import MANAGEMENT_KEY, digest, new_id, new_management_secret

KIND = "management key"
FIRST_KEY = "First admin key"
SCOPES = ("admin", "read", "write")


class NewKey(msgspec.Struct, frozen=True):
    """A management key as it is shown once."""

    key_id: str
    api_key: str
    tenant_id: str


def bootstrap(url: str, admin_key: str | None) -> NewKey | None:
    """On an empty database make the first organisation and its admin key; else return None.

    The key is `admin_key` (``tf_live_`` + 64 hex) or a generated one. Raises StartupError for a
    key of another form.
    """
    if admin_key is not None and not MANAGEMENT_KEY.fullmatch(admin_key):
        raise StartupError("TWINFEED_ADMIN_KEY must be tf_live_ or tf_test_ and 64 hex digits.")
    sql = load("twin", "keys")
    with psycopg.connect(conninfo(url)) as conn:
        conn.execute(sql["lock_organisations"])
        row = conn.execute(sql["count_organisations"]).fetchone()
        if row is not None and row[0]:
            return None
        tenant_id = new_id("org")
        row = conn.execute(sql["insert_organisation"], [tenant_id, "Default"]).fetchone()
        assert row is not None
        secret = admin_key or new_management_secret("live")
        return insert_key(conn, int(row[0]), tenant_id, FIRST_KEY, SCOPES, secret, is_operator=True)


def create_key(
    url: str,
    *,
    name: str,
    scopes: tuple[str, ...],
    environment: str = "live",
    tenant_id: str | None = None,
    rate_limit: int | None = None,
    expires_in_days: int | None = None,
    is_operator: bool = False,
) -> NewKey:
    """Make a management key of an organisation (default: the first). Raises StartupError."""
    sql = load("twin", "keys")
    with psycopg.connect(conninfo(url)) as conn:
        row = conn.execute(
            sql["organisation_by_tenant"] if tenant_id else sql["first_organisation"],
            [tenant_id] if tenant_id else [],
        ).fetchone()
        if row is None:
            raise StartupError("There is no such organisation; `twinfeed serve` makes the first.")
        secret = new_management_secret(environment)
        made = insert_key(
            conn,
            int(row[0]),
            str(row[1]),
            name,
            scopes,
            secret,
            rate_limit=rate_limit,
            expires_in_days=expires_in_days,
            is_operator=is_operator,
        )
        told = {"name": name, "scopes": scopes, "rate_limit": rate_limit}
        record_command(conn, int(row[0]), environment, "create", KIND, made.key_id, told)
        return made


def insert_key(
    conn: Connection,
    org_id: int,
    tenant_id: str,
    name: str,
    scopes: tuple[str, ...],
    secret: str,
    *,
    rate_limit: int | None = None,
    expires_in_days: int | None = None,
    is_operator: bool = False,
) -> NewKey:
    """Store a management key under its secret."""
    key_id = new_id("key")
    conn.execute(
        load("twin", "keys")["insert_management_key"],
        {
            "key_id": key_id,
            "org_id": org_id,
            "environment": secret.split("_")[1],
            "name": name,
            "scopes": list(scopes),
            "rate_limit": rate_limit,
            "expires_in_days": expires_in_days,
            "secret_hash": digest(secret),
            "is_operator": is_operator,
        },
    )
    return NewKey(key_id, secret, tenant_id)
