"""Bytes → a JSON document, or an error that names the byte at which it breaks. Pure."""

import json
from typing import Any

import msgspec

from twin.errors import Unreadable

_OUT_OF_RANGE = "out of range"
"""How msgspec says that a number is valid JSON and beyond the doubles."""
_MAX_INT_DIGITS = 400
"""An integer of more digits is beyond the doubles for certain, and slow to make."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_decoder = msgspec.json.Decoder()


def decode(body: bytes) -> Any:
    """Return any JSON value. Raises Unreadable, naming the byte at which it breaks.

    A byte order mark before it is passed over (RFC 8259, section 8.1): senders on Windows write one.
    """
    if body.startswith(_BYTE_ORDER_MARK):
        body = body[len(_BYTE_ORDER_MARK) :]
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as exc:
        reason = str(exc)
        if _OUT_OF_RANGE in reason:
            return _decode_any_number(body)
        if "byte" not in reason:
            reason = f"{reason} (byte {len(body)})"
        raise Unreadable(f"The body is not JSON: {reason}.") from exc
    except RecursionError as exc:
        raise Unreadable("The body is nested too deeply.") from exc
    except UnicodeDecodeError as exc:
        raise _not_utf8(body, exc) from exc


def _decode_any_number(body: bytes) -> Any:
    """Return JSON that holds numbers beyond the doubles; these become infinite.

    They are JSON, so only their readings are at fault, not the request.
    """
    try:
        document = json.loads(body.decode(), parse_int=_to_number, parse_constant=_refuse_constant)
        msgspec.json.encode(document)  # refuses what UTF-8 cannot hold
    except UnicodeDecodeError as exc:
        raise _not_utf8(body, exc) from exc
    except UnicodeEncodeError as exc:
        raise Unreadable("The body is not JSON: half of a surrogate pair.") from exc
    except json.JSONDecodeError as exc:
        at = len(exc.doc[: exc.pos].encode())
        raise Unreadable(f"The body is not JSON: {exc.msg} (byte {at}).") from exc
    except RecursionError as exc:
        raise Unreadable("The body is nested too deeply.") from exc
    return document


def _to_number(digits: str) -> float:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else float(digits)


def _refuse_constant(name: str) -> None:
    raise Unreadable(f"The body is not JSON: {name} is not a JSON value.")


def _not_utf8(body: bytes, exc: UnicodeDecodeError) -> Unreadable:
    try:
        body.decode()
    except UnicodeDecodeError as whole:
        exc = whole  # counted from the start of the body, not of the text
    return Unreadable(f"The body is not JSON: not UTF-8 (byte {exc.start}).")
