"""The query parameters of an ingest request. Pure."""

from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec

from ingest.times import PRECISIONS
from twin.errors import Invalid, ItemError

_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": True}
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class Options(msgspec.Struct, frozen=True):
    """How a request wants to be taken. `ns_per_unit`: unit of numeric times, None = by size.

    From `time_column` on, for tables; None = found out.
    """

    ns_per_unit: int | None = None
    strict: bool = False
    dry_run: bool = False
    time_column: str | None = None
    device_column: str | None = None
    sheet: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    zone: ZoneInfo | None = None


DEFAULT = Options()


def parse_options(query: str) -> Options:
    """Return the options of a query string. Raises Invalid naming the parameter."""
    if not query:
        return DEFAULT
    values = dict(parse_qsl(query, keep_blank_values=True))
    ns_per_unit = None
    if "precision" in values:
        ns_per_unit = PRECISIONS.get(values["precision"])
        if ns_per_unit is None:
            raise _invalid("precision", "must be one of s, ms, us, ns")
    return Options(
        ns_per_unit,
        _flag(values, "strict"),
        _flag(values, "dry_run"),
        values.get("time_column"),
        values.get("device_column"),
        values.get("sheet"),
        _delimiter(values),
        _decimal(values),
        _zone(values),
    )


def _flag(values: dict[str, str], name: str) -> bool:
    flag = _FLAGS.get(values.get(name, "false").lower())
    if flag is None:
        raise _invalid(name, "must be true or false")
    return flag


def _delimiter(values: dict[str, str]) -> str | None:
    given = values.get("delimiter")
    if given is None:
        return None
    mark = _NAMED_DELIMITERS.get(given.lower(), given)
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n\x00':
        raise _invalid("delimiter", "must be one character, such as ';', or 'tab'")
    return mark


def _decimal(values: dict[str, str]) -> str | None:
    given = values.get("decimal")
    mark = {"point": ".", "comma": ","}.get(given.lower(), given) if given is not None else None
    if mark not in (None, ".", ","):
        raise _invalid("decimal", "must be '.' or ','")
    return mark


def _zone(values: dict[str, str]) -> ZoneInfo | None:
    name = values.get("tz")
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as exc:  # no such zone, or a path that leads elsewhere
        raise _invalid("tz", "must be a time zone such as Europe/Berlin") from exc


def _invalid(name: str, reason: str) -> Invalid:
    return Invalid(f"The parameter '{name}' {reason}.", errors=[ItemError(reason, key=name)])
