"""Which alert a widget shows. Asked again only when the datasource's alerts have moved."""

import msgspec

from twin.clock import to_datetime, to_rfc3339, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncPool
from twin.db.queries import load
from widgets.answers import ShownAlert

MAX_KEPT = 10_000
"""Remembered answers per worker; past it they are forgotten together."""


class Wearer(msgspec.Struct, frozen=True):
    """What an alert must be about to be shown: a datasource's keys, and a device or any."""

    org_id: int
    datasource_no: int
    keys: tuple[str, ...]
    device: str | None


class ShownAlerts:
    """Finds the alert of a wearer."""

    def __init__(self, pool: AsyncPool) -> None:
        """Read through `pool`."""
        self._pool = pool
        self._sql = load("widgets", "data")
        self._kept: dict[Wearer, tuple[object, ShownAlert | None]] = {}

    async def now(self, wearer: Wearer, version: object | None) -> ShownAlert | None:
        """Return the alert as of now; `version` is that of the alerts, None to ask in any case."""
        kept = self._kept.get(wearer)
        if version is not None and kept is not None and kept[0] == version:
            return kept[1]
        alert = await self._find("shown_alert", wearer, None)
        if version is not None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[wearer] = (version, alert)
        return alert

    async def at(self, wearer: Wearer, at_us: int) -> ShownAlert | None:
        """Return the alert as it was at a moment, as far as it is known today."""
        return await self._find("shown_alert_at", wearer, at_us)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    async def _find(self, query: str, wearer: Wearer, at_us: int | None) -> ShownAlert | None:
        params = {
            "no": wearer.datasource_no,
            "keys": list(wearer.keys),
            "device": wearer.device,
            "at": None if at_us is None else to_datetime(at_us),
        }
        with driver_errors():
            async with self._pool.bound(wearer) as conn:
                row = await (await conn.execute(self._sql[query], params)).fetchone()
        if row is None:
            return None
        severity, name, widget_color, material_color, icon, since = row
        since_text = to_rfc3339(to_us(since))
        return ShownAlert(severity, name, widget_color, material_color, icon, since_text)
