"""A receiver as the worker calls it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from twin.vault import Vault

log = structlog.get_logger("alerts.targeting")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a call needs to know of its webhook.

    is_locked: it has a secret that no key of this server opens, so it cannot be called from here.
    """

    webhook_id: str
    name: str
    type: str
    url: str | None
    secret: str | None
    username: str | None
    signature: str
    timestamp_header: str | None
    recipients: list[str] | None
    group_by: list[str] | None
    repeat_s: float | None
    is_locked: bool = False


def target_of(row: Sequence[Any], vault: Vault) -> Target:
    """Return the target in a row of the query `targets`, its secret opened."""
    target = Target(**dict(zip(Target.__struct_fields__, row, strict=False)))
    if target.secret is None:
        return target
    try:
        return msgspec.structs.replace(target, secret=vault.open(target.secret))
    except ValueError:
        log.error("webhook secret cannot be opened", webhook_id=target.webhook_id)
        return msgspec.structs.replace(target, secret=None, is_locked=True)
