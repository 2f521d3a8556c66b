"""HTTP: /v1/grafana, as the plugin simpod-json-datasource calls it; its `/variable` and the others POST.

Protocol: README of simPod/GrafanaJsonDatasource, 0.6 and 0.7.
"""

import asyncio
from typing import Any

import msgspec
from litestar import Router, get, post
from litestar.di import Provide

from twin.auth import READS
from twin.errors import Invalid, ItemError
from twin.ground import Ground
from twin.principal import Principal
from widgets.grafana.answer import (
    DEVICE,
    MAX_TARGETS,
    check_filters,
    is_kept,
    payload_of,
    points,
    shown,
)
from widgets.grafana.catalog import Catalog, invalid
from widgets.grafana.model import (
    Choice,
    Filter,
    Metric,
    MetricQuery,
    Option,
    Query,
    Series,
    Table,
    Tag,
    TagQuery,
    TagValue,
    Target,
    VariableQuery,
)
from widgets.service import WidgetService
from widgets.spec import query_spec

_OPTIONS: dict[str, Any] = {"status_code": 200, "tags": ["grafana"], "opt": {READS: True}}


class Source(msgspec.Struct, frozen=True, eq=False):
    """What the handlers stand on: one per worker."""

    ground: Ground
    service: WidgetService


@get("/", tags=["grafana"])
async def test_connection(principal: Principal) -> dict[str, str]:
    """Answer that the source can be read with this key."""
    principal.require("read")
    return {"status": "ok"}


@post("/metrics", **_OPTIONS)
async def metrics(principal: Principal, source: Source) -> list[Metric]:
    """List what can be shown: the keys of all datasources."""
    principal.require("read")
    return await Catalog(source.ground, principal).metrics()


@post("/metric-payload-options", **_OPTIONS)
async def metric_payload_options(
    data: MetricQuery, principal: Principal, source: Source
) -> list[Option]:
    """List what may be chosen of a metric."""
    principal.require("read")
    return await Catalog(source.ground, principal).options(data.metric or "", data.name or "")


@post("/query", **_OPTIONS)
async def query(data: Query, principal: Principal, source: Source) -> list[Series | Table]:
    """Answer a panel: series of at most maxDataPoints points, tables of texts."""
    principal.require("read")
    check_filters(data.adhoc_filters)
    targets = [target for target in data.targets if target.target and not target.hide]
    if len(targets) > MAX_TARGETS:
        raise invalid("targets", f"may be at most {MAX_TARGETS}")
    most = points(data, source.ground.settings.max_points)
    found = await asyncio.gather(
        *(_answer(source, principal, data, target, most) for target in targets)
    )
    return [item for items in found for item in items]


@post("/variable", **_OPTIONS)
async def variable(data: VariableQuery, principal: Principal, source: Source) -> list[Choice]:
    """List the values of a dashboard variable."""
    principal.require("read")
    asked = data.payload.get("target") if isinstance(data.payload, dict) else data.payload
    return await Catalog(source.ground, principal).choices(str(asked or ""))


@post("/tag-keys", **_OPTIONS)
async def tag_keys(principal: Principal) -> list[Tag]:
    """List what ad hoc filters can filter by."""
    principal.require("read")
    return [Tag(DEVICE)]


@post("/tag-values", **_OPTIONS)
async def tag_values(data: TagQuery, principal: Principal, source: Source) -> list[TagValue]:
    """List the values of a tag."""
    principal.require("read")
    if data.key != DEVICE:
        problem = f"must be {DEVICE}"
        raise Invalid(f"key {problem}.", errors=[ItemError(key="key", message=problem)])
    return [TagValue(device) for device in await Catalog(source.ground, principal).devices()]


async def _answer(
    source: Source, principal: Principal, asked: Query, target: Target, most: int
) -> list[Series | Table]:
    """Return what one target shows."""
    schema, key = await Catalog(source.ground, principal).find(
        "targets.target", target.target or ""
    )
    fields = payload_of(target)
    filters = asked.adhoc_filters
    device = fields.get("device") or _only(filters)
    if device is not None:
        if not is_kept(device, filters) or device not in schema.devices:
            return []  # a filter of the whole dashboard, which other panels may go with
        fields["device"] = device
    elif filters:
        fields["group_by"] = "device"
    fields = {"fill": "null", **fields}
    given = {"datasource_id": str(schema.id), "key": key, "points": str(most)}
    given |= {"from": asked.range.from_, "to": asked.range.to}
    spec, at = query_spec("line", (given | fields).items(), source.ground.settings.max_points)
    body = await source.service.body(spec, principal, at)
    return shown(msgspec.json.decode(body.content), key, target, filters)


def _only(filters: list[Filter]) -> str | None:
    """Return the device that an equality names."""
    return next((item.value for item in filters if item.operator == "="), None)


def routes() -> list[Router]:
    """Return the handlers; they share one service, made at the first request."""
    made: list[Source] = []

    async def provide(ground: Ground) -> Source:
        if not made:
            made.append(Source(ground, WidgetService(ground)))
        return made[0]

    handlers = [
        test_connection,
        metrics,
        metric_payload_options,
        query,
        variable,
        tag_keys,
        tag_values,
    ]
    provided = {"source": Provide(provide)}
    return [Router(path="/v1/grafana", route_handlers=handlers, dependencies=provided)]
