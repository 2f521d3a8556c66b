"""The command line: help everywhere, clear errors of one line, and a stop at any moment."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from support.server import ADMIN_KEY, RunningServer, free_port, start_server

from twin.db.pool import conninfo

pytestmark = pytest.mark.one_home


def twinfeed(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "twin", *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )


def environment(**settings: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
    return env | {f"TWINFEED_{name.upper()}": value for name, value in settings.items()}


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that a command ended with one clear line."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    line = done.stderr.strip()
    assert len(line.splitlines()) == 1, line
    assert line.startswith("twinfeed: ")
    assert "pass word" not in line
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    "command",
    ["", "serve", "demo", "migrate", "keys", "keys create", "import", "backup", "restore"],
)
def test_help_everywhere(command: str) -> None:
    for option in ("--help", "-h"):
        done = twinfeed(*command.split(), option)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Usage:")
        assert done.stderr == ""


def test_an_edit_says_what_to_change() -> None:
    done = twinfeed("orgs", "edit", "org_0")
    assert done.returncode == 2
    assert "--no-requires-application" in done.stderr


def test_serve_help_names_every_setting() -> None:
    from twin.settings import describe

    shown = twinfeed("serve", "--help").stdout
    for name, _default, _text in describe():
        assert name in shown


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"port": "x"}, "TWINFEED_PORT"),
        ({"port": "0"}, "TWINFEED_PORT"),
        ({"port": "70000"}, "TWINFEED_PORT"),
        ({"workers": "0"}, "TWINFEED_WORKERS"),
        ({"max_keys": "-1"}, "TWINFEED_MAX_KEYS"),
        ({"webhook_allow_private": "perhaps"}, "TWINFEED_WEBHOOK_ALLOW_PRIVATE"),
        ({"admin_key": "short"}, "TWINFEED_ADMIN_KEY"),
        ({"log_level": "loud"}, "TWINFEED_LOG_LEVEL"),
        ({"database_url": "postgresql://127.0.0.1:1/none"}, "database"),
        ({"database_url": "nonsense"}, "TWINFEED_DATABASE_URL"),
        ({"database_url": "postgresql://u:pass word@h/d"}, "TWINFEED_DATABASE_URL"),
    ],
)
def test_bad_settings_end_in_one_clear_line(
    tmp_path: Path, database_url: str, settings: dict[str, str], word: str
) -> None:
    given = {"data_dir": str(tmp_path), "database_url": database_url, **settings}
    refused(twinfeed("serve", **given), word)


def test_bad_flags_end_in_one_clear_line(database_url: str) -> None:
    refused(twinfeed("serve", "--port", "70000", database_url=database_url), "port")
    refused(twinfeed("serve", "--workers", "0", database_url=database_url), "workers")


def test_a_port_in_use(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(twinfeed("serve", "--port", port, database_url=database_url), port)


def test_an_address_that_is_not_ours(database_url: str) -> None:
    refused(twinfeed("serve", "--host", "192.0.2.1", database_url=database_url), "192.0.2.1")


def test_a_directory_in_use_and_commands_beside_a_server(tmp_path: Path) -> None:
    data_dir = str(tmp_path / "data")
    with start_server(None, data_dir=data_dir) as server:
        second = twinfeed("serve", "--port", str(free_port()), data_dir=data_dir)
        refused(second, data_dir)
        assert server.client.get("/health").status_code == 200
        made = twinfeed("keys", "create", "--name", "beside", data_dir=data_dir)
        assert made.returncode == 0, made.stderr
        key = made.stdout.strip()
        assert key.startswith("tf_live_")
        headers = {"Authorization": f"Bearer {key}"}
        seen = server.client.get("/v1/datasources", headers=headers)
        assert (seen.status_code, seen.headers["x-ratelimit-limit"]) == (200, "1000")
        free = twinfeed("keys", "create", "--name", "x", "--rate-limit", "0", data_dir=data_dir)
        headers = {"Authorization": f"Bearer {free.stdout.strip()}"}
        seen = server.client.get("/v1/datasources", headers=headers)
        assert (seen.status_code, seen.headers.get("x-ratelimit-limit")) == (200, None)
        assert twinfeed("migrate", data_dir=data_dir).returncode == 0
        assert server.client.get("/health").status_code == 200


def test_migrate_is_safe_again_and_six_at_once(database_url: str) -> None:
    command = [sys.executable, "-m", "twin", "migrate"]
    env = environment(database_url=database_url, admin_key=ADMIN_KEY)
    running = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(6)
    ]
    for process in running:
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0, output
    again = twinfeed("migrate", database_url=database_url)
    assert again.returncode == 0, again.stderr
    with psycopg.connect(conninfo(database_url)) as conn:
        assert conn.execute("SELECT count(*) FROM organisations").fetchone() == (1,)
        assert conn.execute("SELECT count(*) FROM management_keys").fetchone() == (1,)


def test_the_admin_key_is_shown_once_when_none_is_given(database_url: str) -> None:
    first = twinfeed("migrate", database_url=database_url)
    assert first.stdout.count("tf_live_") == 1
    assert "tf_live_" not in twinfeed("migrate", database_url=database_url).stdout


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--name", "x", "--scope", "everything"],
        ["--name", "x", "--environment", "staging"],
        ["--name", "x", "--rate-limit", "-1"],
    ],
)
def test_a_wrong_wish_for_a_key(options: list[str]) -> None:
    done = twinfeed("keys", "create", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_key_of_a_tenant_that_does_not_exist(server: RunningServer) -> None:
    assert server.database_url is not None
    done = twinfeed(
        "keys", "create", "--name", "x", "--tenant", "nobody", database_url=server.database_url
    )
    refused(done, "organisation")


@pytest.mark.parametrize("pause_s", [0.6, 0.9, 1.2, 1.5, 1.8])
def test_a_stop_during_the_start_is_quick_and_clean(database_url: str, pause_s: float) -> None:
    """A worker that is told to stop before it listens for that must not be waited for."""
    env = environment(database_url=database_url, port=str(free_port()), workers="2")
    process = subprocess.Popen(
        [sys.executable, "-m", "twin", "serve"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    time.sleep(pause_s)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=15)
    assert process.returncode in (0, -signal.SIGTERM), output  # the latter: before Python is up
    assert b"Traceback" not in output
