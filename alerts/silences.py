"""Silences and acknowledgements: what people say to alerts.

A silence holds back what receivers would be told, for a while; an acknowledgement ends the repeats of
what it was given for. Neither changes what is judged or recorded.
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from msgspec import structs

from alerts.store import NO_ALERT
from alerts.views import Acknowledgement, NewSilence, SilenceView
from twin.audit import record
from twin.clock import now_us, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.principal import Principal

NO_SILENCE = "There is no silence with this id."
MAX_SILENCES = 1000
"""Of an organisation, not yet ended: every alert that is told is held against them."""
MAX_TEXT = 500
MAX_DEVICE = 1000


class SilenceStore:
    """The silences and acknowledgements of a principal's organisation and environment."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal."""
        self._ground = ground
        self._principal = principal
        self._sql = load("alerts", "silences")

    async def create(self, new: NewSilence) -> SilenceView:
        """Store a silence. Raises Invalid, NotFound (alert, datasource), Conflict (too many)."""
        _check(new, now_us())
        no = None
        if new.datasource_id is not None:
            no = (await self._ground.schemas.get_for(self._principal, new.datasource_id)).no
        values = {
            **self._principal.scope,
            **structs.asdict(new),
            "id": uuid4(),
            "datasource_no": no,
        }
        values |= {"created_by": self._principal.name, "most": MAX_SILENCES}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                if new.alert_id is not None:
                    await self._rule(conn, new.alert_id)
                if (await conn.execute(self._sql["insert_silence"], values)).rowcount == 0:
                    raise Conflict(f"An organisation may have {MAX_SILENCES} silences.")
                await record(conn, self._principal, "create", "silence", values["id"], new)
        return await self.get(values["id"])

    async def get(self, id_: UUID) -> SilenceView:
        """Return a silence. Raises NotFound."""
        found, _ = await self._list(id_, None, None, 1, 0)
        if not found:
            raise NotFound(NO_SILENCE)
        return found[0]

    async def page(
        self, alert_id: UUID | None, state: str | None, limit: int, offset: int
    ) -> tuple[list[SilenceView], int]:
        """Return silences, the one that ends last first, and how many there are."""
        return await self._list(None, alert_id, state, limit, offset)

    async def end(self, id_: UUID) -> None:
        """End a silence now; what it held back is told. Raises NotFound."""
        values = {**self._principal.scope, "id": id_}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                if (await conn.execute(self._sql["end_silence"], values)).rowcount == 0:
                    raise NotFound(NO_SILENCE)
                await record(conn, self._principal, "delete", "silence", id_)

    async def acknowledge(self, alert_id: UUID, given: Acknowledgement) -> None:
        """Say that somebody looks after what fires. Raises NotFound, Invalid, Conflict."""
        _check_text("by", given.by, MAX_TEXT)
        _check_text("device", given.device, MAX_DEVICE)
        values = {"device": given.device, "by": given.by or self._principal.name}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                values["rule_no"] = await self._rule(conn, alert_id)
                if (await conn.execute(self._sql["acknowledge"], values)).rowcount == 0:
                    raise Conflict("The alert does not fire: there is nothing to acknowledge.")
                await record(conn, self._principal, "acknowledge", "alert", alert_id, given)

    async def _list(
        self, id_: UUID | None, alert_id: UUID | None, state: str | None, limit: int, offset: int
    ) -> tuple[list[SilenceView], int]:
        values = {**self._principal.scope, "id": id_, "alert_id": alert_id, "state": state}
        values |= {"limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                cursor = await conn.execute(self._sql["count_silences"], values)
                (total,) = await cursor.fetchone() or (0,)
                rows = await (await conn.execute(self._sql["list_silences"], values)).fetchall()
        fields = SilenceView.__struct_fields__
        return [SilenceView(**dict(zip(fields, row, strict=True))) for row in rows], total

    async def _rule(self, conn: AsyncConnection, alert_id: UUID) -> Any:
        values = {**self._principal.scope, "alert_id": alert_id}
        row = await (await conn.execute(self._sql["find_rule"], values)).fetchone()
        if row is None:
            raise NotFound(NO_ALERT)
        return row[0]


def _check(new: NewSilence, at_us: int) -> None:
    """Raise Invalid naming the field that is wrong."""
    if new.alert_id is None and new.datasource_id is None and new.device is None:
        raise _invalid("alert_id", "A silence needs an alert_id, a datasource_id or a device.")
    _check_text("comment", new.comment, MAX_TEXT)
    _check_text("device", new.device, MAX_DEVICE)
    until_us = _moment("until", new.until)
    if until_us <= at_us:
        raise _invalid("until", "until must be in the future.")
    if new.starts_at is not None and _moment("starts_at", new.starts_at) >= until_us:
        raise _invalid("starts_at", "starts_at must be before until.")


def _moment(field: str, moment: datetime) -> int:
    if moment.tzinfo is None:
        raise _invalid(field, f"{field} must name its offset, as in 2026-11-20T12:00:00Z.")
    return to_us(moment)


def _check_text(field: str, text: str | None, most: int) -> None:
    if text is not None and (len(text) > most or "\x00" in text):
        raise _invalid(field, f"{field} must be at most {most} characters, none NUL.")


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, errors=[ItemError(message=message, key=field)])
