"""GET /v1/data/{type} and /v1/widgets/{id}/data, answered before the framework sees them.

A framework's routing, injection and response took a quarter of a double's 2.1 ms. Who asks is known
here (`twin/gate.py`). Whoever sent no valid key, and all other paths, go on to the framework
(`widgets/data_document.py`). What was answered before and still holds is not computed again
(`widgets/polls.py`).
"""

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from twin import http_errors
from twin.auth import CALLER, Caller
from twin.etags import matches
from twin.ground import Ground
from twin.principal import Principal
from twin.rsgi import AsgiApp
from widgets.cache import Body
from widgets.forms import Form, negotiate
from widgets.polls import CACHING, PollMemory, header
from widgets.service import Shown, WidgetService
from widgets.spec import overridden, query_spec
from widgets.store import WidgetStore

AD_HOC = "/v1/data/"
SAVED, DATA = "/v1/widgets/", "/data"
TEMPLATES = {AD_HOC: "/v1/data/{widget_type}", SAVED: "/v1/widgets/{widget_id}/data"}
"""How the framework calls the two routes, by how their paths begin."""
_JSON = (b"content-type", b"application/json")
_CACHING = [(name.lower().encode(), value.encode()) for name, value in CACHING.items()]

Target = str | UUID
"""An ad-hoc question's type of widget, or a saved widget's id."""
Headers = list[tuple[bytes, bytes]]


class DataRoute:
    """The two routes of one worker."""

    def __init__(self) -> None:
        """Answer nothing until `open`."""
        self._polls = PollMemory()
        self._store: WidgetStore | None = None
        self._service: WidgetService | None = None
        self._max_points = 0

    def open(self, ground: Ground, store: WidgetStore, service: WidgetService) -> None:
        """Begin to answer from a store and a service."""
        self._max_points = ground.settings.max_points
        self._store, self._service = store, service
        self._polls.open(ground, service)

    def before(self, app: AsgiApp) -> AsgiApp:
        """Return an ASGI application that answers these routes and hands the rest on to `app`."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            found = _target(scope)
            caller = scope.get(CALLER)
            if found is None or not isinstance(caller, Caller) or self._service is None:
                await app(scope, receive, send)
                return
            scope["path_template"], target = found
            try:
                status, headers, content = await self._answer(scope, caller.principal, target)
            except Exception as exc:
                status, told, content = http_errors.render(http_errors.from_any(exc))
                headers = [_JSON, *((k.encode(), v.encode("latin-1")) for k, v in told)]
            if status != 304:
                headers.append((b"content-length", str(len(content)).encode()))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        return serve

    async def _answer(
        self, scope: Any, principal: Principal, target: Target
    ) -> tuple[int, Headers, bytes]:
        kept = self._polls.find(scope, principal)
        if kept is not None:
            return _told(scope, kept.shown.body, kept.media_type)
        form = negotiate(header(scope, b"accept"))
        shown = await self._ask(scope, principal, target, form)
        return _told(scope, shown.body, form.media_type)

    async def _ask(self, scope: Any, principal: Principal, target: Target, form: Form) -> Shown:
        """Return the answer, and remember it. Raises TwinfeedError."""
        assert self._store is not None
        assert self._service is not None
        pairs = question_pairs(scope["query_string"])
        if isinstance(target, str):
            principal.require("read")
            spec, at = query_spec(target, pairs, self._max_points)
            shown = await self._service.shown(spec, principal, at, form)
            self._polls.keep(scope, principal, shown, form.media_type)
            return shown
        principal.require_widget(target)
        widget = await self._store.get(principal, target)
        spec, at = overridden(widget.spec, pairs, self._max_points)
        shown = await self._service.shown(spec, principal, at, form)
        if (await self._store.get(principal, target)).spec == widget.spec:
            self._polls.keep(scope, principal, shown, form.media_type)
        return shown


def question_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a query string, without the view token by which it may be asked."""
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    return [pair for pair in pairs if pair[0] != "token"]


def _target(scope: Any) -> tuple[str, Target] | None:
    """Return a route's template and what is asked there; None: another path or method."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    path = scope["path"].rstrip("/")
    if path.startswith(AD_HOC):
        type_ = path[len(AD_HOC) :]
        return (TEMPLATES[AD_HOC], type_) if type_ and "/" not in type_ else None
    if path.startswith(SAVED) and path.endswith(DATA):
        try:
            return TEMPLATES[SAVED], UUID(path[len(SAVED) : -len(DATA)])
        except ValueError:
            return None
    return None


def _told(scope: Any, body: Body, media_type: str) -> tuple[int, Headers, bytes]:
    headers = [*_CACHING, (b"etag", body.etag.encode())]
    if matches(header(scope, b"if-none-match"), body.etag):
        return 304, headers, b""
    headers.append((b"content-type", media_type.encode()))
    return 200, headers, body.content
