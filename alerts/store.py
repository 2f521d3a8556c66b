"""Rules and history in the database. Every change of a rule runs under its datasource's lock."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import msgspec

from alerts.announce import announce
from alerts.check import check
from alerts.closing import (
    RULE_CHANGED,
    RULE_DELETED,
    RULE_DISABLED,
    bump,
    close,
    lock,
    rename_severity,
)
from alerts.enrol import enrol
from alerts.held import shown_value
from alerts.record import Rule
from alerts.rules import Definition, NewRule, RulePatch, defined, patched
from alerts.views import AlertView, DeviceState
from twin.audit import record
from twin.clock import now_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.principal import Principal
from twin.schema import DatasourceSchema

Row = tuple[Any, ...]

NO_ALERT = "There is no alert with this id."
RULE_COLUMNS = 13
"""Columns of a rule in a row; two times of writing and its error follow."""
MAX_STATES = 100
"""Devices shown with a rule."""


class RuleStore:
    """The rules of a principal's organisation and environment."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal."""
        self._ground = ground
        self._scope = {"org_id": principal.org_id, "environment": principal.environment}
        self._principal = principal
        self._sql = load("alerts", "rules")
        self._external_url = ground.settings.public_url or ""

    async def create(self, new: NewRule) -> AlertView:
        """Store a rule. Raises NotFound (datasource), Invalid, Conflict (too many)."""
        schema = await self._ground.schemas.get_for(self._principal, new.datasource_id)
        rule = defined(new)
        check(rule, kinds_of(schema))
        id_ = uuid4()
        most = self._ground.settings.max_rules
        values = {**self._scope, **_columns(rule), "id": id_, "no": schema.no, "most": most}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await self._check_webhooks(conn, rule)
                await lock(conn, schema.no)
                cursor = await conn.execute(self._sql["insert_rule"], values)
                row = await cursor.fetchone()
                if row is None:
                    raise Conflict(f"An organisation may have {most} alerts.")
                await enrol(conn, schema, row[0], rule, now_us())
                await record(conn, self._principal, "create", "alert", id_, new)
                await bump(conn, [schema.no])
            await announce(self._ground, [schema.no])
        return await self.get(id_)

    async def get(self, id_: UUID) -> AlertView:
        """Return a rule with its states. Raises NotFound."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = [await self._row(conn, id_)]
                states = await self._states(conn, rows)
        return (await self._views(rows, states))[0]

    async def page(
        self, datasource_id: UUID | None, limit: int, offset: int
    ) -> tuple[list[AlertView], int]:
        """Return some rules in the order of their creation, and how many there are."""
        values = {**self._scope, "datasource_id": datasource_id, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                total = await _number(conn, self._sql["count_rules"], values)
                rows = await (await conn.execute(self._sql["list_rules"], values)).fetchall()
                states = await self._states(conn, rows)
        return await self._views(rows, states), total

    async def patch(self, id_: UUID, patch: RulePatch) -> AlertView:
        """Change a rule; if it then asks something else, its alerts end. Raises as `create`."""
        with driver_errors():
            schema = await self._schema_of(id_)
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await lock(conn, schema.no)
                old = Rule.from_row((await self._row(conn, id_))[:RULE_COLUMNS])
                new = patched(old.definition, patch)
                check(new, kinds_of(schema))
                await self._check_webhooks(conn, new)
                anew = not new.asks_like(old.definition)
                if anew:
                    reason = RULE_CHANGED if new.is_active else RULE_DISABLED
                    await self._close(conn, old, reason, schema)
                    await enrol(conn, schema, old.rule_no, new, now_us())
                else:
                    renamed = msgspec.structs.replace(old, definition=new)
                    url = self._external_url
                    await rename_severity(conn, renamed, old, at_us=now_us(), external_url=url)
                values = {**_columns(new), "rule_no": old.rule_no, "anew": anew}
                await conn.execute(self._sql["update_rule"], values)
                await record(conn, self._principal, "update", "alert", id_, patch)
                await bump(conn, [schema.no])
            await announce(self._ground, [schema.no])
        return await self.get(id_)

    async def delete(self, id_: UUID) -> None:
        """End a rule's alerts and delete it; its history stays. Raises NotFound."""
        with driver_errors():
            schema = await self._schema_of(id_)
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await lock(conn, schema.no)
                rule = Rule.from_row((await self._row(conn, id_))[:RULE_COLUMNS])
                await self._close(conn, rule, RULE_DELETED, schema)
                await conn.execute(self._sql["delete_rule"], [rule.rule_no])
                await record(conn, self._principal, "delete", "alert", id_)
                await bump(conn, [schema.no])
            await announce(self._ground, [schema.no])

    async def _shown(self, no: int, key: str, value: float | None) -> Any:
        """Return a value as its key's kind; as stored where the datasource has just gone."""
        try:
            schema = await self._ground.schemas.get_no(no, self._principal)
        except NotFound:
            return value
        return shown_value(schema, key, value)

    async def _schema_of(self, id_: UUID) -> DatasourceSchema:
        """Return the schema of a rule's datasource, with no connection held while it loads."""
        async with self._ground.pool.bound(self._principal) as conn:
            rule = Rule.from_row((await self._row(conn, id_))[:RULE_COLUMNS])
        return await self._ground.schemas.get_no(rule.datasource_no, self._principal)

    async def _close(
        self, conn: AsyncConnection, rule: Rule, reason: str, schema: DatasourceSchema
    ) -> None:
        url = self._external_url
        await close(conn, [rule], reason, at_us=now_us(), external_url=url, schema=schema)

    async def _row(self, conn: AsyncConnection, id_: UUID) -> Row:
        cursor = await conn.execute(self._sql["get_rule"], {**self._scope, "id": id_})
        row = await cursor.fetchone()
        if row is None:
            raise NotFound(NO_ALERT)
        return row

    async def _check_webhooks(self, conn: AsyncConnection, rule: Definition) -> None:
        wanted = rule.spec.webhooks
        if not wanted:
            return
        values = [self._scope["org_id"], self._scope["environment"], wanted]
        cursor = await conn.execute(self._sql["known_webhooks"], values)
        known = {id_ for (id_,) in await cursor.fetchall()}
        unknown = [id_ for id_ in wanted if id_ not in known]
        if unknown:
            message = f"webhooks names {unknown[0]}, and there is no webhook with this id."
            raise Invalid(message, errors=[ItemError(message=message, key="webhooks")])

    async def _states(self, conn: AsyncConnection, rows: list[Row]) -> list[Row]:
        values = {"rules": [row[0] for row in rows], "most": MAX_STATES}
        return await (await conn.execute(self._sql["shown_states"], values)).fetchall()

    async def _views(self, rows: list[Row], found: list[Row]) -> list[AlertView]:
        views = []
        for row in rows:
            rule = Rule.from_row(row[:RULE_COLUMNS])
            schema = await self._ground.schemas.get_no(rule.datasource_no, self._principal)
            states = [
                DeviceState(
                    device=device,
                    state=state,
                    since=since,
                    value=await self._shown(rule.datasource_no, rule.definition.key, value),
                    severity=severity,
                    error=error,
                    acknowledged_at=people[0],
                    acknowledged_by=people[1],
                    silenced_until=people[2],
                )
                for rule_no, device, state, since, value, severity, error, *people in found
                if rule_no == rule.rule_no
            ]
            views.append(_view(rule, schema, states, row[RULE_COLUMNS:]))
        return views


