"""Answers a widget's data: from the cache when nothing it depends on has moved, else by asking.

Invariant: versions are read before the data they stand for, so an answer may be newer than its
cache key but never older. While notifications are lost, changes on other hosts could go unseen:
every question then goes to the database.
"""

import asyncio
from collections.abc import Hashable
from zoneinfo import ZoneInfo

import msgspec

from twin.clock import now_us
from twin.errors import Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.moments import MAX_US, parse_moment
from twin.principal import Principal
from twin.schema import DatasourceSchema
from widgets import bars, series, values
from widgets.answers import Answer, SingleAnswer
from widgets.cache import NEVER_US, AnswerCache, Body, Entry, body_of
from widgets.forms import JSON, Form
from widgets.run import Reader
from widgets.shown_alert import ShownAlerts, Wearer
from widgets.spec import WidgetSpec, zone_of
from widgets.steady import SteadyWindows
from widgets.subject import check_device, find_key, find_subject
from widgets.window import Extent, is_windowed, lay_out, resolve


class Asked(msgspec.Struct, frozen=True):
    """One question, with everything that its answer depends on but the data."""

    spec: WidgetSpec
    schema: DatasourceSchema
    extent: Extent | None
    now_us: int
    at_us: int | None
    zone: ZoneInfo
    form: Form


class Shown(msgspec.Struct, frozen=True):
    """An answer, and what it holds for: versions of its datasource, and a time."""

    body: Body
    datasource_no: int
    versions: tuple[int, ...] | None = None
    until_us: int = 0

    @property
    def size_bytes(self) -> int:
        """What it takes to remember it."""
        return len(self.body.content)


