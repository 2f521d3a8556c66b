"""What a webhook may be: every field that is wrong is named."""

from typing import Any

import pytest

from alerts.receivers import (
    MAX_RECIPIENTS,
    MAX_SECRET,
    MIN_SECRET,
    check,
    completed,
    patched,
)
from alerts.views import NewWebhook, WebhookPatch
from twin.errors import Invalid

URL = "https://ops.example.com/hook"


def webhook(**fields: Any) -> NewWebhook:
    given = {"name": "desk", "url": URL, **fields}
    if given.get("type") == "email":
        given.setdefault("recipients", ["ops@example.com"])
        given["url"] = fields.get("url")
    return NewWebhook(**given)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"secret": "s" * MIN_SECRET},
        {"secret": "s" * MAX_SECRET},
        {"secret": "long enough", "signature": "grafana", "timestamp_header": "X-Sent-At"},
        {"group_by": []},
        {"group_by": ["alertname", "severity"], "group_wait_seconds": 3600},
        {"repeat_seconds": 1},
        {"type": "alertmanager", "url": "http://am.example.com:9093"},
        {"type": "alertmanager", "secret": "a-bearer-token"},
        {"type": "alertmanager", "secret": "pässwörd", "username": "twinfeed"},
        {"type": "email", "recipients": [f"n{n}@example.com" for n in range(MAX_RECIPIENTS)]},
    ],
)
def test_good_ones(fields: dict[str, Any]) -> None:
    check(webhook(**fields), can_mail=True)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "x" * 201}),
        ("type", {"type": "pager"}),
        ("url", {"url": None}),
        ("url", {"url": "ftp://example.com"}),
        ("url", {"url": "not a url"}),
        ("url", {"type": "alertmanager", "url": None}),
        ("url", {"type": "email", "url": URL}),
        ("recipients", {"recipients": ["ops@example.com"]}),
        ("recipients", {"type": "email", "recipients": []}),
        ("recipients", {"type": "email", "recipients": ["nobody"]}),
        ("recipients", {"type": "email", "recipients": ["a@b.c\r\nBcc: d@e.f"]}),
        ("recipients", {"type": "email", "recipients": ["a@b.c"] * (MAX_RECIPIENTS + 1)}),
        ("secret", {"secret": "s" * (MIN_SECRET - 1)}),
        ("secret", {"secret": "s" * (MAX_SECRET + 1)}),
        ("secret", {"secret": "with\x00zero"}),
        ("secret", {"type": "email", "secret": "long enough"}),
        ("secret", {"type": "alertmanager", "secret": "no token"}),
        ("secret", {"type": "alertmanager", "secret": "line\r\nbreak"}),
        ("username", {"username": "twinfeed"}),
        ("username", {"type": "alertmanager", "username": "a:b"}),
        ("username", {"type": "alertmanager", "username": ""}),
        ("username", {"type": "alertmanager", "username": "x" * 201}),
        ("signature", {"signature": "md5"}),
        ("timestamp_header", {"timestamp_header": "X-Sent-At"}),
        ("timestamp_header", {"signature": "grafana", "timestamp_header": "a b"}),
        ("timestamp_header", {"signature": "grafana", "timestamp_header": "Host"}),
        ("group_by", {"group_by": ["colour"]}),
        ("group_by", {"group_by": ["key", "key"]}),
        ("group_wait_seconds", {"group_wait_seconds": 5}),
        ("group_wait_seconds", {"group_by": [], "group_wait_seconds": -1}),
        ("group_wait_seconds", {"group_by": [], "group_wait_seconds": 3601}),
        ("repeat_seconds", {"repeat_seconds": 0.5}),
        ("repeat_seconds", {"repeat_seconds": 30 * 86_400 + 1}),
    ],
)
def test_bad_ones_name_the_field(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        check(webhook(**fields), can_mail=True)
    assert [error.key for error in caught.value.errors] == [field]


def test_mail_needs_a_mail_server() -> None:
    with pytest.raises(Invalid, match="TWINFEED_SMTP_URL"):
        check(webhook(type="email"), can_mail=False)


def test_an_alertmanager_is_always_told_again() -> None:
    assert completed(webhook(type="alertmanager")).repeat_seconds == 60
    assert completed(webhook(type="alertmanager", repeat_seconds=5)).repeat_seconds == 5
    taken = patched(webhook(type="alertmanager"), WebhookPatch(repeat_seconds=None))
    assert taken.repeat_seconds == 60
    assert completed(webhook()).repeat_seconds is None


def test_a_patch_changes_what_it_names() -> None:
    old = webhook(group_by=["key"], repeat_seconds=10)
    new = patched(old, WebhookPatch(group_by=None, name="other"))
    assert (new.name, new.group_by, new.repeat_seconds, new.url) == ("other", None, 10, URL)
