"""The wiring: which parts a worker is made of, opened in order and closed in reverse."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from alerts.clock import AlertClock
from alerts.delivery import Delivery
from alerts.history_routes import routes as history_routes
from alerts.hook import AlertHook
from alerts.routes import routes as alert_routes
from alerts.silence_routes import routes as silence_routes
from alerts.upkeep import jobs as alert_jobs
from ingest.foreign.document import routes as foreign_routes
from ingest.foreign.route import ForeignRoute
from ingest.http import IngestRoute
from ingest.routes import routes as ingest_routes
from ingest.service import IngestService
from twin import __version__, health, http_errors, jobs, logs, pages, runtime
from twin.access import AccessCounter
from twin.applications.routes import routes as application_routes
from twin.audit.routes import routes as audit_routes
from twin.auth import provide_principal
from twin.datasources.routes import routes as datasource_routes
from twin.db.partition_job import partition_job
from twin.docs_page import docs_page, openapi_document
from twin.every_request import StrictRequest, answer_options, require_caller
from twin.front import ApplicationRoute, Front, PlainRoute
from twin.gate import Gate, gate_jobs
from twin.ground import Ground, open_ground
from twin.head_requests import HeadRequests
from twin.held import Held
from twin.housekeeping import housekeeping_jobs
from twin.keys.routes import routes as key_routes
from twin.organisations.routes import routes as organisation_routes
from twin.retention import retention_job
from twin.rsgi import AsgiApp, RsgiServer
from twin.runtime import Runtime
from twin.sampling import sampling_job
from twin.scenes.archive_routes import routes as archive_routes
from twin.scenes.asset_routes import routes as asset_routes
from twin.scenes.routes import routes as scene_routes
from twin.sessions import routes as session_routes
from twin.sessions import session_job
from twin.sqlviews.job import sql_views_job
from widgets.data_document import routes as data_routes
from widgets.data_route import DataRoute
from widgets.grafana.routes import routes as grafana_routes
from widgets.readings.routes import routes as readings_routes
from widgets.rollup_job import rollup_job
from widgets.routes import Widgets
from widgets.routes import routes as widget_routes

SWITCH_INTERVAL_S = 0.0005
"""How long the event loop may keep writer threads waiting for the interpreter; Python's 5 ms would
be most of a commit's latency."""


def create_app(run: Runtime) -> RsgiServer:
    """Return the application of one worker. Nothing is opened before its lifespan starts."""
    held: list[Ground] = []
    holding = Held(run.settings.max_held_bytes)
    own, foreign, data = IngestRoute(holding), ForeignRoute(holding), DataRoute()
    shown: list[Widgets] = []

    async def ground() -> Ground:
        return held[0]

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        settings = run.settings
        async with (
            open_ground(
                settings,
                run.database_url,
                run.capabilities,
                run.versions_path,
                run.secret_keys,
                run.limits_path,
            ) as opened,
            Delivery(opened) as delivery,
        ):
            held[:] = [opened]
            hook = AlertHook(opened, delivery.wake)
            service = IngestService(opened, [hook])
            await service.start()
            own.open(opened, service)
            foreign.open(opened, service)
            widgets = Widgets(opened)
            shown[:] = [widgets]
            data.open(opened, widgets.store, widgets.service)
            try:
                clock = AlertClock(opened, hook.keeper).job()
                async with jobs.running(opened, [clock, *background_jobs(opened)]):
                    yield
            finally:
                await service.stop()

    app = Litestar(
        _handlers(shown),
        dependencies={"ground": Provide(ground), "principal": Provide(provide_principal)},
        guards=[require_caller],
        request_class=StrictRequest,
        before_request=answer_options,
        exception_handlers={HTTPException: http_errors.handle, Exception: http_errors.handle},
        lifespan=[lifespan],
        openapi_config=_openapi(),
        request_max_body_size=run.settings.max_body_bytes,
        logging_config=None,
        debug=False,
    )
    served = HeadRequests(AccessCounter(Gate(data.before(app), held)))
    return _served(run, served, [own, foreign], holding)


def _handlers(shown: list[Widgets]) -> list[Any]:
    """Return every route of the framework."""
    return [
        health.health,
        health.prometheus_metrics,
        docs_page,
        openapi_document,
        *pages.routes(),
        *session_routes(),
        *scene_routes(),
        *archive_routes(),
        *asset_routes(),
        *key_routes(),
        *application_routes(),
        *organisation_routes(),
        *audit_routes(),
        *datasource_routes(),
        *ingest_routes(),
        *foreign_routes(),
        *data_routes(),
        *widget_routes(shown),
        *readings_routes(),
        *grafana_routes(),
        *alert_routes(),
        *history_routes(),
        *silence_routes(),
    ]


def _served(run: Runtime, app: AsgiApp, hot: Sequence[PlainRoute], held: Held) -> RsgiServer:
    front = None
    if run.front:
        plain = [*hot, ApplicationRoute(app, held)]
        front = Front(run.front, plain, held, run.settings.max_connections)
    return RsgiServer(hot, app, held, front)


def background_jobs(ground: Ground) -> list[jobs.Job]:
    """Return the jobs that keep a server in order."""
    settings = ground.settings
    found = [
        *alert_jobs(),
        *housekeeping_jobs(),
        *gate_jobs(),
        retention_job(settings.retention_interval_s),
        rollup_job(settings.rollup_interval_s),
        sampling_job(),
        sql_views_job(),
        session_job(),
    ]
    if not ground.capabilities.hypertables:
        found.append(partition_job())
    return found


def application() -> RsgiServer:
    """Return the application of a worker process that `twinfeed serve` started."""
    runtime.die_with_parent()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    run = runtime.from_environment()
    runtime.raise_file_limit()
    logs.configure(run.settings.log_level)
    for secret in ("TWINFEED_ADMIN_KEY", "TWINFEED_SECRET_KEY"):
        os.environ.pop(secret, None)
    return create_app(run)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Twinfeed",
        version=__version__,
        description="Time-series ingest and digital-twin datasource server.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
        security=[{"management key": []}],
        components=Components(
            security_schemes={
                "management key": SecurityScheme(type="http", scheme="bearer"),
                "ingest key": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
    )
