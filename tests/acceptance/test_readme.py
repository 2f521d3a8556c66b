"""The sessions that the README and the page on scenes show, run as they stand there."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from support.server import RunningServer

pytestmark = pytest.mark.one_home

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
SCENES = ROOT / "docs" / "scenes.md"


def sessions(page: Path) -> list[str]:
    return re.findall(r"^```sh session\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def run(script: str, server: RunningServer, directory: Path) -> str:
    """Run what a page shows against a server; return what it printed."""
    assert "http://127.0.0.1:8000" in script
    ran = subprocess.run(
        ["bash", "-c", script.replace("http://127.0.0.1:8000", server.url)],
        env={**os.environ, "TWINFEED_ADMIN_KEY": server.admin_key},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_session_of_the_readme(own_server: RunningServer, tmp_path: Path) -> None:
    blocks = sessions(README)
    assert len(blocks) == 4
    printed = run("\n".join(["set -euo pipefail", *blocks, "echo"]), own_server, tmp_path)
    # The answers follow one another on one line.
    decoder, answers, rest = json.JSONDecoder(), [], printed.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    first, second, table, single, line, bar, rule = answers
    assert (first["accepted"], second["accepted"]) == (1, 2)
    assert (table["accepted"], table["dry_run"]) == (1, True)
    assert [column["role"] for column in table["columns"]] == ["time", "device", "key"]
    assert single["value"] == 42.5
    assert line["values"] == [42.5]
    assert bar["type"] == "bar"
    assert rule["condition"] == "greater_than"


def test_the_session_of_the_page_on_scenes(server: RunningServer, tmp_path: Path) -> None:
    blocks = [sessions(README)[0], *sessions(SCENES)]
    printed = run("\n".join(["set -euo pipefail", *blocks]), server, tmp_path)
    scene = json.loads((tmp_path / "scene.json").read_text())
    token = json.loads((tmp_path / "view.json").read_text())["token"]
    assert printed.endswith(f"}}{server.url}/viewer/{scene['id']}?token={token}\n")
    seen = server.client.get(
        f"/v1/scenes/{scene['id']}", headers={"Authorization": f"Bearer {token}"}
    )
    assert seen.json()["missing"] == {"asset_ids": [], "widget_ids": []}
    kinds = [binding["display"]["kind"] for binding in seen.json()["nodes"][1]["widgets"]]
    assert kinds == ["gauge", "color"]
