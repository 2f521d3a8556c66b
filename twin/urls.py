"""Absolute URLs given to clients."""

from typing import Any
from uuid import UUID

from litestar import Request

from twin.settings import Settings


def base_url(settings: Settings, request: Request[Any, Any, Any]) -> str:
    """Return the base that clients reach us by, without a trailing slash."""
    return (settings.public_url or str(request.base_url)).rstrip("/")


def ingest_url(settings: Settings, request: Request[Any, Any, Any], datasource_id: UUID) -> str:
    """Return a datasource's ingestion URL."""
    return f"{base_url(settings, request)}/ingest/{datasource_id}"
