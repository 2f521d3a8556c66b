"""A datasource's schema as a worker holds it.

Invariant: it holds only what is committed, and grows in place; a kind that changes or a datasource
that goes makes a new object.
"""

import asyncio
from typing import Literal
from uuid import UUID

import msgspec

from twin.batch import PAGE_SLOTS

Kind = Literal["number", "boolean", "text"]


class DataKey(msgspec.Struct, frozen=True):
    """A key of a datasource. `kind` is None until its first value or declaration."""

    key: str
    slot: int
    kind: Kind | None
    unit: str | None = None
    label: str | None = None

    @property
    def page(self) -> int:
        """The page of 16 slots that holds the key."""
        return self.slot // PAGE_SLOTS

    @property
    def column(self) -> int:
        """The column within the page: 3 for v3."""
        return self.slot % PAGE_SLOTS


class Wanted:
    """What a request needs that the schema does not have yet, each in order of need."""

    def __init__(self) -> None:
        """Want nothing."""
        self.kinds: dict[str, Kind] = {}
        self.streams: dict[tuple[str, int], None] = {}
        self.labels: dict[str, None] = {}

    def __bool__(self) -> bool:
        """Whether anything is wanted."""
        return bool(self.kinds or self.streams or self.labels)

    def merge(self, other: "Wanted") -> None:
        """Want what another wants too."""
        self.kinds.update(other.kinds)
        self.streams.update(other.streams)
        self.labels.update(other.labels)


class DatasourceSchema:
    """Keys, devices, streams and labels of one datasource."""

    def __init__(
        self, no: int, id_: UUID, org_id: int, environment: str, name: str, timezone: str
    ) -> None:
        """Start empty; the directory fills it."""
        self.no = no
        self.id = id_
        self.org_id = org_id
        self.environment = environment
        self.name = name
        self.timezone = timezone
        self.keys: dict[str, DataKey] = {}
        self.devices: dict[str, list[int]] = {}
        """Device → stream id per page; 0 where the device has no stream of that page yet."""
        self.streams: dict[int, tuple[str, int]] = {}
        """Stream id → (device, page)."""
        self.label_codes: dict[str, int] = {}
        self.label_texts: list[str] = []
        self.last_stream_id = 0
        self.version = -1
        """The version of kind `schema` that this is at least as new as."""
        self.keys_version = 0
        """Counts changes of `keys`: what is generated from them is made anew when it moves."""
        self.pending: list[Wanted] = []
        """Wants that wait to be learned, in order of arrival."""
        self.learning = asyncio.Lock()

    def set_keys(self, keys: list[DataKey]) -> None:
        """Take over the keys, ordered by slot."""
        found = {key.key: key for key in keys}
        if found != self.keys:
            self.keys = found
            self.keys_version += 1

    def add_stream(self, stream_id: int, device: str, page: int) -> None:
        """Take over one stream."""
        pages = self.devices.setdefault(device, [])
        pages.extend([0] * (page + 1 - len(pages)))
        pages[page] = stream_id
        self.streams[stream_id] = (device, page)
        self.last_stream_id = max(self.last_stream_id, stream_id)

    def add_label(self, code: int, label: str) -> None:
        """Take over one label; codes come without gaps."""
        if code == len(self.label_texts):
            self.label_texts.append(label)
            self.label_codes[label] = code

    def stream(self, device: str, page: int) -> int:
        """Return the stream id of a device's page, or 0 when it has none yet."""
        pages = self.devices.get(device)
        return pages[page] if pages is not None and page < len(pages) else 0
