"""The alert that a widget shows: out of what fires in its datasource, or asked for by itself."""

import asyncio
from itertools import product

import psycopg
import pytest
from support.plant import open_plant

from twin.db.pool import conninfo
from twin.errors import InternalError
from widgets import shown_alert
from widgets.shown_alert import ShownAlerts, Wearer

DEVICES = ["a", "b", "c", "d"]
KEYS = [("temperature",), ("pressure",), ("pressure", "temperature"), ("level",)]


@pytest.mark.parametrize("most", [100, 4, 1])
def test_what_fires_in_a_datasource_tells_the_alert_of_each_widget(
    database_url: str, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(shown_alert, "MAX_FIRING", most)

    async def check() -> None:
        async with open_plant(database_url) as plant:
            await plant.add_rule("greater_than", 80, name="hot", severity="warning")
            await plant.add_rule("greater_than", 90, name="hotter")
            await plant.add_rule("greater_than", 5, name="tight", key="pressure", severity="info")
            warm = {"temperature": 85.0, "pressure": 1.0}
            await plant.send(("a", 3, warm), ("b", 2, warm), ("c", 1, warm | {"pressure": 9.0}))
            await plant.send(
                ("b", 4, {"temperature": 95.0, "pressure": 1.0}), ("d", 4, {"level": 1})
            )
            alerts = ShownAlerts(plant.ground.pool)
            wearers = [
                Wearer(plant.schema.org_id, plant.schema.no, keys, device)
                for keys, device in product(KEYS, [None, *DEVICES])
            ]
            shown = await asyncio.gather(*(alerts.now(wearer, 1) for wearer in wearers))
            assert shown == [await alerts.now(wearer, None) for wearer in wearers]
            assert [alert and alert.name for alert in shown] == [
                *("hotter", "hot", "hotter", "hot", None),
                *("tight", None, None, "tight", None),
                *("hotter", "hot", "hotter", "hot", None),
                *(None, None, None, None, None),
            ]

    asyncio.run(check())


def test_a_question_that_failed_is_asked_again(database_url: str) -> None:
    async def check() -> None:
        async with open_plant(database_url) as plant:
            await plant.add_rule("greater_than", 80, name="hot")
            await plant.send(("a", 1, {"temperature": 85.0}))
            wearer = Wearer(plant.schema.org_id, plant.schema.no, ("temperature",), None)
            alerts = ShownAlerts(plant.ground.pool)
            with psycopg.connect(conninfo(database_url), autocommit=True) as owner:
                owner.execute("ALTER TABLE alert_states RENAME TO away")
                with pytest.raises(InternalError):
                    await alerts.now(wearer, 1)
                owner.execute("ALTER TABLE away RENAME TO alert_states")
            alert = await alerts.now(wearer, 1)
            assert alert is not None
            assert alert.name == "hot"

    asyncio.run(check())
