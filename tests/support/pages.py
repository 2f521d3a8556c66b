"""The examples of the documentation: blocks of code by their name, made to point at a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.server import Datasource
from support.stored import stored

SENDERS = Path(__file__).parents[2] / "docs" / "senders"
_BLOCK = re.compile(r"^```(\S+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


def blocks(page: str) -> dict[str, str]:
    """Return the named blocks of a page (```language name) as they stand there."""
    return {name: text for _, name, text in _BLOCK.findall((SENDERS / page).read_text("utf-8"))}


def example(page: str, name: str, datasource: Datasource, **more: str) -> str:
    """Return a block with the placeholders that the index page names filled in, and `more` replaced."""
    text = blocks(page)[name]
    host, _, port = datasource.server.url.removeprefix("http://").partition(":")
    filled = {
        ADDRESS: datasource.server.url,
        "DATASOURCE_ID": datasource.id,
        "INGEST_KEY": datasource.key,
        "TWINFEED_HOST": host,
        "TWINFEED_PORT": port,
    }
    for there, here in {**filled, **more}.items():
        text = text.replace(there, here)
    return text


def merged(datasource: Datasource) -> dict[str, dict[str, Any]]:
    """What each device sent, whenever it did."""
    found: dict[str, dict[str, Any]] = {}
    for (device, _), values in sorted(stored(datasource).items()):
        found.setdefault(device, {}).update(values)
    return found


def bash(script: str, directory: Path, **environment: str) -> str:
    """Run a script in a directory; return what it prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def python(script: str, directory: Path, **environment: str) -> None:
    """Run a script in a directory; warnings are errors."""
    path = directory / "example.py"
    path.write_text(script)
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(path)]
    env = {**os.environ, **environment}
    subprocess.run(command, cwd=directory, check=True, timeout=60, env=env)
