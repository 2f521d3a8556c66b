"""Places in a selection, and the opaque text that stands for one. Pure.

A place is a reading's time and stream: readings that come in before it never move it, so no page
repeats or skips what was there when it was read.
"""

import base64
import binascii

import msgspec

from twin.errors import Invalid, ItemError


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Just behind the reading of a stream at a time; stream 0: before all readings of that time."""

    ts_us: int
    stream: int = 0


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    fingerprint: str
    place: Place


def write(fingerprint: str, place: Place) -> str:
    """Return the cursor of a place in the selection with this fingerprint."""
    packed = msgspec.msgpack.encode(_Cursor(fingerprint, place))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read(fingerprint: str, text: str) -> Place:
    """Return the place of a cursor. Raises Invalid for another selection's, or for no cursor."""
    try:
        packed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(packed, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _invalid("cursor is not one that this endpoint gave") from None
    if cursor.fingerprint != fingerprint:
        raise _invalid(
            "cursor belongs to another query: datasource, from, to, keys and device must stay as"
            " they were; leave cursor out to begin anew"
        )
    return cursor.place


def _invalid(problem: str) -> Invalid:
    return Invalid(f"{problem}.", errors=[ItemError(key="cursor", message=problem)])
