"""GET /health and GET /metrics."""

import asyncio
from typing import Any

import psycopg
import psycopg_pool
from litestar import Response, get

from twin import __version__, metrics
from twin.errors import DatabaseAway
from twin.ground import Ground

TIMEOUT_S = 2.0
"""A database that does not answer in this time counts as away."""


@get("/health", tags=["operations"], security=[])
async def health(ground: Ground) -> dict[str, Any]:
    """Say whether the server can store and answer: 200, or 503 while the database is away."""
    try:
        async with asyncio.timeout(TIMEOUT_S), ground.pool.nobody() as conn:
            await conn.execute("SELECT 1")
    except (TimeoutError, psycopg.Error, psycopg_pool.PoolTimeout) as exc:
        raise DatabaseAway("The database is away.") from exc
    found = ground.capabilities
    return {
        "status": "ok",
        "version": __version__,
        "home": found.home,
        "database": {"postgresql": found.server_version, "timescaledb": found.timescaledb_version},
    }


@get("/metrics", tags=["operations"], security=[], media_type="text/plain")
async def prometheus_metrics() -> Response[bytes]:
    """Expose the metrics of all workers in Prometheus' text format."""
    body, content_type = await asyncio.to_thread(metrics.render)
    return Response(body, headers={"Content-Type": content_type})
