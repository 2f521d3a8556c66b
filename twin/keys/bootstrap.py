"""The first organisation and its admin key; management keys made from the command line."""

from collections.abc import Sequence

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
INSERT_KEY = ("insert_management_key", "insert_management_secret")
"""The statements that store a key: in this order, in one transaction."""


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
        values = key_values(int(row[0]), FIRST_KEY, SCOPES, secret, is_operator=True)
        store_key(conn, values)
        return NewKey(str(values["key_id"]), secret, tenant_id)


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
    with psycopg.connect(conninfo(url)) as conn:
        org_id, tenant = find_organisation(conn, tenant_id)
        secret = new_management_secret(environment)
        values = key_values(
            org_id,
            name,
            scopes,
            secret,
            rate_limit=rate_limit,
            expires_in_days=expires_in_days,
            is_operator=is_operator,
        )
        store_key(conn, values)
        told = {"name": name, "scopes": scopes, "rate_limit": rate_limit}
        record_command(conn, org_id, environment, "create", KIND, str(values["key_id"]), told)
        return NewKey(str(values["key_id"]), secret, tenant)


def find_organisation(conn: Connection, tenant_id: str | None) -> tuple[int, str]:
    """Return number and tenant id of an organisation, of the first one for None.

    Raises StartupError when there is none.
    """
    sql = load("twin", "keys")
    row = conn.execute(
        sql["organisation_by_tenant"] if tenant_id else sql["first_organisation"],
        [tenant_id] if tenant_id else [],
    ).fetchone()
    if row is None:
        raise StartupError("There is no such organisation; `twinfeed serve` makes the first.")
    return int(row[0]), str(row[1])


def store_key(conn: Connection, values: dict[str, object]) -> None:
    """Store a management key made by `key_values`, and its secret."""
    for name in INSERT_KEY:
        conn.execute(load("twin", "keys")[name], values)


def key_values(
    org_id: int,
    name: str,
    scopes: Sequence[str],
    secret: str,
    *,
    rate_limit: int | None = None,
    expires_in_days: int | None = None,
    is_operator: bool = False,
) -> dict[str, object]:
    """Return the parameters that store a new management key under its secret."""
    return {
        "key_id": new_id("key"),
        "org_id": org_id,
        "environment": secret.split("_")[1],
        "name": name,
        "scopes": [scope for scope in SCOPES if scope in scopes],
        "rate_limit": rate_limit,
        "expires_in_days": expires_in_days,
        "secret_hash": digest(secret),
        "is_operator": is_operator,
    }
