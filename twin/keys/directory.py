"""Whom a presented key stands for, answered from memory and never later than a change.

Answers are cached by the key's hash until its expiry and dropped on every notification of topic
`keys`; while the listener is lost nothing is cached.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twin.clock import now_us, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncPool
from twin.db.queries import load
from twin.errors import Unauthorized
from twin.keys.grants import ApplicationGrant, IngestGrant
from twin.keys.secrets import SESSION_PREFIX, VIEW_PREFIX, digest
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
        self._scenes_sql = load("twin", "scenes")
        self._management: dict[bytes, tuple[Principal, int]] = {}
        """Also those of sessions and view tokens."""
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
        row = await self._fetch(self._sql["ingest_key_of_secret"], hashed)
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

    def cached_principal(self, secret: str, now: int) -> Principal | None:
        """Return whom a secret stands for if that is in memory and valid at `now` (µs)."""
        known = self._management.get(digest(secret))
        return known[0] if known is not None and known[1] > now else None

    async def principal(self, secret: str) -> Principal:
        """Return whom a management key, session or view token stands for. Raises Unauthorized."""
        if secret.startswith(VIEW_PREFIX):
            query = self._scenes_sql["view_of_secret"]
            return await self._principal(secret, query, _viewer, "The view token is not valid.")
        if secret.startswith(SESSION_PREFIX):
            query = self._scenes_sql["key_of_session"]
            return await self._principal(
                secret, query, _key_holder, "The session is over: sign in."
            )
        query = self._sql["management_key_of_secret"]
        return await self._principal(secret, query, _key_holder, "The management key is not valid.")

    async def _principal(
        self,
        secret: str,
        query: bytes,
        read: Callable[[tuple[Any, ...]], tuple[Principal, int]],
        refusal: str,
    ) -> Principal:
        generation, hashed = self._generation, digest(secret)
        row = await self._fetch(query, hashed)
        if row is None:
            raise Unauthorized(refusal)
        principal, expires_us = read(row)
        if self._may_cache(generation):
            if len(self._management) >= MAX_CACHED:
                self._management.clear()
            self._management[hashed] = (principal, expires_us)
        return principal

    async def application(self, secret: str) -> ApplicationGrant | None:
        """Return what an application token says; None: it is not valid."""
        hashed = digest(secret)
        known = self._applications.get(hashed)
        if known is not None and known.expires_us > now_us():
            return known
        generation = self._generation
        row = await self._fetch(self._sql["application_of_secret"], hashed)
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

    async def tell_change(self) -> None:
        """Let every worker of every host forget."""
        with driver_errors():
            await self._notifier.send(TOPIC)

    async def origins(self) -> frozenset[str]:
        """Return the origins that some organisation allows."""
        if self._origins is not None:
            return self._origins
        generation = self._generation
        with driver_errors():
            async with self._pool.everyone() as conn:
                rows = await (await conn.execute(self._sql["allowed_origins"])).fetchall()
        found = frozenset(origin for (origin,) in rows)
        if self._may_cache(generation):
            self._origins = found
        return found

    def _may_cache(self, generation: int) -> bool:
        return self._notifier.connected and generation == self._generation

    async def _fetch(self, query: bytes, hashed: bytes) -> tuple[Any, ...] | None:
        with driver_errors():
            async with self._pool.everyone() as conn:
                cursor = await conn.execute(query, [hashed])
                return await cursor.fetchone()


def _key_holder(row: tuple[Any, ...]) -> tuple[Principal, int]:
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
    return principal, _expiry(expires_at)


def _viewer(row: tuple[Any, ...]) -> tuple[Principal, int]:
    org_id, tenant_id, environment, token_id, name, scene_id, widgets, assets, *more = row
    allowed_origins, expires_at = more
    principal = Principal(
        org_id,
        tenant_id,
        environment,
        frozenset(),
        token_id,
        name=name,
        allowed_origins=tuple(allowed_origins),
        scene_id=scene_id,
        widget_ids=frozenset(widgets),
        asset_ids=frozenset(assets),
    )
    return principal, _expiry(expires_at)


def _expiry(expires_at: datetime | None) -> int:
    return _NEVER_US if expires_at is None else to_us(expires_at)
