"""What every part of a worker stands on, opened and closed in one place."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import psycopg
import psycopg_pool
import structlog

from twin.addresses import TrustedProxies
from twin.db.capabilities import Capabilities
from twin.db.pool import AsyncPool, conninfo, open_pool
from twin.keys.directory import KeyDirectory
from twin.keys.usage import KeyUsage
from twin.limits.counters import Counters
from twin.limits.quotas import Limits
from twin.limits.sync import LimitSync
from twin.notify import Notifier
from twin.schema import SchemaDirectory
from twin.settings import Settings
from twin.vault import Vault
from twin.versions import Versions

log = structlog.get_logger("twin.ground")

LAST_WRITE_S = 3.0
"""Time for what a worker counted and has not written yet, as it ends."""


class Ground(msgspec.Struct, frozen=True, eq=False):
    """Settings, database and directories of one worker process."""

    settings: Settings
    database_url: str
    capabilities: Capabilities
    pool: AsyncPool
    versions: Versions
    notifier: Notifier
    keys: KeyDirectory
    schemas: SchemaDirectory
    vault: Vault
    limits: Limits
    usage: KeyUsage
    sync: LimitSync
    proxies: TrustedProxies


@asynccontextmanager
async def open_ground(
    settings: Settings,
    database_url: str,
    capabilities: Capabilities,
    versions_path: Path | None = None,
    secret_keys: list[str] | None = None,
    limits_path: Path | None = None,
) -> AsyncIterator[Ground]:
    """Open everything a worker stands on; close it in reverse order.

    Without `secret_keys` this process alone can open what it seals.
    """
    async with AsyncExitStack() as stack:
        versions = Versions(versions_path)
        stack.callback(versions.close)
        pool = open_pool(settings, database_url, capabilities.api_role)
        await pool.open()
        stack.push_async_callback(pool.close)
        notifier = Notifier(conninfo(database_url, application="twinfeed listen"), pool)
        keys = KeyDirectory(pool, notifier)
        schemas = SchemaDirectory(settings, pool, versions, notifier)
        counters = Counters(limits_path)
        stack.callback(counters.close)
        sync, usage = LimitSync(pool, counters, versions), KeyUsage(pool)
        for last in (sync.run, usage.flush):
            stack.push_async_callback(_attempt, last)
        await notifier.start()
        stack.push_async_callback(notifier.stop)
        yield Ground(
            settings=settings,
            database_url=database_url,
            capabilities=capabilities,
            pool=pool,
            versions=versions,
            notifier=notifier,
            keys=keys,
            schemas=schemas,
            vault=Vault(secret_keys or [secrets.token_hex(32)]),
            limits=Limits(counters, max_failed_auth=settings.max_failed_auth),
            usage=usage,
            sync=sync,
            proxies=TrustedProxies(settings.trusted_proxies),
        )


async def _attempt(last: Callable[[], Awaitable[None]]) -> None:
    """Write what a worker still holds as it ends; a database that is away must not keep it."""
    try:
        async with asyncio.timeout(LAST_WRITE_S):
            await last()
    except (psycopg.Error, psycopg_pool.PoolTimeout, TimeoutError) as exc:
        log.warning("last counts not written", reason=type(exc).__name__)
