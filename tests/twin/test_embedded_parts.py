"""The parts of the embedded PostgreSQL that need no running server."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from twin.db.embedded import DataDirectoryError, EmbeddedServerError
from twin.db.embedded.account import Account
from twin.db.embedded.config import HostFacts, configuration, render
from twin.db.embedded.installation import find_installation
from twin.db.embedded.log import LOG_FILE, bound_log, explain, log_tail
from twin.db.embedded.socket_folder import make_socket_folder

MIB = 1024 * 1024


def test_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    me = Account(os.geteuid(), os.getegid(), switch=False)
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(DataDirectoryError, match="not ours"):
        make_socket_folder(tmp_path / "link", me)
    if os.geteuid() == 0:
        (tmp_path / "foreign").mkdir()
        os.chown(tmp_path / "foreign", 12345, 12345)
        with pytest.raises(DataDirectoryError, match="not ours"):
            make_socket_folder(tmp_path / "foreign", me)


def test_log_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / LOG_FILE
    log.write_bytes(b"x" * 100)
    bound_log(tmp_path, limit_bytes=100)
    assert log.stat().st_size == 100
    log.write_bytes(b"x" * 101)
    bound_log(tmp_path, limit_bytes=100)
    assert log.stat().st_size == 0
    assert (tmp_path / f"{LOG_FILE}.1").stat().st_size == 101


def test_log_tail_holds_only_this_start(tmp_path: Path) -> None:
    (tmp_path / LOG_FILE).write_text("old\nnew\n")
    assert log_tail(tmp_path, since_byte=4) == "new"
    assert log_tail(tmp_path, since_byte=4000) == ""
    assert log_tail(tmp_path, limit_bytes=2) == "w"


def test_causes_are_named() -> None:
    assert "disk is full" in explain("could not write: No space left on device")
    assert explain("FATAL: something new") == ""


@pytest.mark.parametrize(
    ("memory_mib", "buffers"), [(64, "32MB"), (1024, "256MB"), (2048, "512MB"), (65536, "512MB")]
)
def test_memory_settings(memory_mib: int, buffers: str) -> None:
    facts = HostFacts(memory_bytes=memory_mib * MIB, disk_bytes=10**12, has_lz4=False)
    settings = configuration(facts, max_connections=33)
    assert settings["shared_buffers"] == buffers
    assert settings["max_connections"] == "33"
    assert settings["wal_compression"] == "off"


@pytest.mark.parametrize(
    ("disk_mib", "at_most", "at_least"),
    [(200, "128MB", "32MB"), (8192, "1024MB", "128MB"), (10**6, "4096MB", "512MB")],
)
def test_log_is_small_on_a_small_disk(disk_mib: int, at_most: str, at_least: str) -> None:
    facts = HostFacts(memory_bytes=MIB, disk_bytes=disk_mib * MIB, has_lz4=True)
    settings = configuration(facts, max_connections=100)
    assert (settings["max_wal_size"], settings["min_wal_size"]) == (at_most, at_least)
    assert settings["wal_compression"] == "lz4"


def test_settings_are_quoted() -> None:
    assert "log_line_prefix = 'it''s'\n" in render({"log_line_prefix": "it's"})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")
def test_programs_in_a_closed_folder_are_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account(nobody.pw_uid, nobody.pw_gid, switch=True)
    open_bin = find_installation(account, tmp_path / "unused").bin_dir
    wheel = tmp_path / "site-packages"
    package = open_bin.parents[1]
    shutil.copytree(package, wheel / package.name, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.parent / f"{package.name}.libs", wheel / f"{package.name}.libs")
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(wheel)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as shared:
        os.chmod(shared, 0o755)
        cache = Path(shared) / "twinfeed"
        found = find_installation(account, cache)
        assert found.bin_dir.is_relative_to(cache)
        said = subprocess.check_output(
            [found.program("initdb"), "--version"], user=account.uid, group=account.gid, cwd="/"
        )
        assert said.split()[-1].decode() == found.version
        made = found.bin_dir.stat().st_ino
        assert find_installation(account, cache).bin_dir.stat().st_ino == made
        (found.bin_dir / "postgres").unlink()  # a copy that lost something is made again
        assert (find_installation(account, cache).bin_dir / "postgres").exists()
        cache.chmod(0o777)
        with pytest.raises(EmbeddedServerError, match="only root can write"):
            find_installation(account, cache)
