"""Options that several commands of `twinfeed` take."""

import functools
from collections.abc import Callable
from typing import Any

import click

_URL_HELP = "PostgreSQL or TimescaleDB URL; without one the embedded database is used."


def database_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --data-dir and --database-url."""

    @click.option("--data-dir", help="Directory of the embedded database.")
    @click.option("--database-url", help=_URL_HELP)
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        command(*args, **kwargs)

    return wrapped
