"""Who is asking: what a management key stands for."""

from typing import Literal
from uuid import UUID

import msgspec

from twin.errors import Forbidden, NotFound

Scope = Literal["admin", "read", "write"]
Environment = Literal["live", "test"]


class Principal(msgspec.Struct, frozen=True):
    """An organisation's environment, acted on with the scopes of one key.

    With `scene_id` it is a view token's: no scope at all, and that one scene to look at.
    """

    org_id: int
    tenant_id: str
    environment: str
    scopes: frozenset[str]
    key_id: str
    name: str = ""
    rate_limit: int | None = None
    """Requests per clock hour; None: no limit."""
    is_operator: bool = False
    requires_application: bool = False
    allowed_origins: tuple[str, ...] = ()
    scene_id: UUID | None = None
    widget_ids: frozenset[UUID] = frozenset()
    """Of a view token: the widgets of its scene."""
    asset_ids: frozenset[UUID] = frozenset()
    address: str = ""
    """Where the request came from."""

    @property
    def scope(self) -> dict[str, object]:
        """The parameters by which every query of an organisation's things is bounded."""
        return {"org_id": self.org_id, "environment": self.environment}

    def owns(self, org_id: int, environment: str) -> bool:
        """Return whether something of that organisation and environment is this principal's."""
        return org_id == self.org_id and environment == self.environment

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the key has the scope; admin has all."""
        if scope not in self.scopes and "admin" not in self.scopes:
            if self.scene_id is not None:
                raise Forbidden("A view token reads its own scene and nothing else.")
            raise Forbidden(f"This key does not have the scope '{scope}' that the request needs.")

    def require_view(self, scene_id: UUID) -> None:
        """Raise unless a scene may be looked at: by a key that reads, or by a token made for it."""
        if self.scene_id is None:
            self.require("read")
        elif self.scene_id != scene_id:
            raise NotFound("There is no scene with this id.")

    def require_widget(self, widget_id: UUID) -> None:
        """Raise unless a widget's data may be read: by a key that reads, or a token of its scene."""
        if self.scene_id is None:
            self.require("read")
        elif widget_id not in self.widget_ids:
            raise NotFound("There is no widget with this id.")

    def require_asset(self, asset_id: UUID) -> None:
        """Raise unless a model may be read: by a key that reads, or a token of a scene with it."""
        if self.scene_id is None:
            self.require("read")
        elif asset_id not in self.asset_ids:
            raise NotFound("There is no asset with this id.")

    def require_operator(self) -> None:
        """Raise Forbidden unless the key is the server operator's."""
        if not self.is_operator:
            raise Forbidden("Only an operator key may manage organisations.")
