"""Receives an export and writes it down.

Invariant: a file that stands under its name is whole: it is written beside it and renamed at the end.
"""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import click
import httpx
from rich.console import Console
from rich.progress import (
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from twin.importer.sender import MAX_ATTEMPTS, TIMEOUT_S, wait_s

_DATASOURCE = re.compile(
    r"(?P<base>.*?)/(?:ingest|v1/datasources)/(?P<id>[0-9a-fA-F-]{36})(?:/.*)?"
)
_BUSY = (429, 503)


class ExportFailed(Exception):
    """The server does not give the readings, or not all of them; the message says why."""


def download(url: str, key: str, params: dict[str, str], output: str) -> int:
    """Write an export to a file, or with `-` to stdout; return the exit code."""
    console, started_s = Console(stderr=True), time.monotonic()
    try:
        with _target(output) as target, _progress(console) as progress:
            size = _receive(_endpoint(url), key, params, target, progress)
    except (ExportFailed, OSError) as exc:
        click.echo(f"twinfeed: {exc}", err=True)
        return 1
    seconds = time.monotonic() - started_s
    click.echo(f"{size:,} bytes of {params['format']} in {seconds:.1f} s", err=True)
    return 0


def _endpoint(url: str) -> str:
    found = _DATASOURCE.fullmatch(url)
    if found is None or urlsplit(url).scheme not in ("http", "https"):
        raise ExportFailed(f"'{url}' is not the URL of a datasource: …/v1/datasources/ID.")
    return f"{found['base']}/v1/datasources/{found['id']}/export"


def _receive(
    url: str, key: str, params: dict[str, str], target: BinaryIO, progress: Progress
) -> int:
    """Write the body to `target` and return its size. Raises ExportFailed."""
    headers = {"Authorization": f"Bearer {key.strip()}", "User-Agent": "twinfeed-export"}
    task = progress.add_task("receiving", total=None)
    size = 0
    try:
        with (
            httpx.Client(headers=headers, timeout=TIMEOUT_S) as client,
            _answered(client, url, params, progress) as answer,
        ):
            for chunk in answer.iter_bytes():
                target.write(chunk)
                size += len(chunk)
                progress.update(task, completed=size)
    except (httpx.TransportError, httpx.InvalidURL) as exc:
        told = f"The server broke off after {size:,} bytes" if size else "The server did not answer"
        raise ExportFailed(f"{told}: {exc or type(exc).__name__}") from exc
    return size


@contextmanager
def _answered(
    client: httpx.Client, url: str, params: dict[str, str], progress: Progress
) -> Iterator[httpx.Response]:
    """Give the answer with status 200; a server that is busy is asked again, bounded."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with client.stream("GET", url, params=params) as answer:
            if answer.status_code == 200:
                yield answer
                return
            answer.read()
            problem = f"The server answered {answer.status_code}: {_message(answer)}"
            if answer.status_code not in _BUSY or attempt == MAX_ATTEMPTS:
                raise ExportFailed(problem)
            pause_s = wait_s(attempt, answer.headers.get("Retry-After"))
        progress.console.print(f"{problem} Trying again in {pause_s:g} s.", markup=False)
        time.sleep(pause_s)


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


@contextmanager
def _target(output: str) -> Iterator[BinaryIO]:
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(f"{output}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