class WidgetService:
    """Widget answers of one worker."""

    def __init__(self, ground: Ground) -> None:
        """Stand on `ground`."""
        self._ground = ground
        self._cache = AnswerCache()
        self._alerts = ShownAlerts(ground.pool)
        self._reader = Reader(ground.pool, ground.settings.max_raw_rows)
        self._encoder = msgspec.json.Encoder()
        self._steady = SteadyWindows(ground.settings.max_points)
        ground.notifier.on_lost(self._cache.clear)
        ground.notifier.on_lost(self._reader.forget)
        ground.notifier.on_lost(self._alerts.clear)

    async def body(
        self, spec: WidgetSpec, principal: Principal, at: str | None, form: Form = JSON
    ) -> Body:
        """Return the encoded answer to a spec and its tag; each form has its own.

        `at`: text of the moment that stands for now. Raises NotFound for a datasource that is gone
        or another's, Invalid for what the datasource or the bounds do not allow.
        """
        return (await self.shown(spec, principal, at, form)).body

    async def shown(
        self, spec: WidgetSpec, principal: Principal, at: str | None, form: Form = JSON
    ) -> Shown:
        """Return the answer as `body` does, with what tells whether it still is the answer."""
        schema = await self._schema(spec, principal)
        asked = self._asked(spec, schema, at, form)
        seen_us = asked.now_us if asked.at_us is None else asked.at_us
        if not self._ground.notifier.connected:
            return Shown((await self._entry(asked, None)).body(seen_us), schema.no)
        versions = self._versions(schema.no)
        coded = self._encoder.encode(spec)
        key = self._key(asked, coded, versions)
        entry = await self._cache.get(key, lambda: self._entry(asked, versions))
        until_us = NEVER_US
        if at is None:
            moves_us = self._steady.until(asked.extent, spec, coded, asked.zone, asked.now_us)
            until_us = min(moves_us, entry.turns(seen_us))
        return Shown(entry.body(seen_us), schema.no, versions, until_us)

    def still_shows(self, shown: Shown) -> bool:
        """Return whether asking again would give the same answer. Costs no query and no await."""
        return (
            now_us() < shown.until_us
            and self._ground.notifier.connected
            and self._versions(shown.datasource_no) == shown.versions
        )

    async def _schema(self, spec: WidgetSpec, principal: Principal) -> DatasourceSchema:
        try:
            return await self._ground.schemas.get_for(principal, spec.datasource_id)
        except NotFound:
            raise NotFound(
                f"The widget's datasource {spec.datasource_id} does not exist (any more)."
            ) from None

    def _asked(
        self, spec: WidgetSpec, schema: DatasourceSchema, at: str | None, form: Form
    ) -> Asked:
        zone = zone_of(spec.timezone or schema.timezone)
        now, at_us = now_us(), None if at is None else _at(at, zone)
        extent = None
        if is_windowed(spec):
            extent = resolve(spec, zone, now, at_us, self._ground.settings.max_points)
        return Asked(spec, schema, extent, now, at_us, zone, form)

    def _versions(self, no: int) -> tuple[int, ...]:
        cells = self._ground.versions
        return (
            cells.epoch,
            cells.read("data", no),
            cells.read("schema", no),
            cells.read("alerts", no),
        )

    @staticmethod
    def _key(asked: Asked, coded: bytes, versions: tuple[int, ...]) -> Hashable:
        extent = asked.extent.key if asked.extent is not None else None
        return (coded, asked.schema.no, versions, extent, asked.at_us, asked.form)

    async def _entry(self, asked: Asked, versions: tuple[int, ...] | None) -> Entry:
        org_id, no = asked.schema.org_id, asked.schema.no
        wearer = Wearer(org_id, no, tuple(asked.spec.keys), asked.spec.device)
        answer, stale_us = await self._answer(asked)
        if asked.at_us is not None:
            alert = await self._alerts.at(wearer, asked.at_us)
        else:
            version = None if versions is None else (versions[0], versions[3])
            alert = await self._alerts.now(wearer, version)
        answer = msgspec.structs.replace(answer, alert=alert)
        fresh = await _encoded(asked, answer)
        if not isinstance(answer, SingleAnswer):
            return Entry(fresh)
        stale = msgspec.structs.replace(answer, stale=True)
        return Entry(fresh, await _encoded(asked, stale), stale_us)

    async def _answer(self, asked: Asked) -> tuple[Answer, int]:
        """Return the answer without its alert, and from when on (µs) it is stale."""
        spec, schema = asked.spec, asked.schema
        window = None if asked.extent is None else lay_out(asked.extent)
        reader, max_bars = self._reader, self._ground.settings.max_points
        check_device(schema, spec.device)
        by_label = spec.group_by == "label"
        field_names = ("primary_key", "secondary_key") if spec.type == "double" else ("key",) * 20
        agg = spec.agg or ("count" if by_label else None)
        subjects = [
            find_subject(schema, field, name, agg)
            for field, name in zip(field_names, spec.keys, strict=False)
        ]
        titled = spec
        if not spec.title:
            key = find_key(schema, "key", spec.keys[0])
            titled = msgspec.structs.replace(spec, title=key.label or key.key)
        moment = values.Moment(asked.now_us)
        if asked.at_us is not None:
            moment = values.Moment(asked.at_us, min(asked.at_us + 1, MAX_US))
        if spec.type == "single":
            return await values.single(titled, subjects[0], window, moment, reader)
        if spec.type == "double":
            pair = (subjects[0], subjects[1])
            return await values.double(titled, pair, window, moment, reader), NEVER_US
        assert window is not None
        if spec.type == "line":
            return await series.line(titled, subjects, window, reader, max_bars), NEVER_US
        if by_label:
            return await bars.label_bar(titled, subjects[0], window, reader, max_bars), NEVER_US
        if spec.group_by == "device":
            answer = await bars.device_bar(titled, subjects, window, reader, max_bars)
            return answer, NEVER_US
        return await series.time_bar(titled, subjects, window, reader), NEVER_US


async def _encoded(asked: Asked, answer: Answer) -> Body:
    given = (answer, asked.spec, asked.zone)
    if asked.form is JSON:  # quick; other forms may take some milliseconds
        return body_of(JSON.encode(*given))
    return body_of(await asyncio.to_thread(asked.form.encode, *given))


def _at(text: str, zone: ZoneInfo) -> int:
    try:
        return parse_moment(text, zone)
    except ValueError as exc:
        raise Invalid(f"at {exc}.", errors=[ItemError(key="at", message=f"at {exc}")]) from None
