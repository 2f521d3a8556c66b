"""The answer to an ingest request: how many readings were accepted and what is wrong with the others."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from ingest.formats.part import Taken
from twin.errors import ItemError

MAX_ERRORS = 100
"""At most so many errors are listed."""

ALL_REJECTED = "No reading was accepted: see errors."
STRICT = "With strict=true nothing is stored when a reading is rejected: see errors."


class Accepted(msgspec.Struct, omit_defaults=True):
    """The body of a 200. With dry_run nothing was stored; `columns` is what a table's were taken for."""

    accepted: int
    rejected: int
    errors: list[ItemError]
    dry_run: bool = False
    columns: list[Taken] = []


class Refused(msgspec.Struct):
    """The body of a 422: the same and the error fields."""

    error: str
    message: str
    detail: str
    status: int
    accepted: int
    rejected: int
    errors: list[ItemError]
    columns: list[Taken] | UnsetType = UNSET


_encoder = msgspec.json.Encoder()


def render(
    accepted: int,
    rejected: int,
    errors: list[ItemError],
    *,
    dry_run: bool = False,
    strict: bool = False,
    columns: Sequence[Taken] = (),
) -> tuple[int, bytes]:
    """Return status and body. `strict`: all were refused because some were bad."""
    listed = errors[:MAX_ERRORS]
    if accepted:
        return 200, _encoder.encode(Accepted(accepted, rejected, listed, dry_run, list(columns)))
    message = STRICT if strict else ALL_REJECTED
    refused = Refused(
        "VALIDATION_ERROR", message, message, 422, 0, rejected, listed, list(columns) or UNSET
    )
    return 422, _encoder.encode(refused)
