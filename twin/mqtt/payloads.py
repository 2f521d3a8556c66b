"""A message's payload → what is posted for it. Pure.

Readings without a time get that of their receipt here, so that posting them again stores nothing twice.
"""

from typing import Any

import msgspec

from twin.importer.kinds import CellError, kind_of, value_of
from twin.mqtt.topics import Place

TIME_NAMES = ("ts", "timestamp", "time")
_BRACKETS = (b"{", b"[", b'"')
"""What begins so was meant as JSON; anything else that is not JSON is a bare text."""

_decoder = msgspec.json.Decoder()


class PayloadError(ValueError):
    """A payload can never become a reading; the message says why."""


class Posted(msgspec.Struct):
    """Readings, which may share a request with others', or one document that is a request itself."""

    readings: list[Any] = []
    document: Any = None


def posted(payload: bytes, place: Place, now_us: int) -> Posted:
    """Return what to post; no readings for an empty payload and for null. Raises PayloadError."""
    payload = payload.strip()
    if not payload:
        return Posted()
    try:
        document = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        if payload.startswith(_BRACKETS):
            raise PayloadError(f"the payload is not JSON: {exc}") from exc
        document = _text_value(payload)
    if document is None:
        return Posted()
    if isinstance(document, dict):
        if _is_table(document):
            return Posted(document=_with_device(document, place))
        return Posted([_reading(document, place, now_us)])
    if isinstance(document, list):
        return Posted([_reading(item, place, now_us + i) for i, item in enumerate(document)])
    named: dict[str, Any] = {place.bare_key: document}
    return Posted([{"ts": now_us, "device": place.bare_device or None, "values": named}])


def _text_value(payload: bytes) -> float | bool | str:
    try:
        text = payload.decode()
    except UnicodeDecodeError as exc:
        raise PayloadError("the payload is neither JSON nor UTF-8 text") from exc
    try:
        return value_of(text, kind_of(text))
    except CellError as exc:
        raise PayloadError(str(exc)) from exc


def _is_table(document: dict[str, Any]) -> bool:
    """Tell columns and labelled snapshots, which cannot stand in an array, by their arrays."""
    for value in document.values():
        if isinstance(value, list):
            return True
        if isinstance(value, dict) and any(isinstance(inner, list) for inner in value.values()):
            return True
    return False


def _with_device(document: dict[str, Any], place: Place) -> dict[str, Any]:
    # The labels of a snapshot are its devices.
    is_columns = isinstance(document.get("values"), dict)
    if is_columns and place.device and document.get("device") is None:
        return {**document, "device": place.device}
    return document


def _reading(item: Any, place: Place, now_us: int) -> Any:
    if not isinstance(item, dict):
        return item  # the server says what is wrong with it
    if place.device and item.get("device") is None:
        item["device"] = place.device
    if all(item.get(name) is None for name in TIME_NAMES):
        item["ts"] = now_us
    return item
