"""The page on webhooks: its examples check what is really sent, its figures are the code's."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.nodejs import NODE

from alerts import forming, outbox, receivers, retry, signing
from alerts.targeting import Target
from alerts.views import NewWebhook

PAGE = (Path(__file__).parent.parent / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET = "long and random"
BODY = '{"version": "4", "receiver": "Ölpumpe"}'.encode()


def example(language: str) -> str:
    """Return the code that the page offers for checking a signature."""
    (found,) = re.findall(rf"```{language} check\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def sent(at_s: float) -> dict[str, str]:
    fields: dict[str, Any] = dict.fromkeys(Target.__struct_fields__)
    fields |= {"secret": SECRET, "signature": "twinfeed"}
    return signing.headers("id-1", Target(**fields), int(at_s * 1_000_000), BODY)


CASES = [
    ("genuine", lambda: sent(time.time()), BODY, True),
    ("another body", lambda: sent(time.time()), BODY + b" ", False),
    ("old", lambda: sent(time.time() - 3600), BODY, False),
    ("forged", lambda: sent(time.time()) | {"X-Twinfeed-Signature": "00" * 32}, BODY, False),
    ("short", lambda: sent(time.time()) | {"X-Twinfeed-Signature": "00"}, BODY, False),
]


@pytest.mark.parametrize(("_name", "headers", "body", "genuine"), CASES, ids=[c[0] for c in CASES])
def test_python_checks_a_signature(_name: str, headers: Any, body: bytes, genuine: bool) -> None:
    names: dict[str, Any] = {}
    exec(example("python"), names)
    assert names["is_genuine"](SECRET, headers(), body) is genuine


def test_node_checks_a_signature() -> None:
    cases = [
        [{k.lower(): v for k, v in headers().items()}, body.decode()]
        for _, headers, body, _ in CASES
    ]
    tail = f"""
    const answers = {json.dumps(cases)}.map(
      ([headers, body]) => isGenuine({json.dumps(SECRET)}, headers, Buffer.from(body)));
    console.log(JSON.stringify(answers));
    """
    done = subprocess.run(
        [NODE, "-e", example("js") + tail], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == [genuine for *_, genuine in CASES]


def test_the_page_names_every_field() -> None:
    fields = set(re.findall(r"^\| `(\w+)` \| (?:`|–|none|0)", PAGE, re.MULTILINE))
    assert fields == set(NewWebhook.__struct_fields__) - {"name"}


def test_its_figures_are_the_codes() -> None:
    text = " ".join(PAGE.split())
    told = [
        f"up to {forming.MAX_ALERTS} alerts a call",
        f"After {outbox.BREAK_AFTER} failures in a row",
        f"after {outbox.FIRST_OPEN_S:g} s, then {outbox.FIRST_OPEN_S * 2:g} s",
        f"up to {outbox.LONGEST_OPEN_S / 60:g} minutes, and with the first success",
        f"up to {retry.LONGEST_PAUSE_US // 60_000_000} minutes, each stretched",
        f"{receivers.MIN_SECRET} to {receivers.MAX_SECRET} characters",
        f"up to {receivers.MAX_RECIPIENTS} addresses",
        f"up to {receivers.MAX_GROUP_WAIT_S:g}",
    ]
    assert [one for one in told if one not in text] == []
