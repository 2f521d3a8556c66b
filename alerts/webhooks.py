"""Webhooks and their deliveries in the database, and the test call."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import structs

from alerts.announce import announce
from alerts.channels import Channels
from alerts.closing import bump, lock
from alerts.outbox import LEASE_MARGIN_S, Claim, Outbox
from alerts.payload import Alert, body, own_group, told
from alerts.receivers import check, completed, patched
from alerts.retry import Outcome, decide
from alerts.rules import Spec
from alerts.targeting import Target, target_of
from alerts.targets import check_target, check_url
from alerts.views import Circuit, DeliveryView, NewWebhook, WebhookPatch, WebhookView
from twin.audit import record
from twin.clock import now_us, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, NotFound
from twin.ground import Ground
from twin.principal import Principal

NO_WEBHOOK = "There is no webhook with this id."
NO_DELIVERY = "There is no delivery with this id."
TEST_NAME = "Twinfeed test"


class WebhookStore:
    """The webhooks of a principal's organisation and environment."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal."""
        self._ground = ground
        self._principal = principal
        self._scope = {"org_id": principal.org_id, "environment": principal.environment}
        self._sql = load("alerts", "webhooks")
        self._outbox_sql = load("alerts", "outbox")

    async def create(self, new: NewWebhook) -> WebhookView:
        """Store a webhook. Raises Invalid, Conflict at the organisation's bound."""
        new = completed(new)
        await self._check(new)
        most = self._ground.settings.max_webhooks
        given = {**structs.asdict(new), "secret": self._sealed(new.secret)}
        values = {**self._scope, **given, "id": uuid4(), "most": most}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                row = await (await conn.execute(self._sql["insert_webhook"], values)).fetchone()
                if row is None:
                    raise Conflict(f"An organisation may have {most} webhooks.")
                await record(conn, self._principal, "create", "webhook", values["id"], new)
        return _view(row)

    async def get(self, id_: UUID) -> WebhookView:
        """Return a webhook. Raises NotFound."""
        return _view(_found(await self._one("get_webhook", {**self._scope, "id": id_})))

    async def page(self, limit: int, offset: int) -> tuple[list[WebhookView], int]:
        """Return some webhooks in the order of their creation, and how many there are."""
        values = {**self._scope, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(self._sql["count_webhooks"], values)
                (total,) = await cursor.fetchone() or (0,)
                rows = await (await conn.execute(self._sql["list_webhooks"], values)).fetchall()
        return [_view(row) for row in rows], total

    async def patch(self, id_: UUID, patch: WebhookPatch) -> WebhookView:
        """Change a webhook and close its circuit. Raises NotFound, Invalid."""
        sql = self._sql
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                new = patched(await self._stored(conn, id_), patch)
            await self._check(new)  # may resolve a name: nothing is locked meanwhile
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                new = patched(await self._stored(conn, id_), patch)
                given = {**structs.asdict(new), "secret": self._sealed(new.secret)}
                values = {**given, "id": id_, "new_secret": patch.secret is not msgspec.UNSET}
                row = await (await conn.execute(sql["update_webhook"], values)).fetchone()
                await conn.execute(sql["retry_anew"], values)
                await record(conn, self._principal, "update", "webhook", id_, patch)
                if patch.repeat_seconds is not msgspec.UNSET:
                    await conn.execute(sql["repeat_anew"], values)
        return _view(_found(row))

    async def _stored(self, conn: AsyncConnection, id_: UUID) -> NewWebhook:
        cursor = await conn.execute(self._sql["lock_webhook"], {**self._scope, "id": id_})
        row = _found(await cursor.fetchone())
        return NewWebhook(**dict(zip(NewWebhook.__struct_fields__, row, strict=True)))

    async def delete(self, id_: UUID) -> None:
        """Delete a webhook and its deliveries; rules no longer name it. Raises NotFound."""
        values = {**self._scope, "id": id_, "text": str(id_)}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                cursor = await conn.execute(self._sql["datasources_using"], values)
                nos = [no for (no,) in await cursor.fetchall()]
                for no in nos:
                    await lock(conn, no)
                await conn.execute(self._sql["unlink_webhook"], values)
                if (await conn.execute(self._sql["delete_webhook"], values)).rowcount == 0:
                    raise NotFound(NO_WEBHOOK)
                await bump(conn, nos)
                await record(conn, self._principal, "delete", "webhook", id_)
            await announce(self._ground, nos)

    async def deliveries(
        self, id_: UUID, status: str | None, limit: int, offset: int
    ) -> tuple[list[DeliveryView], int]:
        """Return a webhook's deliveries, newest first, and how many there are. Raises NotFound."""
        await self.get(id_)
        values = {"webhook_id": id_, "status": status, "limit": limit, "offset": offset}
        sql = self._outbox_sql
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(sql["count_deliveries"], values)
                (total,) = await cursor.fetchone() or (0,)
                rows = await (await conn.execute(sql["list_deliveries"], values)).fetchall()
        return [_delivery(row) for row in rows], total

    async def resend(self, id_: UUID, delivery_id: UUID) -> DeliveryView:
        """Make a delivery again from the start, with its id. Raises NotFound, Conflict."""
        await self.get(id_)
        values = {"webhook_id": id_, "delivery_id": delivery_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                again = await conn.execute(self._outbox_sql["resend"], values)
                if again.rowcount:
                    await record(conn, self._principal, "resend", "delivery", delivery_id)
        found = await self._delivery(id_, delivery_id)
        if not again.rowcount:
            raise Conflict("This delivery has not ended: it is tried again by itself.")
        return found

    async def test(self, id_: UUID) -> DeliveryView:
        """Call a webhook once, now, and return how that went. Raises NotFound."""
        settings = self._ground.settings
        lease_s = settings.webhook_timeout_s + LEASE_MARGIN_S
        target = await self._target(id_)
        text = msgspec.json.encode(_test_body(target.name, settings.public_url or "")).decode()
        values = {"webhook_id": id_, "body": text, "lease_s": lease_s}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(self._outbox_sql["insert_test"], values)
                delivery_no, delivery_id = _found(await cursor.fetchone())
        claim = Claim(delivery_no, delivery_id, target, "test", text, 1, 0)
        async with Channels(settings) as channels:
            attempt = await channels.tell(claim, now_us())
        outcome = decide(attempt, attempts=1, age_us=0, now_us=now_us(), chance=0)
        if outcome.verdict == "retry":  # whoever asked sees it now, and asks again
            outcome = Outcome("failed", error=outcome.error)
        with driver_errors():
            await Outbox(self._ground, lease_s=lease_s).settle(claim, attempt, outcome)
        return await self._delivery(id_, UUID(delivery_id))

    async def _target(self, id_: UUID) -> Target:
        await self.get(id_)
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(load("alerts", "notices")["targets"], [[id_]])
                row = _found(await cursor.fetchone())
        return target_of(row, self._ground.vault)

    async def _delivery(self, id_: UUID, delivery_id: UUID) -> DeliveryView:
        values = {"webhook_id": id_, "delivery_id": delivery_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(self._outbox_sql["get_delivery"], values)
                row = await cursor.fetchone()
        if row is None:
            raise NotFound(NO_DELIVERY)
        return _delivery(row)

    def _sealed(self, secret: str | None) -> str | None:
        return None if secret is None else self._ground.vault.seal(secret)

    async def _one(self, query: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await (await conn.execute(self._sql[query], values)).fetchone()

    async def _check(self, new: NewWebhook) -> None:
        settings = self._ground.settings
        check(new, can_mail=settings.smtp_url is not None and settings.smtp_from is not None)
        if new.url is not None:
            await check_target(check_url(new.url), allow_private=settings.webhook_allow_private)


def _found(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        raise NotFound(NO_WEBHOOK)
    return row


def _view(row: tuple[Any, ...]) -> WebhookView:
    fields = [name for name in WebhookView.__struct_fields__ if name != "circuit"]
    *given, failures, open_until, created_at, updated_at = row
    values = dict(zip(fields, [*given, created_at, updated_at], strict=True))
    return WebhookView(**values, circuit=_circuit(failures, open_until, now_us()))


def _circuit(failures: int, open_until: datetime | None, at_us: int) -> Circuit:
    is_due = open_until is not None and to_us(open_until) <= at_us
    state = "closed" if open_until is None else "half_open" if is_due else "open"
    return Circuit(state=state, failures=failures, open_until=open_until)


def _delivery(row: tuple[Any, ...]) -> DeliveryView:
    return DeliveryView(**dict(zip(DeliveryView.__struct_fields__, row, strict=True)))


def _test_body(receiver: str, external_url: str) -> dict[str, Any]:
    spec = Spec(condition="greater_than", threshold=1.0, severity="info")
    alert = Alert(
        rule_id="test",
        name=TEST_NAME,
        datasource_id="",
        key="test",
        device="",
        spec=spec,
        firing=True,
        value=2.0,
        starts_us=now_us(),
        ends_us=None,
    )
    group = own_group("test", TEST_NAME, "")
    return body([told(alert, external_url)], group, receiver, external_url)