def _view(
    rule: Rule, schema: DatasourceSchema, states: list[DeviceState], written: Row
) -> AlertView:
    definition = rule.definition
    created_at, updated_at, error = written
    unseen = [key for key in definition.keys if not _is_seen(schema, key)]
    return AlertView(
        id=rule.id,
        name=definition.name,
        datasource_id=rule.datasource_id,
        key=definition.key,
        device=definition.device,
        **msgspec.structs.asdict(definition.spec),
        is_active=definition.is_active,
        unseen=bool(unseen),
        unseen_keys=unseen,
        state=states[0].state if states else "normal",
        states=states,
        error=rule.fault or error,
        created_at=created_at,
        updated_at=updated_at,
    )


def _columns(rule: Definition) -> Mapping[str, Any]:
    return {
        "name": rule.name,
        "key": rule.key,
        "device": rule.device,
        "spec": msgspec.json.encode(rule.spec).decode(),
        "is_active": rule.is_active,
    }


def kinds_of(schema: DatasourceSchema) -> dict[str, str | None]:
    """Return the kinds of a datasource's keys."""
    return {name: key.kind for name, key in schema.keys.items()}


def _is_seen(schema: DatasourceSchema, key: str) -> bool:
    """Return whether a key has ever held a value: a key declared without a kind has not."""
    known = schema.keys.get(key)
    return known is not None and known.kind is not None


async def _number(conn: AsyncConnection, query: bytes, values: Mapping[str, Any]) -> int:
    row = await (await conn.execute(query, values)).fetchone()
    return 0 if row is None else int(row[0])
