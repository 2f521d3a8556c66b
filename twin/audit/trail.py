"""Writes the audit trail.

Invariant: an entry is written in the transaction of the change it tells of, so neither stands without
the other; it names the fields that were given, and never a secret.
"""

import datetime as dt
import getpass
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from twin.db.pool import AsyncConnection, Connection
from twin.db.queries import load
from twin.principal import Principal

SECRET_FIELDS = frozenset(
    {"secret", "password", "token", "api_key", "app_token", "headers", "auth", "private_key"}
)
"""Fields whose values are never written down, at any depth."""
HIDDEN = "***"
MAX_TEXT = 500
"""Characters kept of a text: the trail says what was changed, it is no copy of it."""
MAX_ITEMS = 100
"""Items kept of a list or mapping."""
MAX_DEPTH = 6


async def record(
    conn: AsyncConnection,
    principal: Principal,
    action: str,
    object_kind: str,
    object_id: object,
    changes: Mapping[str, Any] | msgspec.Struct | None = None,
) -> None:
    """Add an entry in `conn`'s transaction; `changes`: the fields that were given.

    `action` is create, update, delete, rotate or another verb; fields that are UNSET are left out.
    """
    values = {
        **principal.scope,
        "actor_kind": "key",
        "actor_id": principal.key_id,
        "actor_name": principal.name,
        "address": principal.address,
        "action": action,
        "object_kind": object_kind,
        "object_id": str(object_id),
        "changes": Jsonb(shown(changes)),
    }
    await conn.execute(load("twin", "audit")["insert_entry"], values)


def record_command(
    conn: Connection,
    org_id: int,
    environment: str,
    action: str,
    object_kind: str,
    object_id: str,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Add the entry of a change made from the command line."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user needs no name
        user = str(os.getuid())
    values = {
        "org_id": org_id,
        "environment": environment,
        "actor_kind": "command line",
        "actor_id": user,
        "actor_name": "",
        "address": "",
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "changes": Jsonb(shown(changes)),
    }
    conn.execute(load("twin", "audit")["insert_entry"], values)


def shown(changes: Mapping[str, Any] | msgspec.Struct | None) -> dict[str, Any]:
    """Return fields as the trail keeps them: bounded, as JSON, secrets hidden, UNSET left out."""
    if isinstance(changes, msgspec.Struct):
        changes = msgspec.structs.asdict(changes)
    return {k: _shown(k, v, 1) for k, v in (changes or {}).items() if v is not msgspec.UNSET}


def _shown(name: str, value: Any, depth: int) -> Any:
    if name.lower() in SECRET_FIELDS:
        return None if value is None else HIDDEN
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth >= MAX_DEPTH:
            return "…"
        if isinstance(value, Mapping):
            pairs = [(str(k), v) for k, v in list(value.items())[:MAX_ITEMS]]
            return {
                k[:MAX_TEXT]: _shown(k, v, depth + 1) for k, v in pairs if v is not msgspec.UNSET
            }
        return [_shown("", item, depth + 1) for item in list(value)[:MAX_ITEMS]]
    if name.lower() == "url" and isinstance(value, str):
        return _host_of(value)
    if isinstance(value, str):
        return value.replace("\x00", "")[:MAX_TEXT]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has no NaN
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    return str(value)[:MAX_TEXT] if isinstance(value, UUID) else type(value).__name__


def _host_of(url: str) -> str:
    """Return where a URL leads: path, query and user may hold a secret, as those of chats do."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}/{HIDDEN}"
    except ValueError:
        return HIDDEN
