"""Posts batches to an ingestion URL. A refused connection, 429 and 5xx are tried again, bounded.

Trying again is safe: readings carry their times, and the same reading twice is one reading.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from twin.importer.batches import Batch, Fault
from twin.importer.errors import ImportFailed

MAX_ATTEMPTS = 8
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 15.0
"""Waits double up to this; seven of them are about 45 seconds, enough for a server's restart."""
MAX_RETRY_AFTER_S = 60.0
"""A server that asks for a longer pause is asked again after this."""
TIMEOUT_S = 60.0
FILE_TIMEOUT_S = 900.0
"""A file is answered for once all of it is stored."""

_RETRIED = frozenset({429, 500, 502, 503, 504})
_GZIP_WBITS = 31
_FAST = 1
_PACKED = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


class Outcome(msgspec.Struct):
    """What became of a batch."""

    accepted: int = 0
    rejected: int = 0
    faults: list[Fault] = []


class _Answer(msgspec.Struct):
    """The fields that an ingest answer and an error share, with defaults where one lacks them."""

    accepted: int | None = None
    rejected: int = 0
    errors: list[dict[str, Any]] = []
    message: str = ""


def wait_s(attempt: int, retry_after: str | None) -> float:
    """Return how long to wait after failed attempt 1, 2, …; the server's integer word counts."""
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), MAX_RETRY_AFTER_S)
    return min(FIRST_WAIT_S * (1 << (attempt - 1)), MAX_WAIT_S)


class Sender:
    """A connection to one datasource. Close it, or use it in a `with`."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        notice: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Send to `url` with `key`; `notice` is told of every wait. Raises ImportFailed."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ImportFailed(f"'{url}' is not a URL: it must begin with http:// or https://.")
        if not key.strip().isascii() or not key.strip().isprintable():
            raise ImportFailed("The key holds characters that no key has.")
        self._url = url
        self._notice = notice
        self._sleep = sleep
        headers = {
            "Authorization": f"Bearer {key.strip()}",
            "User-Agent": "twinfeed-import",
        }
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT_S)

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.close()

    def send(self, batch: Batch) -> Outcome:
        """Deliver a batch. Raises ImportFailed when the server does not take it, now or ever."""
        outcome = Outcome(0, len(batch.faults), list(batch.faults))
        if batch.lines:
            self._send_rows(batch, 0, len(batch.lines), outcome)
        outcome.faults.sort(key=lambda fault: fault.line)
        return outcome

    def _send_rows(self, batch: Batch, start: int, stop: int, outcome: Outcome) -> None:
        response = self._post(batch.body(start, stop))
        if response.status_code == 413 and stop - start > 1:
            middle = (start + stop) // 2
            self._send_rows(batch, start, middle, outcome)
            self._send_rows(batch, middle, stop, outcome)
            return
        answer = _judged(response)
        outcome.accepted += answer.accepted or 0
        outcome.rejected += answer.rejected
        outcome.faults += [_fault(error, batch.lines, start) for error in answer.errors]

    def send_file(
        self, make: Callable[[], Iterator[bytes]], headers: dict[str, str], params: dict[str, str]
    ) -> Outcome:
        """Send a file as it is, read anew for every attempt. Raises ImportFailed.

        Faults are at the places of readings in the file, from 1.
        """

        def post() -> httpx.Response:
            url = httpx.URL(self._url).copy_merge_params(params)
            return self._client.post(url, content=make(), headers=headers, timeout=FILE_TIMEOUT_S)

        response = self._insist(post)
        answer = _judged(response)
        accepted = answer.accepted or 0
        places = range(1, max(accepted + answer.rejected, 1) + 1)
        faults = [_fault(error, places, 0) for error in answer.errors]
        return Outcome(accepted, answer.rejected, faults)

    def _post(self, body: bytes) -> httpx.Response:
        packed = zlib.compress(body, level=_FAST, wbits=_GZIP_WBITS)
        return self._insist(lambda: self._client.post(self._url, content=packed, headers=_PACKED))

    def _insist(self, post: Callable[[], httpx.Response]) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            retry_after = None
            try:
                response = post()
            except httpx.TransportError as exc:
                problem = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            except httpx.InvalidURL as exc:
                raise ImportFailed(f"'{self._url}' is not a URL: {exc}.") from exc
            else:
                if response.status_code not in _RETRIED:
                    return response
                retry_after = response.headers.get("Retry-After")
                problem = _refusal(response.status_code, _read(response).message)
            if attempt >= MAX_ATTEMPTS:
                raise ImportFailed(f"Given up after {attempt} attempts. {problem}")
            pause_s = wait_s(attempt, retry_after)
            self._notice(f"{problem} Trying again in {pause_s:g} s.")
            self._sleep(pause_s)


def _judged(response: httpx.Response) -> _Answer:
    """Return what the server says of the readings. Raises ImportFailed when it refused the body."""
    answer = _read(response)
    is_judged = response.status_code == 200 or (
        response.status_code == 422 and answer.rejected > 0  # else it was refused as a whole
    )
    if answer.accepted is None or not is_judged:
        raise ImportFailed(_refusal(response.status_code, answer.message))
    return answer


def _read(response: httpx.Response) -> _Answer:
    try:
        return msgspec.json.decode(response.content, type=_Answer)
    except msgspec.DecodeError:
        return _Answer()


def _refusal(status: int, message: str) -> str:
    return f"The server answered {status}" + (f": {message}" if message else ".")


def _fault(error: dict[str, Any], lines: Sequence[int], start: int) -> Fault:
    index, key = error.get("index"), error.get("key")
    row = start + index if isinstance(index, int) else start
    line = lines[row] if 0 <= row < len(lines) else lines[start]
    message = str(error.get("message", ""))
    return Fault(line, f"{key}: {message}" if key else message)
