"""The web pages' own checks: strict types, and the unit tests of what needs no browser."""

import subprocess
from pathlib import Path

import pytest
from support.nodejs import NODE

VIEWER = Path(__file__).parents[2] / "twin" / "viewer"
PROGRAMS = VIEWER / "node_modules"

pytestmark = pytest.mark.skipif(
    not PROGRAMS.is_dir(), reason="twin/viewer/node_modules is absent: the build makes it"
)


@pytest.mark.parametrize(
    "command", [["typescript/bin/tsc"], ["vitest/vitest.mjs", "run"]], ids=["types", "units"]
)
def test_the_pages(command: list[str]) -> None:
    program, *arguments = command
    done = subprocess.run(
        [NODE, PROGRAMS / program, *arguments],
        cwd=VIEWER,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
