"""Webhooks and their deliveries in the database, and the test call."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET

from alerts import signing
from alerts.announce import announce
from alerts.closing import bump, lock
from alerts.outbox import LEASE_MARGIN_S, Claim, Outbox
from alerts.payload import Alert, body
from alerts.retry import Outcome, decide
from alerts.rules import MAX_NAME, Spec
from alerts.sender import Sender
from alerts.targets import check_target, check_url
from alerts.views import DeliveryView, NewWebhook, WebhookPatch, WebhookView
from twin.clock import now_us
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Conflict, Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.principal import Principal

NO_WEBHOOK = "There is no webhook with this id."
MAX_SECRET = 500
TEST_NAME = "Twinfeed test"


class WebhookStore:
    """The webhooks of a principal's organisation and environment."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal."""
        self._ground = ground
        self._scope = {"org_id": principal.org_id, "environment": principal.environment}
        self._sql = load("alerts", "webhooks")
        self._outbox_sql = load("alerts", "outbox")

    async def create(self, new: NewWebhook) -> WebhookView:
        """Store a webhook. Raises Invalid, Conflict at the organisation's bound."""
        _check_texts(new.name, new.secret)
        await self._check_url(new.url)
        most = self._ground.settings.max_webhooks
        given = {**msgspec.structs.asdict(new), "secret": self._sealed(new.secret)}
        values = {**self._scope, **given, "id": uuid4(), "most": most}
        row = await self._one("insert_webhook", values)
        if row is None:
            raise Conflict(f"An organisation may have {most} webhooks.")
        return _view(row)

    async def get(self, id_: UUID) -> WebhookView:
        """Return a webhook. Raises NotFound."""
        return _view(_found(await self._one("get_webhook", {**self._scope, "id": id_})))

    async def page(self, limit: int, offset: int) -> tuple[list[WebhookView], int]:
        """Return some webhooks in the order of their creation, and how many there are."""
        values = {**self._scope, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.connection() as conn:
                cursor = await conn.execute(self._sql["count_webhooks"], values)
                (total,) = await cursor.fetchone() or (0,)
                rows = await (await conn.execute(self._sql["list_webhooks"], values)).fetchall()
        return [_view(row) for row in rows], total

    async def patch(self, id_: UUID, patch: WebhookPatch) -> WebhookView:
        """Change a webhook. Raises NotFound, Invalid."""
        name = None if patch.name is UNSET else patch.name
        url = None if patch.url is UNSET else patch.url
        secret = None if patch.secret is UNSET else patch.secret
        _check_texts(name, secret)
        if url is not None:
            await self._check_url(url)
        new_secret = patch.secret is not UNSET
        sealed = self._sealed(secret)
        given = {"name": name, "url": url, "secret": sealed, "new_secret": new_secret}
        return _view(_found(await self._one("update_webhook", {**self._scope, **given, "id": id_})))

    async def delete(self, id_: UUID) -> None:
        """Delete a webhook and its deliveries; rules no longer name it. Raises NotFound."""
        values = {**self._scope, "id": id_, "text": str(id_)}
        with driver_errors():
            async with self._ground.pool.connection() as conn, conn.transaction():
                cursor = await conn.execute(self._sql["datasources_using"], values)
                nos = [no for (no,) in await cursor.fetchall()]
                for no in nos:
                    await lock(conn, no)
                await conn.execute(self._sql["unlink_webhook"], values)
                if (await conn.execute(self._sql["delete_webhook"], values)).rowcount == 0:
                    raise NotFound(NO_WEBHOOK)
                await bump(conn, nos)
            await announce(self._ground, nos)

    async def deliveries(
        self, id_: UUID, limit: int, offset: int
    ) -> tuple[list[DeliveryView], int]:
        """Return a webhook's deliveries, newest first, and how many there are. Raises NotFound."""
        await self.get(id_)
        values = {"webhook_id": id_, "limit": limit, "offset": offset}
        sql = self._outbox_sql
        with driver_errors():
            async with self._ground.pool.connection() as conn:
                cursor = await conn.execute(sql["count_deliveries"], [id_])
                (total,) = await cursor.fetchone() or (0,)
                rows = await (await conn.execute(sql["list_deliveries"], values)).fetchall()
        return [_delivery(row) for row in rows], total

    async def test(self, id_: UUID) -> DeliveryView:
        """Call a webhook once, now, and return how that went. Raises NotFound."""
        webhook = await self.get(id_)
        settings, sql = self._ground.settings, self._outbox_sql
        lease_s = settings.webhook_timeout_s + LEASE_MARGIN_S
        text = msgspec.json.encode(_test_body(webhook.name, settings.public_url or "")).decode()
        values = {
            "webhook_id": id_,
            "alert_key": f"test/{uuid4()}",
            "body": text,
            "lease_s": lease_s,
        }
        with driver_errors():
            async with self._ground.pool.connection() as conn:
                cursor = await conn.execute(sql["insert_test"], values)
                delivery_no, delivery_id, sent = _found(await cursor.fetchone())
                cursor = await conn.execute(self._sql["webhook_secret"], [id_])
                (sealed,) = _found(await cursor.fetchone())
        secret = None if sealed is None else self._ground.vault.open(sealed)
        claim = Claim(delivery_no, delivery_id, str(id_), sent, 1, 0, webhook.url, secret)
        payload = sent.encode()
        async with Sender(settings) as sender:
            headers = signing.headers(delivery_id, secret, now_us(), payload)
            attempt = await sender.post(webhook.url, headers, payload)
        outcome = decide(attempt, attempts=1, age_us=0, now_us=now_us(), chance=0)
        if outcome.verdict == "retry":  # whoever asked sees it now, and asks again
            outcome = Outcome("failed", error=outcome.error)
        with driver_errors():
            await Outbox(self._ground, lease_s=lease_s).settle(claim, attempt, outcome)
            async with self._ground.pool.connection() as conn:
                cursor = await conn.execute(sql["get_delivery"], [delivery_no])
                return _delivery(_found(await cursor.fetchone()))

    def _sealed(self, secret: str | None) -> str | None:
        return None if secret is None else self._ground.vault.seal(secret)

    async def _one(self, query: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
        with driver_errors():
            async with self._ground.pool.connection() as conn:
                return await (await conn.execute(self._sql[query], values)).fetchone()

    async def _check_url(self, url: str) -> None:
        allow = self._ground.settings.webhook_allow_private
        await check_target(check_url(url), allow_private=allow)


def _check_texts(name: str | None, secret: str | None) -> None:
    errors = []
    if name is not None and (not name.strip() or len(name) > MAX_NAME or "\x00" in name):
        message = f"name must be 1 to {MAX_NAME} characters of text."
        errors.append(ItemError(message=message, key="name"))
    if secret is not None and (not 1 <= len(secret) <= MAX_SECRET or "\x00" in secret):
        message = f"secret must be 1 to {MAX_SECRET} characters of text."
        errors.append(ItemError(message=message, key="secret"))
    if errors:
        raise Invalid(errors[0].message, errors=errors)


def _found(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        raise NotFound(NO_WEBHOOK)
    return row


def _view(row: tuple[Any, ...]) -> WebhookView:
    return WebhookView(**dict(zip(WebhookView.__struct_fields__, row, strict=True)))


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
    return {**body(alert, external_url), "receiver": receiver}
