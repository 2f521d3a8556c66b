"""HTTP: /v1/alerts and /v1/webhooks."""

from typing import Any, Literal
from uuid import UUID

from litestar import delete, get, patch, post

from alerts.dry_run import DryRun, DryRunResult, run_dry
from alerts.rules import NewRule, RulePatch
from alerts.store import RuleStore
from alerts.views import (
    AlertView,
    DeliveryView,
    NewWebhook,
    WebhookPatch,
    WebhookView,
)
from alerts.webhooks import WebhookStore
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal

DeliveryStatus = Literal["pending", "delivered", "failed"]


@post("/v1/alerts", status_code=201, tags=["alerts"])
async def create_alert(data: NewRule, ground: Ground, principal: Principal) -> AlertView:
    """Create an alert rule; it judges every reading accepted from now on."""
    principal.require("write")
    return await RuleStore(ground, principal).create(data)


@post("/v1/alerts/dry_run", status_code=200, tags=["alerts"])
async def dry_run_alert(data: DryRun, ground: Ground, principal: Principal) -> DryRunResult:
    """Answer what a rule would have done with the readings stored in a range; nothing is written."""
    principal.require("read")
    return await run_dry(ground, principal, data)


@get("/v1/alerts", tags=["alerts"])
async def list_alerts(
    ground: Ground,
    principal: Principal,
    datasource_id: UUID | None = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[AlertView]:
    """List alert rules with their states, in the order of their creation."""
    principal.require("read")
    items, total = await RuleStore(ground, principal).page(datasource_id, limit, offset)
    return Page(items, total, limit, offset)


@get("/v1/alerts/{alert_id:uuid}", tags=["alerts"])
async def get_alert(alert_id: UUID, ground: Ground, principal: Principal) -> AlertView:
    """Read an alert rule with the devices for which it is pending or firing."""
    principal.require("read")
    return await RuleStore(ground, principal).get(alert_id)


@patch("/v1/alerts/{alert_id:uuid}", tags=["alerts"])
async def patch_alert(
    alert_id: UUID, data: RulePatch, ground: Ground, principal: Principal
) -> AlertView:
    """Change an alert rule; when it then asks something else, its alerts are resolved."""
    principal.require("write")
    return await RuleStore(ground, principal).patch(alert_id, data)


@delete("/v1/alerts/{alert_id:uuid}", tags=["alerts"])
async def delete_alert(alert_id: UUID, ground: Ground, principal: Principal) -> None:
    """Delete an alert rule: its alerts are resolved, its history stays."""
    principal.require("write")
    await RuleStore(ground, principal).delete(alert_id)


@post("/v1/webhooks", status_code=201, tags=["webhooks"])
async def create_webhook(data: NewWebhook, ground: Ground, principal: Principal) -> WebhookView:
    """Create a webhook; the secret is not shown again."""
    principal.require("write")
    return await WebhookStore(ground, principal).create(data)


@get("/v1/webhooks", tags=["webhooks"])
async def list_webhooks(
    ground: Ground, principal: Principal, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Page[WebhookView]:
    """List webhooks in the order of their creation."""
    principal.require("read")
    items, total = await WebhookStore(ground, principal).page(limit, offset)
    return Page(items, total, limit, offset)


@get("/v1/webhooks/{webhook_id:uuid}", tags=["webhooks"])
async def get_webhook(webhook_id: UUID, ground: Ground, principal: Principal) -> WebhookView:
    """Read a webhook."""
    principal.require("read")
    return await WebhookStore(ground, principal).get(webhook_id)


@patch("/v1/webhooks/{webhook_id:uuid}", tags=["webhooks"])
async def patch_webhook(
    webhook_id: UUID, data: WebhookPatch, ground: Ground, principal: Principal
) -> WebhookView:
    """Change a webhook's name, URL or secret; deliveries that wait use the new ones."""
    principal.require("write")
    return await WebhookStore(ground, principal).patch(webhook_id, data)


@delete("/v1/webhooks/{webhook_id:uuid}", tags=["webhooks"])
async def delete_webhook(webhook_id: UUID, ground: Ground, principal: Principal) -> None:
    """Delete a webhook with its deliveries; rules that named it no longer do."""
    principal.require("write")
    await WebhookStore(ground, principal).delete(webhook_id)


@get("/v1/webhooks/{webhook_id:uuid}/deliveries", tags=["webhooks"])
async def list_deliveries(
    webhook_id: UUID,
    ground: Ground,
    principal: Principal,
    status: DeliveryStatus | None = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[DeliveryView]:
    """List a webhook's deliveries, newest first; failed ones are dead letters."""
    principal.require("read")
    store = WebhookStore(ground, principal)
    items, total = await store.deliveries(webhook_id, status, limit, offset)
    return Page(items, total, limit, offset)


@post(
    "/v1/webhooks/{webhook_id:uuid}/deliveries/{delivery_id:uuid}/resend",
    status_code=200,
    tags=["webhooks"],
)
async def resend_delivery(
    webhook_id: UUID, delivery_id: UUID, ground: Ground, principal: Principal
) -> DeliveryView:
    """Make a delivery that has ended again, with the same id, for another day at most."""
    principal.require("write")
    return await WebhookStore(ground, principal).resend(webhook_id, delivery_id)


@post("/v1/webhooks/{webhook_id:uuid}/test", status_code=200, tags=["webhooks"])
async def send_test(webhook_id: UUID, ground: Ground, principal: Principal) -> DeliveryView:
    """Call a webhook once, now, with a made-up alert, and answer how that went."""
    principal.require("write")
    return await WebhookStore(ground, principal).test(webhook_id)


def routes() -> list[Any]:
    """Return the route handlers of the alerts."""
    return [
        create_alert,
        dry_run_alert,
        list_alerts,
        get_alert,
        patch_alert,
        delete_alert,
        create_webhook,
        list_webhooks,
        get_webhook,
        patch_webhook,
        delete_webhook,
        list_deliveries,
        resend_delivery,
        send_test,
    ]
