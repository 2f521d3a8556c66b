"""HTTP: /v1/alerts/events, the history, as pages of JSON or whole as CSV."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from alerts.history import EventFilter, History, SeverityName, StateName
from alerts.views import EventView
from twin.csv_text import lines
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal

From = Annotated[datetime | None, Parameter(query="from", description="readings from this time on")]
Reached = Annotated[
    StateName | None, Parameter(query="state", description="the state that was reached")
]
To = Annotated[datetime | None, Parameter(query="to", description="readings before this time")]
Format = Annotated[
    Literal["json", "csv"] | None,
    Parameter(query="format", description="csv: all events that match, as with Accept: text/csv"),
]
CSV_HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",  # a stream's media_type yields to its route's
    "Content-Disposition": 'attachment; filename="events.csv"',
}


@get(
    "/v1/alerts/events",
    tags=["alerts"],
    responses={200: ResponseSpec(Page[EventView], description="events, newest first")},
)
async def list_alert_events(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    alert_id: UUID | None = None,
    datasource_id: UUID | None = None,
    device: str | None = None,
    severity: SeverityName | None = None,
    reached: Reached = None,
    from_: From = None,
    to: To = None,
    form: Format = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[EventView] | Stream:
    """List transitions, newest first; `state` is the one that was reached."""
    principal.require("read")
    wanted = EventFilter(
        alert_id=alert_id,
        datasource_id=datasource_id,
        device=device,
        severity=severity,
        state=reached,
        from_=from_,
        to=to,
    )
    history = History(ground, principal)
    if form == "csv" or (form is None and _wants_csv(request)):
        return Stream(_csv(history, wanted), headers=CSV_HEADERS)
    items, total = await history.page(wanted, limit, offset)
    return Page(items, total, limit, offset)


def _wants_csv(request: Request[Any, Any, Any]) -> bool:
    return request.accept.best_match(["application/json", "text/csv"]) == "text/csv"


async def _csv(history: History, wanted: EventFilter) -> AsyncIterator[str]:
    yield lines([EventView.__struct_fields__])
    async for part in history.all(wanted):
        yield lines(msgspec.structs.astuple(event) for event in part)


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [list_alert_events]
