"""The query parameters of an ingest request. Pure."""

from urllib.parse import parse_qsl

import msgspec

from ingest.times import PRECISIONS
from twin.errors import Invalid, ItemError

_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": True}


class Options(msgspec.Struct, frozen=True):
    """How a request wants to be taken. `ns_per_unit`: unit of numeric times, None = by size."""

    ns_per_unit: int | None = None
    strict: bool = False
    dry_run: bool = False


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
    return Options(ns_per_unit, _flag(values, "strict"), _flag(values, "dry_run"))


def _flag(values: dict[str, str], name: str) -> bool:
    flag = _FLAGS.get(values.get(name, "false").lower())
    if flag is None:
        raise _invalid(name, "must be true or false")
    return flag


def _invalid(name: str, reason: str) -> Invalid:
    return Invalid(f"The parameter '{name}' {reason}.", errors=[ItemError(reason, key=name)])
