"""What the OpenAPI document says is what the server does, whatever is sent.

Schemathesis makes requests of every operation, right ones and wrong ones, and runs all of its checks on
every answer: no 5xx, no status, header or body that is not described, no wrong input accepted, no key
ignored. Here it makes the same some thousands each time; TWINFEED_TEST_FUZZ=200 adds so many random
ones of each operation, and sequences of several.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import api_hooks
from support.access import as_key, made
from support.server import ADMIN_KEY, RunningServer
from support.things import things

FUZZ = os.environ.get("TWINFEED_TEST_FUZZ")
LIMIT_S = 7200 if FUZZ else 290
"""Some seconds of work, many on a busy machine."""
FEWEST = 4000
ABSENT = "00000000-0000-4000-8000-000000000000"
IDS = ("asset_id", "scene_id", "token_id", "datasource_id", "widget_id", "webhook_id", "alert_id")
MORE_IDS = ("silence_id", "delivery_id", "key_id", "application_id")

GENERAL = f"""
seed = 7
hooks = "{api_hooks.__file__}"
continue-on-failure = true
request-timeout = 60

# A 422 is a right answer to what fits the schema: rules between fields, names of time zones and the
# like stand in no JSON schema. So is a 413, and a 415 to a type that is described for another body.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 413, 415, 422]
"""
BODIES_OF_BYTES = """
# Line protocol, protobuf, tables and archives are described as bytes, and most bytes are none of them.
[[operations]]
include-path-regex = "^/(write|api/|query|v1/metrics|ingest/|v1/scenes/import)"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 413, 415, 422]
"""


def parameters(heading: str, values: dict[str, Any]) -> str:
    """Return a section of the configuration that fixes path parameters."""
    lines = [f'"path.{name}" = {json.dumps(value)}' for name, value in values.items()]
    return "\n".join([heading, *lines, ""])


def operations(pattern: str) -> str:
    return f'[[operations]]\ninclude-path-regex = "{pattern}"\n'


def configuration(server: RunningServer) -> str:
    """Return what Schemathesis is told: whose keys to use, and ids of things that are there."""
    operator = as_key(server, ADMIN_KEY)
    key, spare_key = (
        made(operator("POST", "/v1/organisations", {"name": name}))["key"]["api_key"]
        for name in ("asked", "may be shut out")
    )
    ids = things(server, as_key(server, key))
    rotated = parameters("[operations.parameters]", {"key_id": ids["ingest_key_id"]})
    in_path = parameters("[operations.parameters]", {"key": ids["ingest_key"]})
    absent = parameters("[operations.parameters]", dict.fromkeys((*IDS, *MORE_IDS), ABSENT))
    return "\n".join(
        [
            GENERAL,
            f'[auth.openapi."management key"]\nbearer = "{key}"',
            f'[auth.openapi."ingest key"]\nbearer = "{ids["ingest_key"]}"',
            parameters("[parameters]", {name: ids[name] for name in (*IDS, *MORE_IDS)}),
            f'[[operations]]\ninclude-method = "DELETE"\n{absent}',
            operations("^/v1/datasources/.*/keys/") + rotated,
            operations("telemetry$") + in_path,
            operations("^/v1/organisations$") + bearer(ADMIN_KEY),
            operations("^/v1/organisation$") + bearer(spare_key),
            BODIES_OF_BYTES,
        ]
    )


def bearer(key: str) -> str:
    return f'headers = {{Authorization = "Bearer {key}"}}\n'


@pytest.mark.one_home
@pytest.mark.timeout(LIMIT_S + 10)
def test_every_operation_answers_as_described(own_server: RunningServer, tmp_path: Path) -> None:
    told, report = tmp_path / "schemathesis.toml", tmp_path / "report.json"
    told.write_text(configuration(own_server))
    phases = ["--phases", "examples,coverage"]
    if FUZZ:
        phases = ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", FUZZ]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(told), "run"]
    options = ["--checks", "all", "--no-shrink", "--no-color", "--warnings", "off"]
    run = subprocess.run(
        [
            *command,
            f"{own_server.url}/openapi.json",
            *options,
            *phases,
            "--report-json-path",
            str(report),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2000:]
    found = json.loads(report.read_text())
    assert found["operations"]["tested"] == found["operations"]["total"] > 100
    assert found["test_cases"]["generated"] >= FEWEST
    rates = [rate["coverage"]["accepted"] for rate in found["valid_rates"].values()]
    assert sum(accepted > 0 for accepted in rates) > 20, "keys or ids were not taken"
