"""Lists: `{items, total, limit, offset}`, bounded."""

from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.params import Parameter

T = TypeVar("T")

MAX_LIMIT = 100
DEFAULT_LIMIT = 20

Limit = Annotated[int, Parameter(ge=1, le=MAX_LIMIT, description="most items to return")]
Offset = Annotated[int, Parameter(ge=0, le=2**31 - 1, description="items to leave out first")]


class Page(msgspec.Struct, Generic[T]):
    """One page of a list; `total` counts all items."""

    items: list[T]
    total: int
    limit: int
    offset: int
