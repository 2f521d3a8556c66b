"""A real Alertmanager takes what we push, groups it, silences it and hears of its end."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.alertmanager import PROGRAMS, Alertmanager, run_alertmanager
from support.plant import Plant
from support.receiver import receiver
from support.telling import COOL, HOT, add_webhook, delivering, on_plant, settled

from alerts import delivery

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason="needs Debian's package prometheus-alertmanager"
)


async def until(alertmanager: Alertmanager, holds: Callable[[list[dict[str, str]]], bool]) -> None:
    """Wait until amtool finds alerts that are as they should be."""
    async with asyncio.timeout(20):
        while not holds(await asyncio.to_thread(alertmanager.alerts, 'alertname="too hot"')):
            await asyncio.sleep(0.1)


def states(found: list[dict[str, str]]) -> dict[str, str]:
    return {one["labels"]["device"]: one["status"]["state"] for one in found}  # type: ignore[index]


def severities(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    labels = [one["labels"] for one in found]
    return sorted((one["device"], one["severity"]) for one in labels)  # type: ignore[index]


def test_a_real_alertmanager(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_S", 0.05)

    async def check(plant: Plant) -> None:
        async with receiver() as desk:
            with run_alertmanager(tmp_path, desk.url) as alertmanager:
                await play(plant, alertmanager)
                async with asyncio.timeout(20):
                    while not any(
                        a["status"] == "resolved" and a["labels"]["device"] == "a"
                        for r in desk.received
                        for a in r.json["alerts"]
                    ):
                        await asyncio.sleep(0.1)
                told = {a["labels"]["device"] for r in desk.received for a in r.json["alerts"]}
                assert told == {"a", "b"}

    async def play(plant: Plant, alertmanager: Alertmanager) -> None:
        async with delivering(plant):
            hook = await add_webhook(
                plant, alertmanager.url, type="alertmanager", group_by=[], repeat_seconds=1
            )
            steps = [{"threshold": 95, "severity": "critical"}]
            fields = {"severity": "warning", "escalation": steps, "webhooks": [str(hook)]}
            await plant.add_rule("greater_than", 80, **fields)
            await plant.send(("a", 1, HOT), ("b", 1, HOT))
            await until(alertmanager, lambda found: states(found) == {"a": "active", "b": "active"})
            (one, _) = sorted(alertmanager.alerts(), key=lambda found: found["labels"]["device"])
            assert one["labels"]["severity"] == "warning"
            assert one["annotations"]["summary"] == "too hot: temperature of a is 90"
            # It is told again before its time runs out.
            await until(
                alertmanager,
                lambda found: min(f["endsAt"] for f in found) > one["endsAt"],
            )
            await plant.send(("a", 1.5, {"temperature": 96.0}))
            await until(
                alertmanager,
                lambda found: severities(found) == [("a", "critical"), ("b", "warning")],
            )
            await asyncio.to_thread(
                alertmanager.amtool, "silence", "add", "-c", "test", "-d", "1h", 'device="b"'
            )
            await until(
                alertmanager, lambda found: states(found) == {"a": "active", "b": "suppressed"}
            )
            await plant.send(("a", 2, COOL))
            await until(alertmanager, lambda found: states(found) == {"b": "suppressed"})
            await plant.send(("b", 2, COOL))
            await until(alertmanager, lambda found: found == [])
            assert {row[:1] for row in await settled(plant)} == {("delivered",)}

    on_plant(database_url, check, webhook_timeout_s=5.0)
