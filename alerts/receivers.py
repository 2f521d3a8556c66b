"""What a client may write of a webhook, and what is wrong with it. Pure.

Invariant: a stored webhook has passed `check`, so the worker never meets one it cannot call.
"""

import re

from msgspec import UNSET, structs

from alerts.channels import PUSH_EVERY_S
from alerts.check import MAX_NAME
from alerts.payload import LABELS
from alerts.targets import check_url
from alerts.views import NewWebhook, WebhookPatch
from twin.errors import Invalid, ItemError

TYPES = ("webhook", "alertmanager", "email")
SIGNATURES = ("twinfeed", "grafana")
MIN_SECRET = 6
"""Refuses slips; receivers that exist have secrets as short, which is theirs to judge."""
MAX_SECRET = 500
MAX_RECIPIENTS = 50
MAX_ADDRESS = 254
MAX_GROUP_WAIT_S = 3600.0
MIN_REPEAT_S = 1.0
MAX_REPEAT_S = 30 * 86_400.0

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_USERNAME = re.compile(r"[^\x00-\x20\x7f:]{1,200}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
_RESERVED = (
    "content-type",
    "content-length",
    "host",
    "user-agent",
    "transfer-encoding",
    "connection",
)


def patched(old: NewWebhook, patch: WebhookPatch) -> NewWebhook:
    """Return a webhook with the fields of a PATCH body replaced."""
    given = {f: v for f, v in structs.asdict(patch).items() if v is not UNSET}
    return completed(structs.replace(old, **given))


def completed(new: NewWebhook) -> NewWebhook:
    """Return a webhook with what its type implies: an Alertmanager is always told again."""
    if new.type == "alertmanager" and new.repeat_seconds is None:
        return structs.replace(new, repeat_seconds=PUSH_EVERY_S)
    return new


def check(new: NewWebhook, *, can_mail: bool) -> None:
    """Raise Invalid naming every field that is wrong; the URL's host is judged elsewhere."""
    errors = [*_check_target(new, can_mail), *_check_signing(new), *_check_pace(new)]
    if not new.name.strip() or len(new.name) > MAX_NAME or "\x00" in new.name:
        errors.insert(0, _error("name", f"name must be 1 to {MAX_NAME} characters of text."))
    if errors:
        raise Invalid(errors[0].message, errors=errors)


def _check_target(new: NewWebhook, can_mail: bool) -> list[ItemError]:
    if new.type not in TYPES:
        return [_error("type", f"type must be one of {', '.join(TYPES)}.")]
    if new.type != "email":
        errors = []
        if new.recipients is not None:
            errors.append(_error("recipients", "recipients belong to the type email only."))
        if new.url is None:
            return [*errors, _error("url", f"url must be given with the type {new.type}.")]
        try:
            check_url(new.url)
        except Invalid as exc:
            errors += exc.errors
        return errors
    errors = []
    if not can_mail:
        message = "type email needs a mail server: TWINFEED_SMTP_URL and TWINFEED_SMTP_FROM."
        errors.append(_error("type", message))
    if new.url is not None:
        errors.append(_error("url", "url does not belong to the type email: give recipients."))
    found = new.recipients or []
    valid = all(len(one) <= MAX_ADDRESS and _ADDRESS.fullmatch(one) for one in found)
    if not 1 <= len(found) <= MAX_RECIPIENTS or not valid:
        message = f"recipients must be 1 to {MAX_RECIPIENTS} e-mail addresses."
        errors.append(_error("recipients", message))
    return errors


def _check_signing(new: NewWebhook) -> list[ItemError]:
    errors = []
    if new.secret is not None:
        if new.type == "email":
            errors.append(_error("secret", "secret does not belong to the type email."))
        elif not MIN_SECRET <= len(new.secret) <= MAX_SECRET or "\x00" in new.secret:
            message = f"secret must be {MIN_SECRET} to {MAX_SECRET} characters of text."
            errors.append(_error("secret", message))
        elif new.type == "alertmanager" and not (new.username or _TOKEN.fullmatch(new.secret)):
            message = "secret is sent as a bearer token here: visible ASCII characters only."
            errors.append(_error("secret", message))
    if new.username is not None:
        if new.type != "alertmanager":
            message = "username belongs to the type alertmanager only."
            errors.append(_error("username", message))
        elif not _USERNAME.fullmatch(new.username):
            message = "username must be 1 to 200 visible characters without a colon."
            errors.append(_error("username", message))
    if new.signature not in SIGNATURES:
        errors.append(_error("signature", f"signature must be one of {', '.join(SIGNATURES)}."))
    header = new.timestamp_header
    if header is not None:
        if new.signature != "grafana":
            message = "timestamp_header belongs to the signature grafana only."
            errors.append(_error("timestamp_header", message))
        elif not _HEADER.fullmatch(header) or header.lower() in _RESERVED:
            message = "timestamp_header must be a header's name of letters, digits and hyphens."
            errors.append(_error("timestamp_header", message))
    return errors


def _check_pace(new: NewWebhook) -> list[ItemError]:
    errors = []
    labels = new.group_by
    if labels is not None and (len(set(labels)) < len(labels) or not set(labels) <= set(LABELS)):
        message = f"group_by must be different labels of {', '.join(LABELS)}, or none of them."
        errors.append(_error("group_by", message))
    if not 0 <= new.group_wait_seconds <= MAX_GROUP_WAIT_S:
        message = f"group_wait_seconds must be between 0 and {MAX_GROUP_WAIT_S:g}."
        errors.append(_error("group_wait_seconds", message))
    elif new.group_wait_seconds and labels is None:
        message = "group_wait_seconds needs group_by: an empty list makes one group of all."
        errors.append(_error("group_wait_seconds", message))
    repeat = new.repeat_seconds
    if repeat is not None and not MIN_REPEAT_S <= repeat <= MAX_REPEAT_S:
        message = f"repeat_seconds must be between {MIN_REPEAT_S:g} and {MAX_REPEAT_S:g}, or null."
        errors.append(_error("repeat_seconds", message))
    return errors


def _error(field: str, message: str) -> ItemError:
    return ItemError(message=message, key=field)
