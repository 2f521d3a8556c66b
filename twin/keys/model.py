"""The shapes of management keys in requests and answers."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from twin.datasources.model import ExpiresInDays, GraceSeconds, Name
from twin.principal import Environment, Scope

DEFAULT_RATE_LIMIT = 1000
"""Requests per clock hour of a key for which nothing else was asked."""

RateLimit = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=3)]


class NewManagementKey(msgspec.Struct, forbid_unknown_fields=True):
    """The body that creates a management key; `rate_limit` null: no limit."""

    name: Name
    scopes: Scopes = msgspec.field(default_factory=lambda: ["read", "write"])
    environment: Environment | UnsetType = UNSET
    rate_limit: RateLimit | None = DEFAULT_RATE_LIMIT
    expires_in_days: ExpiresInDays | None = None


class ManagementKeyPatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a management key; what is not named stays."""

    name: Name | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    rate_limit: RateLimit | None | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    expires_in_days: ExpiresInDays | None | UnsetType = UNSET


class KeyRotation(msgspec.Struct, forbid_unknown_fields=True):
    """The body that rotates a key: how long the old secret stays valid."""

    grace_seconds: GraceSeconds = 0


class ManagementKey(msgspec.Struct, kw_only=True):
    """A management key without its secret."""

    key_id: str
    tenant_id: str
    name: str
    scopes: list[str]
    environment: str
    is_active: bool
    rate_limit: int | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    usage_count: int


class CreatedManagementKey(ManagementKey, kw_only=True):
    """A management key with its secret, shown once."""

    api_key: str


class ManagementKeys(msgspec.Struct):
    """Management keys of an organisation."""

    keys: list[ManagementKey]
    total: int
