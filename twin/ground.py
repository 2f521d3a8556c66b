"""What every part of a worker stands on, opened and closed in one place."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from twin.db.capabilities import Capabilities
from twin.db.pool import AsyncPool, conninfo, open_pool
from twin.keys.directory import KeyDirectory
from twin.notify import Notifier
from twin.schema import SchemaDirectory
from twin.settings import Settings
from twin.vault import Vault
from twin.versions import Versions


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


@asynccontextmanager
async def open_ground(
    settings: Settings,
    database_url: str,
    capabilities: Capabilities,
    versions_path: Path | None = None,
    secret_keys: list[str] | None = None,
) -> AsyncIterator[Ground]:
    """Open everything a worker stands on; close it in reverse order.

    Without `secret_keys` this process alone can open what it seals.
    """
    async with AsyncExitStack() as stack:
        versions = Versions(versions_path)
        stack.callback(versions.close)
        pool = open_pool(settings, database_url)
        await pool.open()
        stack.push_async_callback(pool.close)
        notifier = Notifier(conninfo(database_url, application="twinfeed listen"), pool)
        keys = KeyDirectory(pool, notifier)
        schemas = SchemaDirectory(settings, pool, versions, notifier)
        await notifier.start()
        stack.push_async_callback(notifier.stop)
        vault = Vault(secret_keys or [secrets.token_hex(32)])
        yield Ground(
            settings, database_url, capabilities, pool, versions, notifier, keys, schemas, vault
        )
