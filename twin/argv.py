"""Keeps secrets that were typed as flags out of the list of processes.

Everybody on a machine can read the arguments of every process, and only its owner the environment.
Invariant: a command that was given a secret as a flag goes on with that moved into its environment.
"""

import os
import sys
from collections.abc import Mapping

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

FLAGS: Mapping[str, str] = {
    "--database-url": "TWINFEED_DATABASE_URL",
    "--broker": "TWINFEED_MQTT_BROKER",
    "--key": "TWINFEED_KEY",
}


def hide_secrets() -> None:
    """Start this command anew without the secrets among its arguments, if there are any."""
    arguments, moved = without_secrets(sys.argv[1:])
    if moved:
        # The interpreter's own options stay as they were.
        started = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
        os.execve(sys.executable, [*started, *arguments], {**os.environ, **moved})


def without_secrets(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return arguments without flags that carry a secret, and those by environment variable."""
    kept: list[str] = []
    moved: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if flag in FLAGS:
            value = value if equals else next(rest, "")
            if value and _is_secret(flag, value):
                moved[FLAGS[flag]] = value
                continue
            kept += [argument] if equals else [argument, value]
        else:
            kept.append(argument)
    return kept, moved


def _is_secret(flag: str, value: str) -> bool:
    if flag == "--key":
        return value.startswith("tf")
    if flag == "--broker":
        return "@" in value
    try:
        return bool(conninfo_to_dict(value).get("password"))
    except ProgrammingError:
        return False  # refused later, by one clear line
