"""HTTP: /v1/widgets and /v1/data."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body as BodyOf
from litestar.params import Parameter
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from twin.auth import SESSION_COOKIE, found_again
from twin.errors import TwinfeedError
from twin.etags import matches
from twin.ground import Ground
from twin.http_errors import from_any
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal
from widgets.cache import Body
from widgets.data_document import TAGGED
from widgets.events import tags_of
from widgets.forms import Form
from widgets.live import Caller, Watcher, error_body
from widgets.openapi import SavedPicture, SpecBody
from widgets.picture.form import Picture, picture_of
from widgets.service import WidgetService
from widgets.spec import overridden
from widgets.store import SavedWidget, WidgetStore
from widgets.stream import EventStream, stream_ids

Ask = Request[Any, Any, Any]
Fields = Annotated[dict[str, Any], BodyOf(description="fields of a widget's spec")]
WidgetIds = Annotated[list[UUID], msgspec.Meta(max_length=100)]

CREDENTIALS = ("authorization", "x-api-key", "x-app-token")
"""Headers that say who asks; equal ones are looked up together."""


class Widgets:
    """What the handlers stand on: one per worker."""

    def __init__(self, ground: Ground) -> None:
        """Stand on `ground`."""
        self.ground = ground
        self.store = WidgetStore(ground)
        self.service = WidgetService(ground)
        self.watcher = Watcher(ground, self.store, self.service)
        self.max_points = ground.settings.max_points


class Several(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Widgets to answer together."""

    ids: WidgetIds
    etags: Annotated[dict[UUID, str], msgspec.Meta(max_length=100)] = {}
    at: str | None = None


class Together(msgspec.Struct, frozen=True):
    """The data of several widgets that the asker does not have yet, and the tags of all."""

    widgets: dict[UUID, msgspec.Raw]
    etags: dict[UUID, str]


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
    "/v1/widgets/{widget_id:uuid}/image.svg",
    tags=["widgets"],
    operation_class=SavedPicture,
    responses={
        200: ResponseSpec(
            data_container=str,
            description="the picture",
            media_type=Picture.media_type,
            generate_examples=False,
        )
    },
    response_headers=TAGGED[:1],
)
async def widget_image(
    widget_id: UUID, request: Ask, principal: Principal, widgets: Widgets
) -> Response[bytes]:
    """Draw a saved widget as SVG; the data may be chosen as for its data."""
    principal.require("read")
    widget = await widgets.store.get(principal, widget_id)
    picture, pairs = picture_of(request.query_params.multi_items())
    spec, at = overridden(widget.spec, pairs, widgets.max_points)
    return _respond(request, await widgets.service.body(spec, principal, at, picture), picture)


@post("/v1/widgets/data", status_code=200, tags=["widgets"])
async def several_data(data: Several, principal: Principal, widgets: Widgets) -> Together:
    """Answer several saved widgets at once; one that cannot be answered holds its error instead.

    Widgets whose tag in `etags` is that of the answer are left out of `widgets`. `at` answers as if
    now were that time.
    """
    if principal.scene_id is None:
        principal.require("read")
    ids = list(dict.fromkeys(data.ids))
    found = await asyncio.gather(
        *(_one_of_several(id_, principal, widgets, data.at) for id_ in ids)
    )
    bodies = dict(zip(ids, found, strict=True))
    return Together(
        {i: msgspec.Raw(b.content) for i, b in bodies.items() if data.etags.get(i) != b.etag},
        {i: body.etag for i, body in bodies.items()},
    )


async def _one_of_several(
    id_: UUID, principal: Principal, widgets: Widgets, at: str | None
) -> Body:
    try:
        principal.require_widget(id_)
        widget = await widgets.store.get(principal, id_)
        return await widgets.service.body(widget.spec, principal, at)
    except TwinfeedError as exc:
        return error_body(exc)
    except Exception as exc:
        error = from_any(exc)
        if error.status == 503:  # so are the others
            raise
        return error_body(error)


@get(
    "/v1/stream",
    tags=["widgets"],
    responses={
        200: ResponseSpec(
            data_container=str,
            description="server-sent events; the data of each is that of a widget, with its"
            " widget_id and etag",
            media_type="text/event-stream",
            generate_examples=False,
        )
    },
)
async def stream(
    request: Ask,
    principal: Principal,
    widgets: Widgets,
    shown: Annotated[str, Parameter(query="widgets", description="ids, separated by commas")],
) -> EventStream:
    """Stream the data of widgets: each now and whenever it changes, at most once a second.

    After a pause send the id of the last event as Last-Event-ID: what has not changed since is not
    sent again.
    """
    ids = stream_ids(shown, widgets.ground.settings.max_stream_widgets)

    async def authorise() -> None:
        _require_widgets(await found_again(request, widgets.ground), ids)

    _require_widgets(principal, ids)
    tags = tags_of(request.headers.get("last-event-id"), len(ids))
    shown_keys = tuple(request.headers.get(name) for name in CREDENTIALS)
    session = request.cookies.get(SESSION_COOKIE)
    identity = (*shown_keys, request.query_params.get("token"), session)
    caller = Caller((*identity, tuple(ids) if principal.scene_id else None), authorise, principal)
    return EventStream(widgets.watcher, widgets.watcher.subscribe(ids, tags, caller))


def _require_widgets(principal: Principal, ids: list[UUID]) -> None:
    for id_ in ids:
        principal.require_widget(id_)


def _respond(request: Ask, body: Body, form: Form) -> Response[bytes]:
    headers = {"ETag": body.etag}
    if matches(request.headers.get("if-none-match"), body.etag):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = form.media_type  # as media_type it would get a charset of its own
    return Response(body.content, headers=headers)


def routes(held: list[Widgets]) -> list[Router]:
    """Return the handlers; `held` is filled with what they stand on before the first request."""

    async def provide() -> Widgets:
        return held[0]

    handlers = [
        create_widget,
        list_widgets,
        read_widget,
        patch_widget,
        delete_widget,
        widget_image,
        several_data,
        stream,
    ]
    return [Router(path="/", route_handlers=handlers, dependencies={"widgets": Provide(provide)})]
