"""What clients see of rules, states, history, webhooks and deliveries."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from alerts.rules import Escalation, Part, Schedule, Threshold
from alerts.words import Value


class DeviceState(msgspec.Struct, kw_only=True):
    """A device for which a rule is not normal, or disabled because judging failed: `error`."""

    device: str
    state: str
    since: datetime
    value: Value
    severity: str | None
    error: str | None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    silenced_until: datetime | None = None


class AlertView(msgspec.Struct, kw_only=True):
    """A rule; `state` is the highest of all devices, `states` its devices that are not normal.

    `unseen`: some of its keys have never held a value. `error`: why it is disabled for every device
    until it is changed.
    """

    id: UUID
    name: str
    datasource_id: UUID
    key: str
    device: str | None
    condition: str | None
    threshold: Threshold | None
    threshold_high: float | None
    clear_threshold: float | None
    all: list[Part] | None
    any: list[Part] | None
    escalation: list[Escalation]
    schedule: Schedule | None
    for_seconds: float
    severity: str
    widget_color: str | None
    material_color: str | None
    icon: str | None
    webhooks: list[UUID]
    is_active: bool
    unseen: bool
    unseen_keys: list[str]
    state: str
    states: list[DeviceState]
    error: str | None
    created_at: datetime
    updated_at: datetime


class EventView(msgspec.Struct, kw_only=True):
    """One transition of the history; `ts` is the causing reading's time.

    `duration_seconds` is how long the reached state lasted, null while it does; `silenced`: whether a
    silence covered it when it happened.
    """

    id: int
    alert_id: UUID
    name: str
    datasource_id: UUID
    device: str
    key: str
    previous_state: str
    state: str
    severity: str
    previous_severity: str | None
    ts: datetime
    value: Value
    reason: str | None
    duration_seconds: float | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    silenced: bool
    created_at: datetime


class Acknowledgement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/alerts/{id}/acknowledge; no device: all that fire; `by` or the key's name."""

    device: str | None = None
    by: str | None = None


class SilenceAlert(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/alerts/{id}/silence; from `starts_at` (default now) to `until`."""

    until: datetime
    starts_at: datetime | None = None
    device: str | None = None
    comment: str | None = None


class NewSilence(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/silences: covers what all fields given of alert, datasource and device name."""

    until: datetime
    starts_at: datetime | None = None
    alert_id: UUID | None = None
    datasource_id: UUID | None = None
    device: str | None = None
    comment: str | None = None


class SilenceView(msgspec.Struct, kw_only=True):
    """A silence; `state` is pending, active or expired."""

    id: UUID
    alert_id: UUID | None
    datasource_id: UUID | None
    device: str | None
    starts_at: datetime
    until: datetime
    comment: str | None
    created_by: str
    created_at: datetime
    state: str


class NewWebhook(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /v1/webhooks; `recipients` instead of `url` for an e-mail."""

    name: str
    type: str = "webhook"
    url: str | None = None
    recipients: list[str] | None = None
    secret: str | None = None
    username: str | None = None
    signature: str = "twinfeed"
    timestamp_header: str | None = None
    group_by: list[str] | None = None
    group_wait_seconds: float = 0.0
    repeat_seconds: float | None = None


class WebhookPatch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of PATCH /v1/webhooks/{id}; null takes an option away, a null secret ends signing."""

    name: str | UnsetType = UNSET
    url: str | UnsetType | None = UNSET
    recipients: list[str] | UnsetType | None = UNSET
    secret: str | UnsetType | None = UNSET
    username: str | UnsetType | None = UNSET
    signature: str | UnsetType = UNSET
    timestamp_header: str | UnsetType | None = UNSET
    group_by: list[str] | UnsetType | None = UNSET
    group_wait_seconds: float | UnsetType = UNSET
    repeat_seconds: float | UnsetType | None = UNSET


class Circuit(msgspec.Struct, kw_only=True):
    """Whether a receiver is called: open means not before `open_until`, then once to try."""

    state: str
    failures: int
    open_until: datetime | None


class WebhookView(msgspec.Struct, kw_only=True):
    """A webhook. The secret is never shown again."""

    id: UUID
    name: str
    type: str
    url: str | None
    recipients: list[str] | None
    has_secret: bool
    username: str | None
    signature: str
    timestamp_header: str | None
    group_by: list[str] | None
    group_wait_seconds: float
    repeat_seconds: float | None
    circuit: Circuit
    created_at: datetime
    updated_at: datetime


class DeliveryView(msgspec.Struct, kw_only=True):
    """A delivery; `delivery_id` is what the receiver saw in X-Twinfeed-Delivery.

    `state` is pending, delivered or failed, `last_status` the HTTP status of the last attempt,
    `kind` alerts, repeat (nothing but repeats) or test, `alerts` how many it carries.
    """

    delivery_id: UUID
    kind: str
    alerts: int
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    resent_at: datetime | None
    finished_at: datetime | None
    body: dict[str, Any]
