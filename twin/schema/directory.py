"""The schemas this worker holds, kept as fresh as the last acknowledged reading on this host.

A schema is compared with the shared version cell at every use and reloaded when that moved; new
keys, streams and labels are committed in a short transaction of their own before they are used.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection, AsyncPool, Owned
from twin.db.queries import load
from twin.errors import NotFound
from twin.notify import Notifier, decode_numbers, encode_numbers
from twin.principal import Principal
from twin.schema.learning import grant
from twin.schema.model import DataKey, DatasourceSchema, Wanted
from twin.settings import Settings
from twin.versions import Versions

TOPIC = "schema"
"""Payload: origin and datasource numbers whose schema moved; other hosts bump their own cells."""

Ref = int | UUID
"""A datasource by its number or its public id."""
NO_DATASOURCE = "There is no datasource with this id."


class SchemaDirectory:
    """Finds and extends schemas."""

    def __init__(
        self, settings: Settings, pool: AsyncPool, versions: Versions, notifier: Notifier
    ) -> None:
        """Read through `pool`; follow `versions` on this host and `notifier` across hosts."""
        self._settings = settings
        self._pool = pool
        self._versions = versions
        self._notifier = notifier
        self._sql = load("twin", "schema")
        self._by_no: dict[int, DatasourceSchema] = {}
        self._by_id: dict[UUID, DatasourceSchema] = {}
        self._loading: dict[tuple[Ref, int | None], asyncio.Task[DatasourceSchema]] = {}
        notifier.subscribe(TOPIC, self._on_moved)
        notifier.on_lost(self.forget)

    def forget(self) -> None:
        """Hold nothing: the next use reads the database."""
        self._by_no.clear()
        self._by_id.clear()

    def by_no(self, no: int) -> DatasourceSchema | None:
        """Return the schema this worker holds, however old. Any thread."""
        return self._by_no.get(no)

    def current(self, no: int) -> DatasourceSchema | None:
        """Return the schema if this worker's copy is up to date."""
        schema = self._by_no.get(no)
        return schema if schema is not None and self._is_current(schema) else None

    async def get(self, datasource_id: UUID, owner: Owned) -> DatasourceSchema:
        """Return an up-to-date schema by public id, as its owner sees it. Raises NotFound."""
        schema = self._by_id.get(datasource_id)
        if schema is not None and self._is_current(schema):
            return schema
        return await self._shared_load(datasource_id, owner)

    async def get_no(self, no: int, owner: Owned | None = None) -> DatasourceSchema:
        """Return an up-to-date schema by number; `owner`: whom it is looked up for, None for ingest.

        Raises NotFound.
        """
        return self.current(no) or await self._shared_load(no, owner)

    async def get_for(self, principal: Principal, datasource_id: UUID) -> DatasourceSchema:
        """Return a schema of the principal's organisation and environment. Raises NotFound."""
        schema = await self.get(datasource_id, principal)
        if (schema.org_id, schema.environment) != (principal.org_id, principal.environment):
            raise NotFound(NO_DATASOURCE)
        return schema

    async def moved(self, no: int) -> None:
        """Tell this host and the others that a datasource's schema changed. Call after the commit."""
        self._versions.bump("schema", no)
        await self._tell(no)

    async def learn(self, schema: DatasourceSchema, wanted: Wanted) -> None:
        """Commit new keys, streams and labels if the bounds allow all of them, and take them over.

        Requests that wait for one another are learned together. Raises NotFound for a datasource that
        was deleted meanwhile.
        """
        schema.pending.append(wanted)
        async with schema.learning:
            if not schema.pending:
                return  # the one before us took ours along
            todo, schema.pending = schema.pending, []
            with driver_errors():
                async with self._pool.everyone() as conn:
                    async with conn.transaction():
                        cursor = await conn.execute(self._sql["lock_datasource"], [schema.no])
                        if await cursor.fetchone() is None:
                            raise NotFound(NO_DATASOURCE)
                        await self._fill(conn, schema)
                        await self._insert(conn, schema, todo)
                    self._versions.bump("schema", schema.no)
                    version = self._version(schema.no)
                    await self._fill(conn, schema)
                    schema.version = version
        await self._notifier.send(TOPIC, f'["",[{schema.no}]]')

    async def _insert(
        self, conn: AsyncConnection, schema: DatasourceSchema, wants: list[Wanted]
    ) -> None:
        """Insert what is still missing, up to the bounds. The datasource is locked."""
        todo, known = grant(wants, schema, self._settings), schema.keys
        fresh = [k for k in todo.kinds if k not in known]
        untyped = [k for k in todo.kinds if k in known and known[k].kind is None]
        streams = [place for place in todo.streams if not schema.stream(*place)]
        labels = [label for label in todo.labels if label not in schema.label_codes]
        sql, no = self._sql, schema.no
        for query, names in (("learn_keys", fresh), ("learn_kinds", untyped)):
            if names:
                kinds = [todo.kinds[name] for name in names]
                await conn.execute(sql[query], {"no": no, "keys": names, "kinds": kinds})
        if streams:
            devices, pages = [s[0] for s in streams], [s[1] for s in streams]
            values = {"no": no, "devices": devices, "pages": pages}
            await conn.execute(sql["learn_streams"], values)
        if labels:
            await conn.execute(sql["learn_labels"], {"no": no, "labels": labels})

    async def _tell(self, no: int) -> None:
        for payload in encode_numbers(self._versions.host, [no]):
            await self._notifier.send(TOPIC, payload)

    def _is_current(self, schema: DatasourceSchema) -> bool:
        return schema.version == self._version(schema.no) and self._notifier.connected

    def _version(self, no: int) -> int:
        return self._versions.read("schema", no) ^ self._versions.epoch

    def _on_moved(self, payload: str) -> None:
        host, numbers = decode_numbers(payload)
        for no in numbers if host != self._versions.host else ():
            self._versions.bump("schema", no)

    async def _shared_load(self, ref: Ref, owner: Owned | None) -> DatasourceSchema:
        """Load once for all of an owner's who ask at the same time."""
        wanted = (ref, owner.org_id if owner else None)
        task = self._loading.get(wanted)
        if task is None:
            task = asyncio.create_task(self._load(ref, owner))
            self._loading[wanted] = task
            task.add_done_callback(lambda _task: self._loading.pop(wanted, None))
        return await asyncio.shield(task)

    def _seen_by(self, owner: Owned | None) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._pool.bound(owner) if owner else self._pool.everyone()

    async def _load(self, ref: Ref, owner: Owned | None) -> DatasourceSchema:
        query = "datasource_by_id" if isinstance(ref, UUID) else "datasource_by_no"
        with driver_errors():
            async with self._seen_by(owner) as conn:
                row = await (await conn.execute(self._sql[query], [ref])).fetchone()
            if row is None:
                self._drop(ref, owner)
                raise NotFound(NO_DATASOURCE)
            no, id_, org_id, environment, name, timezone = row
            schema = self._by_no.get(no)
            if schema is None:
                schema = DatasourceSchema(no, id_, org_id, environment, name, timezone)
            # The lock before the connection, as in learn(): the other order could starve the pool.
            async with schema.learning, self._seen_by(owner) as conn:
                version = self._version(no)
                await self._fill(conn, schema)
                schema.name, schema.timezone, schema.version = name, timezone, version
        self._by_no[no] = self._by_id[id_] = schema
        return schema

    def _drop(self, ref: Ref, owner: Owned | None) -> None:
        gone = self._by_id.get(ref) if isinstance(ref, UUID) else self._by_no.get(ref)
        if gone is not None and (owner is None or owner.org_id == gone.org_id):
            self._by_no.pop(gone.no, None)
            self._by_id.pop(gone.id, None)

    async def _fill(self, conn: AsyncConnection, schema: DatasourceSchema) -> None:
        """Take over what is committed and not yet held."""
        sql, no = self._sql, schema.no
        cursor = await conn.execute(sql["data_keys"], [no])
        schema.set_keys([DataKey(*row) for row in await cursor.fetchall()])
        cursor = await conn.execute(sql["streams_after"], [no, schema.last_stream_id])
        for stream_id, device, page in await cursor.fetchall():
            schema.add_stream(stream_id, device, page)
        cursor = await conn.execute(sql["labels_after"], [no, len(schema.label_texts) - 1])
        for code, label in await cursor.fetchall():
            schema.add_label(code, label)
