"""What a log line looks like, and what never stands in one."""

import json
import subprocess
import sys

import pytest

from twin.logs import redact

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"key tf_live_{HEX}.", "key tf_live_***"),
        (f"key tf_test_{HEX} refused", "key tf_test_*** refused"),
        (f"Authorization: Bearer tfi_{HEX}", "Authorization: Bearer tfi_***"),
        (f'{{"api_key": "tfi_{HEX}"}}', '{"api_key": "tfi_***"}'),
        (f"X-App-Token: tfa_{HEX}", "X-App-Token: tfa_***"),
        (f"twinfeed_session=tfs_{HEX}", "twinfeed_session=tfs_***"),
        ("/viewer/1?token=tfv_abc-DEF_123&x=1", "/viewer/1?token=tfv_***&x=1"),
        ("Authorization: Basic dXNlcjp0ZmlfMDEyMw==", "Authorization: Basic ***"),
        ("token   abcdefghijk", "token   ***"),
        ("postgresql://user:se:cret@host/db", "postgresql://user:***@host/db"),
        ("host=db password=secret dbname=x", "host=db password=*** dbname=x"),
    ],
)
def test_secrets_are_redacted(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("part", ["a", "a:", "://", "://a", "basic ", "tf_", "password", "a@"])
def test_a_long_text_takes_no_longer_than_its_length(part: str) -> None:
    """Taking time by the square of it, this would be stopped after minutes."""
    assert redact(part * 500_000)


@pytest.mark.parametrize(
    "text",
    ["tfi_ is the prefix of a key", "http://host:80/a", "a token is missing", "12:30 a@b.example"],
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


SAY = f"""
import logging, threading, warnings
from twin import logs
logs.configure("info")
logging.getLogger("library").warning("got %s", "tfi_{HEX}")
logs.structlog.get_logger("ours").info("event", nested={{"keys": ["tf_live_{HEX}"]}}, n=1, odd={{1}})
logs.structlog.get_logger("ours").debug("not shown")
warnings.warn("deprecated")
logging.getLogger("httpx").info("not shown")
threading.Thread(target=lambda: int("tfi_{HEX}"), name="writer-0").start()
class Unlucky:
    def __del__(self): raise KeyError("password=secret")
Unlucky()
"""


def lines(program: str) -> list[dict[str, object]]:
    """Run a program and return what it logged: every line of its output is JSON."""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""
    assert HEX not in ran.stderr
    assert "secret" not in ran.stderr
    return [json.loads(line) for line in ran.stderr.splitlines()]


def test_every_line_is_json_whoever_says_it() -> None:
    said = lines(SAY)
    assert [line["logger"] for line in said] == [
        *("library", "ours", "py.warnings", "twin.uncaught", "twin.uncaught")
    ]
    assert [line["level"] for line in said] == ["warning", "info", "warning", "critical", "error"]
    assert said[0]["event"] == "got tfi_***"
    assert said[1]["nested"] == {"keys": ["tf_live_***"]}
    assert said[3]["thread"] == "writer-0"
    assert all(str(line["timestamp"]).endswith("Z") for line in said)


def test_an_error_that_ends_the_process_is_logged() -> None:
    (said,) = lines(f"from twin import logs\nlogs.configure('info')\nraise ValueError('tfi_{HEX}')")
    assert said["level"] == "critical"
    assert "ValueError: tfi_***" in str(said["exception"])
