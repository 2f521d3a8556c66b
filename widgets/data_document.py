"""The data routes as the OpenAPI document shows them; `DataRoute` answers them before routing.

They refuse whoever sends no valid key.
"""

from typing import Any
from uuid import UUID

from litestar import get
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec

from twin.errors import NotFound
from twin.principal import Principal
from widgets.answers import BarAnswer, DoubleAnswer, LineAnswer, SingleAnswer
from widgets.openapi import AdHocQuestion, SavedQuestion
from widgets.polls import CACHING

TAGGED = [ResponseHeader(name=name, value=value) for name, value in CACHING.items()]
"""What every answer says that has a tag."""
_ANSWERS = {
    200: ResponseSpec(
        data_container=LineAnswer | BarAnswer | SingleAnswer | DoubleAnswer,
        description="the widget's data",
        generate_examples=False,
    )
}


@get(
    "/v1/widgets/{widget_id:uuid}/data",
    tags=["widgets"],
    operation_class=SavedQuestion,
    responses=_ANSWERS,
    response_headers=TAGGED,
)
async def widget_data(widget_id: UUID, principal: Principal) -> None:
    """Answer a saved widget's data; window, bucket and the like may be chosen for this answer."""
    raise NotFound


@get(
    "/v1/data/{widget_type:str}",
    tags=["widgets"],
    operation_class=AdHocQuestion,
    responses=_ANSWERS,
    response_headers=TAGGED,
)
async def ad_hoc_data(widget_type: str, principal: Principal) -> None:
    """Answer a widget's data without saving it; the query string holds the fields of the spec."""
    raise NotFound


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [widget_data, ad_hoc_data]
