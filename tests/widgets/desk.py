"""Asks a worker's service about one datasource, without HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tests.widgets.lab import Lab, open_lab
from twin.schema import DatasourceSchema
from widgets.cache import Body
from widgets.service import WidgetService
from widgets.spec import query_spec


class Desk:
    """Asks a worker's service about one datasource."""

    def __init__(self, lab: Lab, schema: DatasourceSchema) -> None:
        self.lab = lab
        self.schema = schema
        self.service = WidgetService(lab.ground)

    async def body(self, type_: str, *pairs: tuple[str, str], **fields: str) -> Body:
        """Return the body and tag of an answer."""
        given = [("datasource_id", str(self.schema.id)), *pairs, *fields.items()]
        spec, at = query_spec(type_, given, 5000)
        return await self.service.body(spec, self.lab.principal, at)

    async def ask(self, type_: str, *pairs: tuple[str, str], **fields: str) -> dict[str, Any]:
        """Return an answer."""
        found: dict[str, Any] = msgspec.json.decode(
            (await self.body(type_, *pairs, **fields)).content
        )
        return found


def with_desk(
    database_url: str,
    scenario: Callable[[Desk], Awaitable[None]],
    kinds: dict[str, str] | None = None,
    devices: tuple[str, ...] = ("a", "b"),
    **settings: Any,
) -> None:
    """Run a scenario on a fresh datasource; `settings` differ from the defaults."""

    async def run() -> None:
        async with open_lab(database_url, **settings) as lab:
            schema = await lab.datasource(kinds or {"rpm": "number"}, devices)
            await scenario(Desk(lab, schema))

    asyncio.run(run())
