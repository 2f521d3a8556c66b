"""Asks OSV, the database of known vulnerabilities, about every locked version.

Exits 1 when one is known to be vulnerable; says "skipped" and exits 0 when OSV cannot be reached.
OSV_URL names another server of the same protocol.
"""

import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

URL = "https://api.osv.dev/v1/querybatch"
TIMEOUT_S = 10.0
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def locked(files: list[Path]) -> list[tuple[str, str]]:
    """Return the (name, version) pairs that the lock files pin."""
    return sorted({pair for file in files for pair in PINNED.findall(file.read_text())})


def ask(url: str, pins: list[tuple[str, str]]) -> list[list[str]]:
    """Return the ids of each pin's known vulnerabilities. Raises OSError, ValueError."""
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in pins
    ]
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        results = json.load(answer)["results"]
    if len(results) != len(pins):
        raise ValueError("not an answer for every package")
    return [[found["id"] for found in result.get("vulns", [])] for result in results]


def main(files: list[Path]) -> int:
    """Tell what is known; return the exit code."""
    pins = locked(files)
    if not pins:
        sys.stderr.write("audit: no locked versions found\n")
        return 1
    try:
        known = ask(os.environ.get("OSV_URL", URL), pins)
    except (OSError, ValueError, KeyError) as exc:
        sys.stdout.write(f"audit: skipped: not reachable ({exc})\n")
        return 0
    vulnerable = 0
    for (name, version), ids in zip(pins, known, strict=True):
        if ids:
            vulnerable += 1
            sys.stderr.write(f"audit: {name} {version}: {', '.join(ids)}\n")
    sys.stdout.write(f"audit: {vulnerable} of {len(pins)} locked versions known to be vulnerable\n")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
