"""Which calls carry which notices. Pure.

Invariant: a call carries an alert once, and only the oldest of what its receiver is to be told of it,
because that is all that the outbox hands over.
"""

from typing import Any

import msgspec

from alerts.payload import body, own_group, shared_group
from alerts.targeting import Target

MAX_ALERTS = 100
"""Alerts in a call: some 100 kB of JSON."""


class Notice(msgspec.Struct, frozen=True):
    """One alert for one receiver, taken from the queue.

    alert: JSON as `payload.told` made it; known: the same as an Alertmanager was last told, if it was.
    """

    notice_no: int
    webhook_id: str
    rule_id: str
    device: str
    kind: str
    alert: str
    group_key: str
    age_us: int
    silenced: bool
    known: str | None = None


class Call(msgspec.Struct, frozen=True):
    """A delivery to be made: its notices in order, its body as JSON."""

    target: Target
    notices: list[Notice]
    kind: str
    body: str
    age_us: int


def form(
    notices: list[Notice], targets: dict[str, Target], slots: dict[str, int], free: int, url: str
) -> list[Call]:
    """Return the calls to make, the oldest first: `slots` at most by webhook, `free` in all.

    `notices` are in order; the rest of them stays in the queue. `url` is the server's own.
    """
    calls: list[Call] = []
    used = dict.fromkeys(slots, 0)
    for part in sorted(_parts(notices), key=lambda part: part[0].notice_no):
        webhook_id = part[0].webhook_id
        if len(calls) < free and used[webhook_id] < slots[webhook_id]:
            used[webhook_id] += 1
            calls.append(call(targets[webhook_id], part, url))
    return calls


def _parts(notices: list[Notice]) -> list[list[Notice]]:
    """Return the notices of each group, at most MAX_ALERTS together."""
    parts: list[list[Notice]] = []
    open_parts: dict[tuple[str, str], list[Notice]] = {}
    for notice in notices:
        group = (notice.webhook_id, notice.group_key)
        part = open_parts.get(group)
        if part is None or len(part) == MAX_ALERTS:
            part = open_parts[group] = []
            parts.append(part)
        part.append(notice)
    return parts


def call(target: Target, notices: list[Notice], url: str) -> Call:
    """Return the call that carries these notices of one group."""
    alerts = [_alert(notice) for notice in notices]
    if target.group_by is None:
        notice = notices[0]
        group = own_group(notice.rule_id, alerts[0]["labels"]["alertname"], notice.device)
    else:
        labels = alerts[0]["labels"]
        group = shared_group({name: labels.get(name, "") for name in target.group_by})
    text = msgspec.json.encode(body(alerts, group, target.name, url)).decode()
    kind = "repeat" if all(notice.kind == "repeat" for notice in notices) else "alerts"
    return Call(target, notices, kind, text, max(notice.age_us for notice in notices))


def _alert(notice: Notice) -> dict[str, Any]:
    alert: dict[str, Any] = msgspec.json.decode(notice.alert)
    if notice.kind == "repeat":
        alert["repeat"] = True
    if notice.known is not None:
        labels = msgspec.json.decode(notice.known)["labels"]
        if labels != alert["labels"]:  # another severity: to an Alertmanager another alert
            alert["replaces"] = labels
    return alert
