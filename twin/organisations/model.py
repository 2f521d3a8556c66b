"""The shapes of organisations in requests and answers."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from twin.datasources.model import Name
from twin.errors import Invalid, ItemError
from twin.keys.bootstrap import NewKey

MAX_ORIGINS = 100
"""Allowed origins of an organisation."""
_ORIGIN = re.compile(r"https?://[a-z0-9.\-_\[\]:]+(:\d{1,5})?", re.IGNORECASE)

Origins = Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=MAX_ORIGINS)]


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True):
    """The body that makes an organisation."""

    name: Name


class OrganisationPatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes one's own organisation; what is not named stays."""

    name: Name | UnsetType = UNSET
    requires_application: bool | UnsetType = UNSET
    allowed_origins: Origins | UnsetType = UNSET


class Organisation(msgspec.Struct, kw_only=True):
    """An organisation."""

    tenant_id: str
    name: str
    requires_application: bool
    allowed_origins: list[str]
    created_at: datetime


class CreatedOrganisation(Organisation, kw_only=True):
    """A new organisation with its first admin key, shown once."""

    key: NewKey


def check_origins(origins: list[str]) -> None:
    """Raise Invalid unless each is an origin as browsers send it: scheme, host and maybe port."""
    errors = [
        ItemError("must be like https://app.example.com", index=index, key="allowed_origins")
        for index, origin in enumerate(origins)
        if not _ORIGIN.fullmatch(origin) or origin != origin.lower()
    ]
    if errors:
        raise Invalid("Some allowed origins are not valid.", errors=errors)
