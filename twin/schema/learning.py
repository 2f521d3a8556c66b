"""What of many requests' wants a datasource has room for. Pure.

A request's wants are granted whole or not at all, in order of arrival: one that does not fit beside
the others leaves no trace, is judged again and then wants less, or is rejected.
"""

from collections.abc import Iterable

from twin.schema.model import DatasourceSchema, Wanted
from twin.settings import Settings


def grant(wants: Iterable[Wanted], schema: DatasourceSchema, limits: Settings) -> Wanted:
    """Return what is granted; the schema is as the database has it now."""
    room = _Room(schema, limits)
    for wanted in wants:
        room.take(wanted)
    return room.granted


class _Room:
    def __init__(self, schema: DatasourceSchema, limits: Settings) -> None:
        self.granted = Wanted()
        self._schema = schema
        self._keys = limits.max_keys - len(schema.keys)
        self._devices = limits.max_devices - len(schema.devices)
        self._labels = limits.max_labels - len(schema.label_texts)
        self._new_devices: set[str] = set()

    def take(self, wanted: Wanted) -> None:
        """Grant a request's wants if all of them fit."""
        schema, granted = self._schema, self.granted
        for key, kind in wanted.kinds.items():
            known = schema.keys.get(key)
            fixed = (known.kind if known else None) or granted.kinds.get(key)
            if fixed is not None and fixed != kind:
                return  # another request gave the key its kind
        keys = sum(k not in schema.keys and k not in granted.kinds for k in wanted.kinds)
        labels = sum(t not in schema.label_codes and t not in granted.labels for t in wanted.labels)
        devices = {device for device, _ in wanted.streams if device not in schema.devices}
        devices -= self._new_devices
        if keys > self._keys or labels > self._labels or len(devices) > self._devices:
            return
        self._keys -= keys
        self._labels -= labels
        self._devices -= len(devices)
        self._new_devices |= devices
        granted.merge(wanted)
