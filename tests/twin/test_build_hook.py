"""The build of the web pages where npm's registry cannot be reached."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hatchling.bridge.app import Application

from tests.support.server import free_port
from twin.viewer.build_hook import SOURCES, STAMP, ViewerBuildHook

pytestmark = pytest.mark.one_home
VIEWER = Path(__file__).parents[2] / "twin" / "viewer"


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook on a copy of the sources, with nothing in npm's cache and nobody at its registry."""
    copy = tmp_path / "twin" / "viewer"
    copy.mkdir(parents=True)
    for pattern in SOURCES[:2]:
        shutil.copy(VIEWER / pattern, copy)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    app = Application()
    return ViewerBuildHook(str(tmp_path), {}, None, None, str(tmp_path / "out"), "wheel", app)


def test_an_editable_install_goes_on_without_pages(
    hook: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.initialize("editable", {})
    assert "the web pages were not built: npm view" in capfd.readouterr().err
    assert not (tmp_path / "twin" / "viewer" / "dist" / STAMP).exists()


def test_a_wheel_is_not_made_without_pages(hook: Any) -> None:
    with pytest.raises(RuntimeError, match=r"npm view .* failed"):
        hook.initialize("standard", {})


def test_a_call_of_npm_does_not_last_for_ever(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.viewer.build_hook.NPM_TIMEOUT_S", 0.01)
    with pytest.raises(RuntimeError, match=r"took over 0\.01 s"):
        hook.initialize("standard", {})
