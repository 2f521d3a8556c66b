"""What keys other than management keys stand for."""

from uuid import UUID

import msgspec


class IngestGrant(msgspec.Struct, frozen=True):
    """What an ingest key allows: writing to one datasource, until `expires_us`."""

    datasource_no: int
    datasource_id: UUID
    key_id: str
    expires_us: int
    readings_per_second: float | None = None
    bytes_per_second: float | None = None

    @property
    def is_paced(self) -> bool:
        """Whether its datasource has a limit."""
        return self.readings_per_second is not None or self.bytes_per_second is not None


class ApplicationGrant(msgspec.Struct, frozen=True):
    """What an application token says: which one asks, and how often it may, until `expires_us`."""

    application_id: str
    org_id: int
    environment: str
    per_minute: int | None
    per_day: int | None
    expires_us: int
