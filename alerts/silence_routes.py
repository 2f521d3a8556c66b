"""HTTP: acknowledging and silencing alerts, and /v1/silences."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import delete, get, post
from litestar.params import Parameter

from alerts.silences import SilenceStore
from alerts.store import RuleStore
from alerts.views import Acknowledgement, AlertView, NewSilence, SilenceAlert, SilenceView
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal

SilenceState = Annotated[Literal["pending", "active", "expired"] | None, Parameter(query="state")]


@post("/v1/alerts/{alert_id:uuid}/acknowledge", status_code=200, tags=["alerts"])
async def acknowledge_alert(
    alert_id: UUID, ground: Ground, principal: Principal, data: Acknowledgement | None = None
) -> AlertView:
    """Say that somebody looks after what fires: it is not repeated any more."""
    principal.require("write")
    await SilenceStore(ground, principal).acknowledge(alert_id, data or Acknowledgement())
    return await RuleStore(ground, principal).get(alert_id)


@post("/v1/alerts/{alert_id:uuid}/silence", status_code=200, tags=["alerts"])
async def silence_alert(
    alert_id: UUID, data: SilenceAlert, ground: Ground, principal: Principal
) -> SilenceView:
    """Hold back what receivers would be told of an alert until a time."""
    principal.require("write")
    new = NewSilence(
        until=data.until,
        starts_at=data.starts_at,
        alert_id=alert_id,
        device=data.device,
        comment=data.comment,
    )
    return await SilenceStore(ground, principal).create(new)


@post("/v1/silences", status_code=201, tags=["alerts"])
async def create_silence(data: NewSilence, ground: Ground, principal: Principal) -> SilenceView:
    """Silence an alert, a datasource, a device, or what they have in common."""
    principal.require("write")
    return await SilenceStore(ground, principal).create(data)


@get("/v1/silences", tags=["alerts"])
async def list_silences(
    ground: Ground,
    principal: Principal,
    alert_id: UUID | None = None,
    of_state: SilenceState = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[SilenceView]:
    """List silences, the one that ends last first."""
    principal.require("read")
    store = SilenceStore(ground, principal)
    items, total = await store.page(alert_id, of_state, limit, offset)
    return Page(items, total, limit, offset)


@get("/v1/silences/{silence_id:uuid}", tags=["alerts"])
async def get_silence(silence_id: UUID, ground: Ground, principal: Principal) -> SilenceView:
    """Read a silence."""
    principal.require("read")
    return await SilenceStore(ground, principal).get(silence_id)


@delete("/v1/silences/{silence_id:uuid}", tags=["alerts"])
async def end_silence(silence_id: UUID, ground: Ground, principal: Principal) -> None:
    """End a silence now; what it held back and still holds true is told."""
    principal.require("write")
    await SilenceStore(ground, principal).end(silence_id)


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [
        acknowledge_alert,
        silence_alert,
        create_silence,
        list_silences,
        get_silence,
        end_silence,
    ]
