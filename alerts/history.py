"""The history of alerts: transitions with their causes, how long they lasted, who acknowledged them."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from alerts.held import shown_value
from alerts.views import EventView
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import NotFound
from twin.ground import Ground
from twin.principal import Principal

StateName = Literal["normal", "pending", "firing"]
SeverityName = Literal["info", "warning", "critical"]

EXPORT_ROWS = 1000
"""Events read at a time for an export: what of it is in memory."""


_FIELDS = EventView.__struct_fields__


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to list; None = all."""

    alert_id: UUID | None = None
    datasource_id: UUID | None = None
    device: str | None = None
    severity: str | None = None
    state: str | None = None
    from_: datetime | None = None
    to: datetime | None = None

    @property
    def finds_nothing(self) -> bool:
        """Whether no device can be called so; the database would refuse the text."""
        return self.device is not None and "\x00" in self.device


class History:
    """The history of a principal's organisation and environment."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal."""
        self._ground = ground
        self._principal = principal
        self._sql = load("alerts", "history")

    async def page(
        self, wanted: EventFilter, limit: int, offset: int
    ) -> tuple[list[EventView], int]:
        """Return events, newest first, and how many match."""
        if wanted.finds_nothing:
            return [], 0
        values = self._values(wanted)
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(self._sql["count_events"], values)
                (total,) = await cursor.fetchone() or (0,)
        return await self._some(values, limit, offset), total

    async def all(self, wanted: EventFilter) -> AsyncIterator[list[EventView]]:
        """Yield all events that match, newest first, in parts."""
        part: list[EventView] = []
        values = self._values(wanted)
        while not wanted.finds_nothing:
            part = await self._some(values, EXPORT_ROWS, 0)
            if part:
                yield part
            if len(part) < EXPORT_ROWS:
                return
            values["before"] = part[-1].id

    def _values(self, wanted: EventFilter) -> dict[str, Any]:
        fields = {name.rstrip("_"): v for name, v in msgspec.structs.asdict(wanted).items()}
        return {**self._principal.scope, **fields, "before": None}

    async def _some(self, values: dict[str, Any], limit: int, offset: int) -> list[EventView]:
        page = {**values, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = await (await conn.execute(self._sql["list_events"], page)).fetchall()
        return [await self._view(row) for row in rows]

    async def _view(self, row: tuple[Any, ...]) -> EventView:
        no, key, value = row[3], row[6], row[12]
        fields = (*row[:3], *row[4:12], await self._shown(no, key, value), *row[13:])
        return EventView(**dict(zip(_FIELDS, fields, strict=True)))

    async def _shown(self, no: int, key: str, value: float | None) -> Any:
        """Return a value as its key's kind; as stored where the datasource has just gone."""
        try:
            schema = await self._ground.schemas.get_no(no, self._principal)
        except NotFound:
            return value
        return shown_value(schema, key, value)
