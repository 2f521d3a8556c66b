"""collectd's write_http JSON: value lists, an array of which is a body. Pure.

The plugin and its type become the key, `cpu.percent`, with the data source's name behind it where that
is not `value`; host and instances become the device, `k=v,k2=v2` sorted. Source: collectd's Wiki, JSON.
"""

from typing import Any

from ingest.readings import Reading
from twin.errors import ItemError

_DEVICE = ("host", "plugin_instance", "type_instance")
_TEXTS = ("plugin", "type", *_DEVICE)


def is_value_list(item: dict[str, Any]) -> bool:
    """Return whether an element is one of collectd's."""
    return isinstance(item.get("dsnames"), list) and isinstance(item.get("values"), list)


def read(item: dict[str, Any], reading: Reading) -> None:
    """Fill in device and values, or faults; the time is read as in any other reading."""
    names, values = item["dsnames"], item["values"]
    texts = {name: item.get(name, "") for name in _TEXTS}
    bad = [name for name, text in texts.items() if not isinstance(text, str)]
    if bad or len(names) != len(values) or not all(isinstance(name, str) for name in names):
        fault = "is not as collectd sends it"
        reading.faults.append(
            ItemError(fault, index=reading.index, key=bad[0] if bad else "values")
        )
        return
    reading.device = ",".join(f"{name}={texts[name]}" for name in sorted(_DEVICE) if texts[name])
    stem = f"{texts['plugin']}.{texts['type']}"
    for name, value in zip(names, values, strict=True):
        key = stem if name == "value" else f"{stem}.{name}"
        if isinstance(value, (list, dict)):
            fault = "an array is not a value"
            reading.faults.append(ItemError(fault, index=reading.index, key=key[:200]))
        else:
            reading.values.append((key, value))
