"""What the demo is made of: its receiver of webhooks, its directory and keys, this machine's figures."""

import hashlib
import hmac
import http.client
import json
import stat
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx
import pytest
from support.server import free_port

from twin.demo.machine import Counters, Machine, rates_kib_s
from twin.demo.receiver import MAX_BODY_BYTES, Receiver, describe
from twin.demo.run import demo_settings, local_url, require_free_port
from twin.demo.state import FILE, open_state, save_state
from twin.errors import StartupError
from twin.settings import Settings, default_data_dir

SECRET = "s3cret"
BODY = json.dumps(
    {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Hot", "severity": "critical"},
                "annotations": {"summary": "Hot: temperature of pump-1 is 91"},
                "startsAt": "2026-01-01T00:00:00.5Z",
                "endsAt": "0001-01-01T00:00:00Z",
            }
        ],
    }
).encode()


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), b"1767225600:" + body, hashlib.sha256).hexdigest()
    return {"X-Twinfeed-Timestamp": "1767225600", "X-Twinfeed-Signature": digest}


def call(url: str, body: bytes, headers: dict[str, str]) -> int:
    return httpx.post(url, content=body, headers=headers, trust_env=False).status_code


def test_a_signed_call_is_printed_as_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver(SECRET) as receiver:
        assert call(receiver.url, BODY, signed(BODY)) == 204
    (line,) = capsys.readouterr().out.splitlines()
    assert click.unstyle(line) == (
        "2026-01-01T00:00:00Z ▲ ALERT    critical Hot: temperature of pump-1 is 91"
        "  (webhook, signature verified)"
    )


@pytest.mark.parametrize(
    "headers", [{}, signed(BODY, "other"), {**signed(BODY), "X-Twinfeed-Timestamp": "1767225601"}]
)
def test_a_wrong_signature_is_refused(
    headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with Receiver(SECRET) as receiver:
        assert call(receiver.url, BODY, headers) == 401
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "wrong signature" in printed.err


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"alerts": [{}]}'])
def test_a_signed_call_of_another_kind_is_refused(body: bytes) -> None:
    with Receiver(SECRET) as receiver:
        assert call(receiver.url, body, signed(body)) == 400


def test_a_body_over_the_bound_is_not_read() -> None:
    with Receiver(SECRET) as receiver:
        parts = urlsplit(receiver.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        connection.putrequest("POST", parts.path)
        connection.putheader("Content-Length", str(MAX_BODY_BYTES + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


def test_a_resolved_alert_tells_its_end() -> None:
    document = json.loads(BODY)
    document["alerts"][0] |= {"status": "resolved", "endsAt": "2026-01-01T00:01:00Z"}
    (line,) = describe(json.dumps(document).encode())
    assert click.unstyle(line).startswith("2026-01-01T00:01:00Z ▼ resolved critical Hot")


def test_keys_survive_a_restart_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "demo"
    state = open_state(directory, None)
    state.ingest_keys["id"] = "tfi_x"
    save_state(directory, state)
    assert open_state(directory, "tf_live_" + "0" * 64) == state
    assert stat.S_IMODE((directory / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_given_admin_key_is_taken(tmp_path: Path) -> None:
    key = "tf_live_" + "1" * 64
    assert open_state(tmp_path, key).admin_key == key


def test_another_servers_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    with pytest.raises(StartupError, match="not a demo's"):
        open_state(tmp_path, None)
    assert [path.name for path in tmp_path.iterdir()] == ["pgdata"]


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_damaged_file_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(StartupError, match="damaged"):
        open_state(tmp_path, None)


def test_the_demo_works_in_a_directory_of_its_own() -> None:
    used = demo_settings(Settings(database_url="postgresql://elsewhere/production"))
    assert used.database_url is None
    assert used.data_dir == default_data_dir() + "-demo"
    assert used.webhook_allow_private
    assert demo_settings(Settings(data_dir="/srv/mine")).data_dir == "/srv/mine"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("plant.example", "http://plant.example:8000"),
    ],
)
def test_the_url_is_one_that_can_be_called(host: str, url: str) -> None:
    assert local_url(Settings(host=host)) == url


def test_a_port_that_is_taken_is_said() -> None:
    require_free_port("127.0.0.1", free_port())
    with Receiver(SECRET) as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
        with pytest.raises(StartupError, match=f"{port} cannot be listened on.*--port"):
            require_free_port("127.0.0.1", port)


def test_rates_are_over_the_time_between() -> None:
    before = Counters(10.0, 0, 1024, 5000, 0)
    after = Counters(12.0, 2048, 1024, 0, 4096)
    assert rates_kib_s(before, after) == {
        "disk": {"read": 1.0, "written": 0.0},
        "network": {"received": 0.0, "sent": 2.0},
    }


def test_this_machine_has_figures() -> None:
    reading = Machine().reading()
    assert 0 <= reading["cpu"]["percent"] <= 100
    assert reading["memory"]["used_mib"] > 0
    assert set(reading) == {"cpu", "memory", "disk", "network"}
