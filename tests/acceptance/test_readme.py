"""The session that the README shows, run as it stands there."""

import json
import os
import re
import subprocess
from pathlib import Path

from support.server import RunningServer

README = Path(__file__).parents[2] / "README.md"


def test_the_session_of_the_readme(own_server: RunningServer, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh session\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    script = "\n".join(["set -euo pipefail", *blocks, "echo"])
    assert "http://127.0.0.1:8000" in script
    ran = subprocess.run(
        ["bash", "-c", script.replace("http://127.0.0.1:8000", own_server.url)],
        env={**os.environ, "TWINFEED_ADMIN_KEY": own_server.admin_key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    # The answers follow one another on one line.
    decoder, answers, rest = json.JSONDecoder(), [], ran.stdout.strip()
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
