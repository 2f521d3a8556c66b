"""Whom a presented key stands for, answered from memory and never later than a change.

Answers are cached by the key's hash until its expiry and dropped on every notification of topic
`keys`; while the listener is lost nothing is cached.
"""

from datetime import datetime
from typing import Any

from twin.clock import now_us, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncPool
from twin.db.queries import load
from twin.errors import Unauthorized
from twin.keys.grants import ApplicationGrant, IngestGrant
from twin.keys.secrets import digest
from twin.notify import Notifier
from twin.principal import Principal

TOPIC = "keys"
MAX_CACHED = 100_000
"""Cached answers per kind; past it the cache starts anew."""
_NEVER_US = 2**62


class KeyDirectory:
    """Looks up presented keys."""

    def __init__(self, pool: AsyncPool, notifier: Notifier) -> None:
        """Read through `pool`, forget by `notifier`."""
        self._pool = pool
        self._notifier = notifier
        self._sql = load("twin", "keys")
        self._ingest: dict[bytes, IngestGrant] = {}
        self._management: dict[bytes, tuple[Principal, int]] = {}
        self._applications: dict[bytes, ApplicationGrant] = {}
        self._origins: frozenset[str] | None = None
        self._generation = 0
        notifier.subscribe(TOPIC, lambda _payload: self.forget())
        notifier.on_lost(self.forget)

    @property
    def generation(self) -> int:
        """Moves whenever a cached answer may have become wrong."""
        return self._generation

    def forget(self) -> None:
        """Drop every cached answer; answers being looked up now are not cached either."""
        self._generation += 1
        self._ingest.clear()
        self._management.clear()
        self._applications.clear()
        self._origins = None

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
        no, id_, key_id, readings_per_second, bytes_per_second, expires_at = row
        grant = IngestGrant(
            no, id_, key_id, _expiry(expires_at), readings_per_second, bytes_per_second
        )
        if self._may_cache(generation):
            if len(self._ingest) >= MAX_CACHED:
                self._ingest.clear()
            self._ingest[hashed] = grant
        return grant

    def cached_management(self, secret: str, now: int) -> Principal | None:
        """Return whom a management key stands for if that is in memory and valid at `now` (µs)."""
        known = self._management.get(digest(secret))
        return known[0] if known is not None and known[1] > now else None

    async def management(self, secret: str) -> Principal:
        """Return whom a management key stands for. Raises Unauthorized."""
        generation, hashed = self._generation, digest(secret)
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

    async def application(self, secret: str) -> ApplicationGrant | None:
        """Return what an application token says; None: it is not valid."""
        hashed = digest(secret)
        known = self._applications.get(hashed)
        if known is not None and known.expires_us > now_us():
            return known
        generation = self._generation
        row = await self._fetch("application_of_secret", hashed)
        if row is None:
            return None
        id_, org_id, environment, per_minute, per_day, expires_at = row
        until = _expiry(expires_at)
        grant = ApplicationGrant(id_, org_id, environment, per_minute, per_day, until)
        if self._may_cache(generation):
            if len(self._applications) >= MAX_CACHED:
                self._applications.clear()
            self._applications[hashed] = grant
        return grant

    async def origins(self) -> frozenset[str]:
        """Return the origins that some organisation allows."""
        if self._origins is not None:
            return self._origins
        generation = self._generation
        with driver_errors():
            async with self._pool.connection() as conn:
                rows = await (await conn.execute(self._sql["allowed_origins"])).fetchall()
        found = frozenset(origin for (origin,) in rows)
        if self._may_cache(generation):
            self._origins = found
        return found

    def _may_cache(self, generation: int) -> bool:
        return self._notifier.connected and generation == self._generation

    async def _fetch(self, query: str, hashed: bytes) -> tuple[Any, ...] | None:
        with driver_errors():
            async with self._pool.connection() as conn:
                cursor = await conn.execute(self._sql[query], [hashed])
                return await cursor.fetchone()


def _expiry(expires_at: datetime | None) -> int:
    return _NEVER_US if expires_at is None else to_us(expires_at)
