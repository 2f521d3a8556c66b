"""Whom a presented key stands for, answered from memory and never later than a change.

Answers are cached by the key's hash until its expiry and dropped on every notification of topic
`keys`; while the listener is lost nothing is cached.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from twin.clock import now_us, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncPool
from twin.db.queries import load
from twin.errors import Unauthorized
from twin.keys.secrets import digest
from twin.notify import Notifier
from twin.principal import Principal

TOPIC = "keys"
MAX_CACHED = 100_000
"""Cached answers per kind; past it the cache starts anew."""
_NEVER_US = 2**62


class IngestGrant(msgspec.Struct, frozen=True):
    """What an ingest key allows: writing to one datasource, until `expires_us`."""

    datasource_no: int
    datasource_id: UUID
    key_id: str
    expires_us: int


class KeyDirectory:
    """Looks up presented keys."""

    def __init__(self, pool: AsyncPool, notifier: Notifier) -> None:
        """Read through `pool`, forget by `notifier`."""
        self._pool = pool
        self._notifier = notifier
        self._sql = load("twin", "keys")
        self._ingest: dict[bytes, IngestGrant] = {}
        self._management: dict[bytes, tuple[Principal, int]] = {}
        self._generation = 0
        notifier.subscribe(TOPIC, lambda _payload: self.forget())
        notifier.on_lost(self.forget)

    def forget(self) -> None:
        """Drop every cached answer; answers being looked up now are not cached either."""
        self._generation += 1
        self._ingest.clear()
        self._management.clear()

    def cached_ingest(self, secret: bytes, now: int) -> IngestGrant | None:
        """Return the grant of an ingest key if it is in memory and valid at `now` (µs)."""
        grant = self._ingest.get(digest(secret))
        return grant if grant is not None and grant.expires_us > now else None

    async def ingest(self, secret: bytes) -> IngestGrant:
        """Return the grant of an ingest key. Raises Unauthorized."""
        generation, hashed = self._generation, digest(secret)
        row = await self._fetch("ingest_key_of_secret", hashed)
        if row is None:
            raise Unauthorized("The ingest key is not valid.")
        no, id_, key_id, expires_at = row
        grant = IngestGrant(no, id_, key_id, _expiry(expires_at))
        if self._may_cache(generation):
            if len(self._ingest) >= MAX_CACHED:
                self._ingest.clear()
            self._ingest[hashed] = grant
        return grant

    async def management(self, secret: str) -> Principal:
        """Return whom a management key stands for. Raises Unauthorized."""
        hashed = digest(secret)
        known = self._management.get(hashed)
        if known is not None and known[1] > now_us():
            return known[0]
        generation = self._generation
        row = await self._fetch("management_key_of_secret", hashed)
        if row is None:
            raise Unauthorized("The management key is not valid.")
        org_id, tenant_id, environment, scopes, key_id, name, rate_limit, *more = row
        is_operator, requires_application, allowed_origins, expires_at = more
        principal = Principal(
            org_id,
            tenant_id,
            environment,
            frozenset(scopes),
            key_id,
            name=name,
            rate_limit=rate_limit,
            is_operator=is_operator,
            requires_application=requires_application,
            allowed_origins=tuple(allowed_origins),
        )
        if self._may_cache(generation):
            if len(self._management) >= MAX_CACHED:
                self._management.clear()
            self._management[hashed] = (principal, _expiry(expires_at))
        return principal

    def _may_cache(self, generation: int) -> bool:
        return self._notifier.connected and generation == self._generation

    async def _fetch(self, query: str, hashed: bytes) -> tuple[Any, ...] | None:
        with driver_errors():
            async with self._pool.connection() as conn:
                cursor = await conn.execute(self._sql[query], [hashed])
                return await cursor.fetchone()


def _expiry(expires_at: datetime | None) -> int:
    return _NEVER_US if expires_at is None else to_us(expires_at)
