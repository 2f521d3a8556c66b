"""HTTP: /v1/widgets and /v1/data."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response, Router, delete, get, patch, post
from litestar.datastructures import ResponseHeader
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body as BodyOf
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from twin.errors import TwinfeedError
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal
from widgets.answers import BarAnswer, DoubleAnswer, LineAnswer, SingleAnswer
from widgets.cache import Body, matches
from widgets.openapi import AdHocQuestion, SavedQuestion, SpecBody
from widgets.service import WidgetService
from widgets.spec import overridden, query_spec
from widgets.store import SavedWidget, WidgetStore

Ask = Request[Any, Any, Any]
Fields = Annotated[dict[str, Any], BodyOf(description="fields of a widget's spec")]
WidgetIds = Annotated[list[UUID], msgspec.Meta(max_length=100)]

_ANSWERS = {
    200: ResponseSpec(
        data_container=LineAnswer | BarAnswer | SingleAnswer | DoubleAnswer,
        description="the widget's data",
        generate_examples=False,
    )
}
_TAGGED = [ResponseHeader(name="Cache-Control", value="private, no-cache")]


class Widgets(msgspec.Struct, frozen=True, eq=False):
    """What the handlers stand on: one per worker."""

    store: WidgetStore
    service: WidgetService
    max_points: int


class Several(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Widgets to answer together."""

    ids: WidgetIds


@post("/v1/widgets", status_code=201, tags=["widgets"], operation_class=SpecBody)
async def create_widget(data: Fields, principal: Principal, widgets: Widgets) -> SavedWidget:
    """Save a widget."""
    principal.require("write")
    return (await widgets.store.create(principal, data)).shown()


@get("/v1/widgets", tags=["widgets"])
async def list_widgets(
    principal: Principal,
    widgets: Widgets,
    datasource_id: UUID | None = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[SavedWidget]:
    """List saved widgets, oldest first; `datasource_id`: only those of a datasource."""
    principal.require("read")
    return await widgets.store.page(principal, datasource_id, limit, offset)


@get("/v1/widgets/{widget_id:uuid}", tags=["widgets"])
async def read_widget(widget_id: UUID, principal: Principal, widgets: Widgets) -> SavedWidget:
    """Show a widget's spec."""
    principal.require("read")
    return (await widgets.store.get(principal, widget_id)).shown()


@patch("/v1/widgets/{widget_id:uuid}", tags=["widgets"], operation_class=SpecBody)
async def patch_widget(
    widget_id: UUID, data: Fields, principal: Principal, widgets: Widgets
) -> SavedWidget:
    """Replace fields of a widget's spec; null takes a field back to its default."""
    principal.require("write")
    return (await widgets.store.patch(principal, widget_id, data)).shown()


@delete("/v1/widgets/{widget_id:uuid}", tags=["widgets"])
async def delete_widget(widget_id: UUID, principal: Principal, widgets: Widgets) -> None:
    """Delete a widget; readings stay."""
    principal.require("write")
    await widgets.store.delete(principal, widget_id)


@get(
    "/v1/widgets/{widget_id:uuid}/data",
    tags=["widgets"],
    operation_class=SavedQuestion,
    responses=_ANSWERS,
    response_headers=_TAGGED,
)
async def widget_data(
    widget_id: UUID, request: Ask, principal: Principal, widgets: Widgets
) -> Response[bytes]:
    """Answer a saved widget's data; window, bucket and the like may be chosen for this answer."""
    principal.require("read")
    widget = await widgets.store.get(principal, widget_id)
    spec, at = overridden(widget.spec, request.query_params.multi_items(), widgets.max_points)
    return _respond(request, await widgets.service.body(spec, principal, at))


@get(
    "/v1/data/{widget_type:str}",
    tags=["widgets"],
    operation_class=AdHocQuestion,
    responses=_ANSWERS,
    response_headers=_TAGGED,
)
async def ad_hoc_data(
    widget_type: str,
    request: Ask,
    principal: Principal,
    widgets: Widgets,
) -> Response[bytes]:
    """Answer a widget's data without saving it; the query string holds the fields of the spec."""
    principal.require("read")
    pairs = request.query_params.multi_items()
    spec, at = query_spec(widget_type, pairs, widgets.max_points)
    return _respond(request, await widgets.service.body(spec, principal, at))


@post("/v1/widgets/data", status_code=200, tags=["widgets"])
async def several_data(
    data: Several, principal: Principal, widgets: Widgets
) -> dict[str, dict[str, msgspec.Raw]]:
    """Answer several saved widgets at once; one that cannot be answered holds its error instead."""
    principal.require("read")
    ids = list(dict.fromkeys(data.ids))
    found = await asyncio.gather(*(_one_of_several(id_, principal, widgets) for id_ in ids))
    return {"widgets": {str(id_): raw for id_, raw in zip(ids, found, strict=True)}}


async def _one_of_several(id_: UUID, principal: Principal, widgets: Widgets) -> msgspec.Raw:
    try:
        widget = await widgets.store.get(principal, id_)
        return msgspec.Raw((await widgets.service.body(widget.spec, principal, None)).content)
    except TwinfeedError as exc:
        error = {"error": exc.code, "message": exc.message, "status": exc.status}
        return msgspec.Raw(msgspec.json.encode(error))


def _respond(request: Ask, body: Body) -> Response[bytes]:
    headers = {"ETag": body.etag}
    if matches(request.headers.get("if-none-match"), body.etag):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body.content, media_type=MediaType.JSON, headers=headers)


def routes() -> list[Router]:
    """Return the handlers; they share one store and one service, made at the first request."""
    made: list[Widgets] = []

    async def provide(ground: Ground) -> Widgets:
        if not made:
            max_points = ground.settings.max_points
            made.append(Widgets(WidgetStore(ground), WidgetService(ground), max_points))
        return made[0]

    handlers = [
        create_widget,
        list_widgets,
        read_widget,
        patch_widget,
        delete_widget,
        widget_data,
        ad_hoc_data,
        several_data,
    ]
    return [Router(path="/", route_handlers=handlers, dependencies={"widgets": Provide(provide)})]
