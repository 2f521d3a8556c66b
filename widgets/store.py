"""Saved widgets. A change drops the copies of every worker, on this host before it is answered.

A copy carries the version of its datasource's schema, which each change of the widget moves; other
hosts learn through topic `widgets`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg.types.json import Jsonb

from twin import audit
from twin.clock import to_rfc3339, to_us
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Conflict, NotFound
from twin.ground import Ground
from twin.paging import Page
from twin.principal import Principal
from twin.schema import DatasourceSchema
from widgets.spec import WidgetSpec, saved_spec, stored_form

KIND = "widget"
TOPIC = "widgets"
MAX_KEPT = 10_000
"""Copies per worker; past it they are forgotten together."""
_ABSENT = "There is no widget with this id."


class SavedWidget(WidgetSpec, frozen=True, kw_only=True):
    """A saved widget as the API shows it: every field of its spec, its id and times."""

    id: UUID
    created_at: str
    updated_at: str


class Widget(msgspec.Struct, frozen=True):
    """A saved widget."""

    id: UUID
    org_id: int
    environment: str
    spec: WidgetSpec
    created_at: str
    updated_at: str

    def shown(self) -> SavedWidget:
        """Return the widget as the API shows it."""
        fields: dict[str, Any] = msgspec.structs.asdict(self.spec)
        return SavedWidget(
            id=self.id, created_at=self.created_at, updated_at=self.updated_at, **fields
        )


class WidgetStore:
    """Saves and finds widgets."""

    def __init__(self, ground: Ground) -> None:
        """Stand on `ground`."""
        self._ground = ground
        self._sql = load("widgets", "store")
        self._kept: dict[UUID, tuple[int, int, Widget]] = {}
        self._generation = 0
        ground.notifier.subscribe(TOPIC, self._on_change)
        ground.notifier.on_lost(self._forget)

    async def create(self, principal: Principal, fields: Mapping[str, Any]) -> Widget:
        """Save a widget. Raises Invalid, NotFound (its datasource), Conflict at the bound."""
        limits = self._ground.settings
        spec = saved_spec(fields, limits.max_points)
        await self._ground.schemas.get_for(principal, spec.datasource_id)
        params = {
            "id": uuid4(),
            "org_id": principal.org_id,
            "environment": principal.environment,
            **_columns(spec),
        }
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                await conn.execute(self._sql["lock_organisation"], params)
                row = await (await conn.execute(self._sql["count"], params)).fetchone()
                if row is not None and row[0] >= limits.max_widgets:
                    raise Conflict(f"An organisation has at most {limits.max_widgets} widgets.")
                row = await (await conn.execute(self._sql["insert"], params)).fetchone()
                await audit.record(conn, principal, "create", KIND, params["id"], fields)
        assert row is not None
        return _widget(row)

    async def get(self, principal: Principal, id_: UUID) -> Widget:
        """Return a widget of the principal's environment. Raises NotFound."""
        widget = self._current(id_) or await self._load(principal, id_)
        owner = (principal.org_id, principal.environment)
        if widget is None or (widget.org_id, widget.environment) != owner:
            raise NotFound(_ABSENT)
        return widget

    async def page(
        self, principal: Principal, datasource_id: UUID | None, limit: int, offset: int
    ) -> Page[SavedWidget]:
        """Return a page of the environment's widgets, oldest first."""
        params = {
            "org_id": principal.org_id,
            "environment": principal.environment,
            "datasource_id": datasource_id,
            "limit": limit,
            "offset": offset,
        }
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                cursor = await conn.execute(self._sql["list_page"], params)
                items = [_widget(row).shown() for row in await cursor.fetchall()]
                total = await (await conn.execute(self._sql["list_total"], params)).fetchone()
        assert total is not None
        return Page(items, total[0], limit, offset)

    async def patch(self, principal: Principal, id_: UUID, fields: Mapping[str, Any]) -> Widget:
        """Replace fields of a widget; null takes a field back to its default.

        Raises NotFound and Invalid.
        """
        owner = {"id": id_, "org_id": principal.org_id, "environment": principal.environment}
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                row = await (await conn.execute(self._sql["find_for_update"], owner)).fetchone()
                if row is None:
                    raise NotFound(_ABSENT)
                old = _widget(row).spec
                spec = saved_spec({**stored_form(old), **fields}, self._ground.settings.max_points)
                if spec.datasource_id != old.datasource_id:
                    await self._ground.schemas.get_for(principal, spec.datasource_id)
                params = {**owner, **_columns(spec)}
                row = await (await conn.execute(self._sql["update"], params)).fetchone()
                await audit.record(conn, principal, "update", KIND, id_, fields)
        assert row is not None
        await self._changed(principal, id_, old.datasource_id)
        return _widget(row)

    async def delete(self, principal: Principal, id_: UUID) -> None:
        """Delete a widget. Raises NotFound."""
        owner = {"id": id_, "org_id": principal.org_id, "environment": principal.environment}
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                row = await (await conn.execute(self._sql["delete"], owner)).fetchone()
                if row is None:
                    raise NotFound(_ABSENT)
                await audit.record(conn, principal, "delete", KIND, id_)
        await self._changed(principal, id_, row[0])

    async def _changed(self, principal: Principal, id_: UUID, datasource_id: UUID) -> None:
        """Drop every copy: here and now, on other hosts by notification."""
        self._on_change(str(id_))
        try:
            schema = await self._ground.schemas.get(datasource_id, principal)
        except NotFound:
            schema = None  # without a datasource there are no copies
        if schema is not None:
            self._ground.versions.bump("schema", schema.no)
        with driver_errors():
            await self._ground.notifier.send(TOPIC, str(id_))

    def _current(self, id_: UUID) -> Widget | None:
        kept = self._kept.get(id_)
        if kept is None or kept[1] != self._version(kept[0]):
            return None
        return kept[2]

    async def _load(self, principal: Principal, id_: UUID) -> Widget | None:
        """Read a widget and keep a copy if its datasource's version can guard it."""
        generation = self._generation
        found = await self._find(principal, id_)
        schema = await self._guard(found) if found is not None else None
        if found is None or schema is None:
            return found
        # The version first, then what it stands for: the first reading only told the datasource.
        version = self._version(schema.no)
        found = await self._find(principal, id_)
        unmoved = self._ground.notifier.connected and generation == self._generation
        if unmoved and found is not None and found.spec.datasource_id == schema.id:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[id_] = (schema.no, version, found)
        return found

    async def _guard(self, widget: Widget) -> DatasourceSchema | None:
        try:
            return await self._ground.schemas.get(widget.spec.datasource_id, widget)
        except NotFound:
            return None

    async def _find(self, principal: Principal, id_: UUID) -> Widget | None:
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                row = await (await conn.execute(self._sql["find"], {"id": id_})).fetchone()
        return _widget(row) if row is not None else None

    def _version(self, no: int) -> int:
        return self._ground.versions.read("schema", no) ^ self._ground.versions.epoch

    def _on_change(self, payload: str) -> None:
        self._generation += 1
        self._kept.pop(UUID(payload), None)

    def _forget(self) -> None:
        self._generation += 1
        self._kept.clear()


def _columns(spec: WidgetSpec) -> dict[str, Any]:
    return {
        "datasource_id": spec.datasource_id,
        "type": spec.type,
        "title": spec.title,
        "spec": Jsonb(stored_form(spec)),
    }


def _widget(row: tuple[Any, ...]) -> Widget:
    id_, org_id, environment, stored, created_at, updated_at = row
    spec = msgspec.convert(stored, WidgetSpec)
    return Widget(id_, org_id, environment, spec, _text(created_at), _text(updated_at))


def _text(moment: datetime) -> str:
    return to_rfc3339(to_us(moment))
