"""The watch over servers' logs finds what it looks for."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.leaks import assert_log_is_clean, assert_processes_are_clean
from support.server import LOGS, look_through_logs


@pytest.mark.parametrize(
    "line",
    [
        "GET /v1/keys tf_live_" + "ab" * 32,
        "posted to /api/v1/tfi_" + "01" * 32 + "/telemetry",
        "token=tfv_" + "Zz0-" * 10,
        "cannot reach postgresql://twin:secret@db/twin",
    ],
)
def test_a_secret_in_a_log_is_found_and_not_told(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"fine\n{line}\n")
    with pytest.raises(AssertionError, match=r"line 2 .*<secret>") as told:
        assert_log_is_clean(log)
    assert line not in str(told.value)


def test_logs_of_servers_started_by_hand_are_looked_through_too(tmp_path: Path) -> None:
    fine, leaking = tmp_path / "fine", tmp_path / "leaking"
    fine.write_text("fine")
    leaking.write_text("tfi_" + "01" * 32)
    LOGS.update((fine, leaking))
    with pytest.raises(AssertionError, match="<secret>"):
        look_through_logs(fine, leaking)
    assert not fine.exists()
    assert not LOGS & {fine, leaking}


def test_what_is_redacted_may_stand(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("key tf_live_*** at postgresql://twin:***@db/twin, tfi_0123456 …\n")
    assert_log_is_clean(log)


def test_a_secret_on_a_command_line_is_found() -> None:
    command = [sys.executable, "-c", "print(flush=True); input()", "tfa_" + "0" * 64]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()  # until then it may still be a copy of this process
        with pytest.raises(AssertionError):
            assert_processes_are_clean(process.pid)
        process.kill()
