"""Saved widgets: whose they are, and that no worker keeps an old copy."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.widgets.lab import Lab, open_lab
from twin.errors import Conflict, Invalid, NotFound
from twin.principal import Principal
from twin.schema import DatasourceSchema
from widgets.store import WidgetStore


def with_store(
    database_url: str, scenario: Callable[[Lab, DatasourceSchema, WidgetStore], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with open_lab(database_url) as lab:
            schema = await lab.datasource({"rpm": "number"})
            await scenario(lab, schema, WidgetStore(lab.ground))

    asyncio.run(run())


def line(schema: DatasourceSchema, **fields: Any) -> dict[str, Any]:
    given = {"type": "line", "title": "Speed", "datasource_id": str(schema.id), "key": "rpm"}
    return given | fields


def test_a_widget_lives_and_goes(database_url: str) -> None:
    async def scenario(lab: Lab, schema: DatasourceSchema, store: WidgetStore) -> None:
        made = await store.create(lab.principal, line(schema, range="1h"))
        assert await store.get(lab.principal, made.id) == made
        changed = await store.patch(lab.principal, made.id, {"title": "New", "range": None})
        assert (changed.spec.title, changed.spec.range, changed.spec.key) == ("New", None, "rpm")
        assert await store.get(lab.principal, made.id) == changed
        page = await store.page(lab.principal, schema.id, 20, 0)
        assert [page.items, page.total] == [[changed.shown()], 1]
        assert (await store.page(lab.principal, uuid4(), 20, 0)).total == 0
        await store.delete(lab.principal, made.id)
        for act in (store.get, store.delete):
            with pytest.raises(NotFound):
                await act(lab.principal, made.id)

    with_store(database_url, scenario)


def test_a_patch_that_is_not_valid_changes_nothing(database_url: str) -> None:
    async def scenario(lab: Lab, schema: DatasourceSchema, store: WidgetStore) -> None:
        made = await store.create(lab.principal, line(schema))
        for fields in ({"agg": "mean"}, {"title": None}, {"id": str(uuid4())}, {"key": None}):
            with pytest.raises(Invalid):
                await store.patch(lab.principal, made.id, fields)
        with pytest.raises(NotFound):
            await store.patch(lab.principal, made.id, {"datasource_id": str(uuid4())})
        assert await store.get(lab.principal, made.id) == made

    with_store(database_url, scenario)


def test_others_see_nothing(database_url: str) -> None:
    async def scenario(lab: Lab, schema: DatasourceSchema, store: WidgetStore) -> None:
        made = await store.create(lab.principal, line(schema))
        for other in ({"environment": "test"}, {"org_id": lab.principal.org_id + 1}):
            principal = msgspec.structs.replace(lab.principal, **other)
            with pytest.raises(NotFound):
                await store.get(principal, made.id)
            with pytest.raises(NotFound):
                await store.patch(principal, made.id, {"title": "Mine"})
            with pytest.raises(NotFound):
                await store.delete(principal, made.id)
            with pytest.raises(NotFound):
                await store.create(principal, line(schema))
            assert (await store.page(principal, None, 20, 0)).total == 0

    with_store(database_url, scenario)


def test_the_number_of_widgets_is_bounded(database_url: str) -> None:
    async def scenario(lab: Lab, schema: DatasourceSchema, store: WidgetStore) -> None:
        settings = msgspec.structs.replace(lab.ground.settings, max_widgets=2)
        store = WidgetStore(msgspec.structs.replace(lab.ground, settings=settings))
        for _ in range(2):
            await store.create(lab.principal, line(schema))
        with pytest.raises(Conflict, match="at most 2"):
            await store.create(lab.principal, line(schema))

    with_store(database_url, scenario)


def test_a_copy_is_kept_until_another_worker_changes_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        versions = tmp_path / "versions"
        async with (
            open_lab(database_url, versions) as lab,
            open_lab(database_url, versions) as other,
        ):
            schema = await lab.datasource({"rpm": "number"})
            here, there = WidgetStore(lab.ground), WidgetStore(other.ground)
            made = await here.create(lab.principal, line(schema))
            assert await there.get(lab.principal, made.id) == made

            read = []
            find = WidgetStore._find

            async def counted(self: WidgetStore, principal: Principal, id_: UUID) -> Any:
                read.append(id_)
                return await find(self, principal, id_)

            monkeypatch.setattr(WidgetStore, "_find", counted)
            assert await there.get(lab.principal, made.id) == made
            assert read == []
            changed = await here.patch(lab.principal, made.id, {"title": "New"})
            assert await there.get(lab.principal, made.id) == changed
            assert read != []
            await here.delete(lab.principal, made.id)
            with pytest.raises(NotFound):
                await there.get(lab.principal, made.id)

    asyncio.run(run())


def test_a_copy_goes_with_a_notification_from_another_host(database_url: str) -> None:
    async def run() -> None:
        async with open_lab(database_url) as lab, open_lab(database_url) as other:
            schema = await lab.datasource({"rpm": "number"})
            here, there = WidgetStore(lab.ground), WidgetStore(other.ground)
            made = await here.create(lab.principal, line(schema))
            told = asyncio.Event()
            other.ground.notifier.subscribe("widgets", lambda _payload: told.set())
            assert await there.get(lab.principal, made.id) == made
            changed = await here.patch(lab.principal, made.id, {"title": "New"})
            await asyncio.wait_for(told.wait(), 5)
            assert await there.get(lab.principal, made.id) == changed

    asyncio.run(run())
