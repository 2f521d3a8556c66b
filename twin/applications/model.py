"""The shapes of applications in requests and answers."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from twin.datasources.model import Name

PerWindow = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class NewApplication(msgspec.Struct, forbid_unknown_fields=True):
    """The body that registers an application; a limit of null: none."""

    name: Name
    per_minute: PerWindow | None = 120
    per_day: PerWindow | None = 10_000


class ApplicationPatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes an application; what is not named stays."""

    name: Name | UnsetType = UNSET
    per_minute: PerWindow | None | UnsetType = UNSET
    per_day: PerWindow | None | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class Application(msgspec.Struct, kw_only=True):
    """An application without its token."""

    id: str
    name: str
    per_minute: int | None
    per_day: int | None
    is_active: bool
    environment: str
    created_at: datetime
    updated_at: datetime


class CreatedApplication(Application, kw_only=True):
    """An application with its token, shown once."""

    app_token: str
