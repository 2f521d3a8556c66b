"""Which alert a widget shows. Asked again only when the datasource's alerts have moved."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from twin.clock import to_datetime, to_rfc3339, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncPool
from twin.db.queries import load
from widgets.answers import ShownAlert

MAX_FIRING = 100
"""Alerts of a datasource that are looked through for each widget."""
MAX_DATASOURCES = 1_000
MAX_KEPT = 10_000
"""Remembered answers per worker; past it they are forgotten together."""


class Wearer(msgspec.Struct, frozen=True):
    """What an alert must be about to be shown: a datasource's keys, and a device or any."""

    org_id: int
    datasource_no: int
    keys: tuple[str, ...]
    device: str | None


class Firing(msgspec.Struct, frozen=True):
    """What fires in a datasource, first to be shown first: key, device and alert; None: too much."""

    alerts: tuple[tuple[str, str, ShownAlert], ...] | None

    def of(self, wearer: Wearer) -> ShownAlert | None:
        """Return the alert that a wearer shows."""
        for key, device, alert in self.alerts or ():
            if key in wearer.keys and wearer.device in (None, device):
                return alert
        return None


class ShownAlerts:
    """Finds the alert of a wearer."""

    def __init__(self, pool: AsyncPool) -> None:
        """Read through `pool`."""
        self._pool = pool
        self._sql = load("widgets", "data")
        self._firing: dict[int, tuple[object, asyncio.Task[Firing]]] = {}
        self._kept: dict[Wearer, tuple[object, ShownAlert | None]] = {}

    async def now(self, wearer: Wearer, version: object | None) -> ShownAlert | None:
        """Return the alert as of now; `version` is that of the alerts, None to ask in any case.

        One question for all wearers of a datasource, unless so much fires that each asks for itself.
        """
        if version is None:
            return await self._find("shown_alert", wearer, None)
        firing = await self._all(wearer, version)
        if firing.alerts is not None:
            return firing.of(wearer)
        kept = self._kept.get(wearer)
        if kept is not None and kept[0] == version:
            return kept[1]
        alert = await self._find("shown_alert", wearer, None)
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[wearer] = (version, alert)
        return alert

    async def at(self, wearer: Wearer, at_us: int) -> ShownAlert | None:
        """Return the alert as it was at a moment, as far as it is known today."""
        return await self._find("shown_alert_at", wearer, at_us)

    def clear(self) -> None:
        """Forget everything."""
        self._firing.clear()
        self._kept.clear()

    async def _all(self, wearer: Wearer, version: object) -> Firing:
        """Return what fires; who asks at the same time waits for the same answer."""
        no = wearer.datasource_no
        asked = self._firing.get(no)
        if asked is None or asked[0] != version or _has_failed(asked[1]):
            if len(self._firing) >= MAX_DATASOURCES:
                self._firing.clear()
            task = asyncio.ensure_future(self._find_all(wearer))
            task.add_done_callback(_has_failed)  # looked at, also when every reader has gone away
            asked = self._firing[no] = version, task
        return await asyncio.shield(asked[1])

    async def _find_all(self, wearer: Wearer) -> Firing:
        params = {"no": wearer.datasource_no, "most": MAX_FIRING + 1}
        with driver_errors():
            async with self._pool.bound(wearer) as conn:
                rows = await (await conn.execute(self._sql["firing_alerts"], params)).fetchall()
        if len(rows) > MAX_FIRING:
            return Firing(None)
        return Firing(tuple((key, device, _shown(row)) for key, device, *row in rows))

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
        return None if row is None else _shown(row)


def _shown(row: Sequence[Any]) -> ShownAlert:
    severity, name, widget_color, material_color, icon, since = row
    since_text = to_rfc3339(to_us(since))
    return ShownAlert(severity, name, widget_color, material_color, icon, since_text)


def _has_failed(task: asyncio.Task[Firing]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
