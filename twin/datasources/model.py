"""The shapes of datasources in requests and answers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, Meta, UnsetType

from twin.errors import Invalid, ItemError
from twin.schema import Kind

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Description = Annotated[str, Meta(max_length=2000)]
RetentionDays = Annotated[int, Meta(ge=1, le=36_500)]
ExpiresInDays = Annotated[int, Meta(ge=1, le=36_500)]
GraceSeconds = Annotated[int, Meta(ge=0, le=30 * 86_400)]
PerSecond = Annotated[float, Meta(gt=0, le=1e12)]
Text = Annotated[str, Meta(max_length=200)]


class NewDataKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key declared before its first reading."""

    key: Annotated[str, Meta(min_length=1)]
    kind: Kind | None = None
    unit: Text | None = None
    label: Text | None = None


class NewDatasource(msgspec.Struct, forbid_unknown_fields=True):
    """The body that creates a datasource."""

    name: Name
    description: Description | None = None
    timezone: str = "UTC"
    retention_days: RetentionDays | None = None
    readings_per_second: PerSecond | None = None
    bytes_per_second: PerSecond | None = None
    data_keys: list[NewDataKey] = []


class DatasourcePatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a datasource; what is not named stays."""

    name: Name | UnsetType = UNSET
    description: Description | None | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    retention_days: RetentionDays | None | UnsetType = UNSET
    readings_per_second: PerSecond | None | UnsetType = UNSET
    bytes_per_second: PerSecond | None | UnsetType = UNSET


class DataKeyPatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a data key; its kind only while it holds no value."""

    unit: Text | None | UnsetType = UNSET
    label: Text | None | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET


class Datasource(msgspec.Struct, kw_only=True):
    """A datasource in a list."""

    id: UUID
    name: str
    description: str | None
    timezone: str
    retention_days: int | None
    readings_per_second: float | None
    bytes_per_second: float | None
    environment: str
    ingest_url: str
    created_at: datetime
    updated_at: datetime


class SeenDataKey(msgspec.Struct):
    """A key of a datasource with the event times of its first and last value."""

    key: str
    kind: str | None
    unit: str | None
    label: str | None
    first_seen: datetime | None
    last_seen: datetime | None


class Device(msgspec.Struct):
    """A device of a datasource; '' is the one of readings that name none."""

    device: str
    created_at: datetime
    last_reading_at: datetime | None


class Example(msgspec.Struct):
    """A payload that would be accepted now, as JSON and as a command."""

    json: dict[str, Any]
    curl: str


class DatasourceDetail(Datasource, kw_only=True):
    """A datasource with what it has learned. `devices` are the first 100."""

    data_keys: list[SeenDataKey]
    devices: list[Device]
    devices_total: int
    last_reading_at: datetime | None
    readings_total: int
    example: Example


class CreatedDatasource(DatasourceDetail, kw_only=True):
    """A new datasource: the only answer that carries its first ingest key."""

    api_key: str
    key_id: str


class NewIngestKey(msgspec.Struct, forbid_unknown_fields=True):
    """The body that creates an ingest key."""

    name: Name
    expires_in_days: ExpiresInDays | None = None


class Rotation(msgspec.Struct, forbid_unknown_fields=True):
    """The body that rotates a key: how long the old secret stays valid."""

    grace_seconds: GraceSeconds = 0


class IngestKey(msgspec.Struct, kw_only=True):
    """An ingest key without its secret."""

    key_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None


class CreatedIngestKey(IngestKey, kw_only=True):
    """An ingest key with its secret, shown once."""

    api_key: str


class IngestKeys(msgspec.Struct):
    """The ingest keys of a datasource."""

    keys: list[IngestKey]
    total: int


def check_timezone(name: str) -> None:
    """Raise Invalid unless the IANA database has the zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        message = f"'{name[:64]}' is not an IANA time zone such as Europe/Berlin."
        raise Invalid(message, errors=[ItemError(message, key="timezone")]) from exc
