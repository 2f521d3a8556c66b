"""The delivery worker on a plant: webhooks, rules and waiting for what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from alerts.delivery import Delivery
from alerts.hook import AlertHook
from alerts.views import AlertView, NewWebhook
from alerts.webhooks import WebhookStore
from support.plant import Plant, open_plant

HOT, COOL = {"temperature": 90.0}, {"temperature": 20.0}


def on_plant(url: str, test: Callable[[Plant], Awaitable[None]], **settings: Any) -> None:
    """Run a test on a plant whose webhooks may call loopback."""
    given = {"webhook_allow_private": True, "webhook_timeout_s": 0.5, **settings}

    async def run() -> None:
        async with open_plant(url, **given) as plant:
            await test(plant)

    asyncio.run(run())


@asynccontextmanager
async def delivering(plant: Plant) -> AsyncIterator[Delivery]:
    """Run the worker, woken by the plant's hook."""
    async with Delivery(plant.ground) as worker:
        plant.hook = AlertHook(plant.ground, worker.wake)
        yield worker


def webhooks(plant: Plant) -> WebhookStore:
    """Return the plant's webhooks."""
    return WebhookStore(plant.ground, plant.principal)


async def add_webhook(plant: Plant, url: str, secret: str | None = None, **options: Any) -> UUID:
    """Create a webhook called desk."""
    new = NewWebhook(name="desk", url=url, secret=secret, **options)
    return (await webhooks(plant).create(new)).id


async def add_rule(plant: Plant, *targets: UUID) -> AlertView:
    """Create a rule that fires above 80 degrees."""
    return await plant.add_rule("greater_than", 80, webhooks=[str(t) for t in targets])


async def settled(plant: Plant) -> list[tuple[str, int, int | None, str | None]]:
    """Return (state, attempts, status, error) of every delivery once nothing waits."""
    async with asyncio.timeout(20):
        while True:
            # Before the deliveries: a notice becomes one between the two queries.
            waiting = await plant.query("SELECT FROM notices")
            rows = await plant.query(
                "SELECT state, attempts, last_status, last_error"
                " FROM deliveries ORDER BY delivery_no"
            )
            if not waiting and all(row[0] != "pending" for row in rows):
                return rows
            await asyncio.sleep(0.01)
