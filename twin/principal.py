"""Who is asking: what a management key stands for."""

from typing import Literal

import msgspec

from twin.errors import Forbidden

Scope = Literal["admin", "read", "write"]


class Principal(msgspec.Struct, frozen=True):
    """An organisation's environment, acted on with the scopes of one key."""

    org_id: int
    tenant_id: str
    environment: str
    scopes: frozenset[str]
    key_id: str

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the key has the scope; admin has all."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise Forbidden(f"This key does not have the scope '{scope}' that the request needs.")
