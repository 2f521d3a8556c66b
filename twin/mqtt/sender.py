"""Posts what messages say to an ingestion URL until it is committed or refused for good.

Only an answer that speaks of the readings themselves ends a post. Everything else, a wrong key included,
is tried again for ever, with growing pauses: the broker keeps what is not acknowledged meanwhile.
"""

import asyncio
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import httpx
import msgspec
import structlog

from twin.importer.sender import wait_s

TIMEOUT_S = 60.0
MAX_EXPONENT = 8
"""Pauses stop growing long before; the power must not grow for days."""
MAX_REASONS = 3
"""Of a message with many bad keys or readings, so many are told."""

_OK = 200
_TOO_LARGE = 413
_REFUSALS = frozenset({400, 422})
log = structlog.get_logger("twin.mqtt")


class Entry(msgspec.Struct, frozen=True):
    """A reading, or a document that is a request by itself, and the message that it came from."""

    message: int
    content: Any
    is_document: bool = False


class Verdict(msgspec.Struct):
    """What became of a batch: readings stored and rejected, and why, by message."""

    accepted: int = 0
    rejected: int = 0
    reasons: dict[int, list[str]] = {}

    def blame(self, message: int, reason: str) -> None:
        """Add a reason why readings of a message were rejected."""
        told = self.reasons.setdefault(message, [])
        if len(told) < MAX_REASONS:
            told.append(reason)


class _Fault(msgspec.Struct):
    message: str
    index: int = 0
    key: str | None = None


class _Answer(msgspec.Struct):
    accepted: int | None = None
    rejected: int = 0
    errors: list[_Fault] = []
    error: str = ""
    message: str = ""


class Sender:
    """Posts to one datasource. Close its client."""

    def __init__(self, url: str, key: str, client: httpx.AsyncClient) -> None:
        """Post to `url` with `key`."""
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": "twinfeed-mqtt",
        }
        self._client = client

    async def send(self, entries: list[Entry]) -> Verdict:
        """Return once every entry is committed or refused for good."""
        verdict = Verdict()
        for request in _requests(entries):
            await self._send(request, verdict)
        return verdict

    async def _send(self, entries: list[Entry], verdict: Verdict) -> None:
        is_document = entries[0].is_document
        body: Any = entries[0].content if is_document else [entry.content for entry in entries]
        status, answer = await self._post(msgspec.json.encode(body))
        counted = (answer.accepted or 0) + answer.rejected  # 0: it was refused as a whole
        is_judged = counted > 0 and answer.rejected <= len(answer.errors)
        if not is_judged and len(entries) > 1:
            # Too large, or more faults than an answer lists: half of it says more.
            middle = len(entries) // 2
            await self._send(entries[:middle], verdict)
            await self._send(entries[middle:], verdict)
            return
        if answer.accepted is None or not counted:
            reason = answer.message or f"the server answered {status}"
            verdict.rejected += 1
            verdict.blame(entries[0].message, _told(reason, answer.errors))
            return
        verdict.accepted += answer.accepted
        verdict.rejected += answer.rejected
        for fault in answer.errors:
            at = 0 if is_document or not 0 <= fault.index < len(entries) else fault.index
            verdict.blame(entries[at].message, _said(fault))

    async def _post(self, body: bytes) -> tuple[int, _Answer]:
        """Return the first answer that is about the readings."""
        attempt = 0
        while True:
            attempt += 1
            retry_after = None
            try:
                response = await self._client.post(self._url, content=body, headers=self._headers)
            except httpx.TransportError as exc:
                event, problem = "server away", f"{type(exc).__name__} {exc}".strip()
            else:
                answer = _read(response)
                if _is_verdict(response.status_code, answer):
                    if attempt > 1:
                        log.info("server back", attempts=attempt)
                    return response.status_code, answer
                event = "server does not take readings"
                problem = f"{response.status_code} {answer.message}".strip()
                retry_after = response.headers.get("Retry-After")
            pause_s = wait_s(min(attempt, MAX_EXPONENT), retry_after)
            log.warning(event, problem=problem, attempt=attempt, retry_in_s=pause_s)
            await asyncio.sleep(pause_s)


def _requests(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Yield neighbours that share a request, in order."""
    for is_document, found in groupby(entries, key=lambda entry: entry.is_document):
        if is_document:
            yield from ([entry] for entry in found)
        else:
            yield list(found)


def _is_verdict(status: int, answer: _Answer) -> bool:
    # A proxy's own 400 or 200 is none: it would count messages as dealt with.
    if status == _TOO_LARGE:
        return True
    if status == _OK:
        return answer.accepted is not None
    return status in _REFUSALS and bool(answer.error)


def _read(response: httpx.Response) -> _Answer:
    try:
        return msgspec.json.decode(response.content, type=_Answer)
    except msgspec.DecodeError:
        return _Answer()


def _told(reason: str, faults: list[_Fault]) -> str:
    return " ".join([reason, *(_said(fault) for fault in faults[:MAX_REASONS])])


def _said(fault: _Fault) -> str:
    return f"{fault.key}: {fault.message}" if fault.key else fault.message
