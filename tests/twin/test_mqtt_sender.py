"""What the bridge makes of each answer; a server that is a function."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from twin.mqtt import sender as module
from twin.mqtt.sender import Entry, Sender, Verdict

URL = "http://x/ingest/1"


def ok(accepted: int, *errors: dict[str, Any], rejected: int | None = None) -> httpx.Response:
    count = len(errors) if rejected is None else rejected
    body = {"accepted": accepted, "rejected": count, "errors": list(errors)}
    if accepted:
        return httpx.Response(200, json=body)
    return httpx.Response(422, json=body | {"error": "VALIDATION_ERROR", "message": "none"})


def sent(
    entries: list[Entry],
    answer: Callable[[Any], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Verdict, list[Any], list[float]]:
    """Return the verdict, the bodies that were posted and the pauses."""
    bodies: list[Any] = []
    pauses: list[float] = []

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer tfi_x"
        bodies.append(json.loads(request.content))
        return answer(bodies[-1])

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def send() -> Verdict:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
            return await Sender(URL, "tfi_x", client).send(entries)

    monkeypatch.setattr(module.asyncio, "sleep", pause)
    return asyncio.run(send()), bodies, pauses


def rows(count: int) -> list[Entry]:
    return [Entry(number, {"n": number}) for number in range(count)]


def test_documents_are_requests_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [*rows(2), Entry(2, {"values": {"n": [1]}}, is_document=True), *rows(1)]
    verdict, bodies, _ = sent(entries, lambda _: ok(1), monkeypatch)
    assert bodies == [[{"n": 0}, {"n": 1}], {"values": {"n": [1]}}, [{"n": 0}]]
    assert verdict.accepted == 3


def test_faults_go_to_their_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry(7, {"n": 0}), Entry(9, {"n": 1}), Entry(9, {"n": 2})]
    faults = [{"index": 1, "key": "n", "message": "is bad"}, {"index": 2, "message": "is worse"}]
    verdict, _, _ = sent(entries, lambda _: ok(1, *faults), monkeypatch)
    assert (verdict.accepted, verdict.rejected) == (1, 2)
    assert verdict.reasons == {9: ["n: is bad", "is worse"]}


@pytest.mark.parametrize("counted", [{}, {"accepted": 0, "rejected": 0}])
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_halved(
    status: int, counted: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(body: Any) -> httpx.Response:
        if {"n": 2} in body:
            return httpx.Response(status, json={"error": "E", "message": "no 2", **counted})
        return ok(len(body))

    verdict, bodies, pauses = sent(rows(4), answer, monkeypatch)
    assert (verdict.accepted, verdict.rejected) == (3, 1)
    assert verdict.reasons == {2: ["no 2"]}
    assert len(bodies) == 5
    assert pauses == []


def test_more_faults_than_are_listed_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(body: Any) -> httpx.Response:
        faults = [{"index": i, "message": f"no {x['n']}"} for i, x in enumerate(body)]
        return ok(0, *faults[:2], rejected=len(body))

    verdict, _, _ = sent(rows(7), answer, monkeypatch)
    assert verdict.rejected == 7
    assert verdict.reasons == {n: [f"no {n}"] for n in range(7)}


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(401, json={"error": "UNAUTHORIZED", "message": "no key"}),
        httpx.Response(404, json={"error": "NOT_FOUND", "message": "gone"}),
        httpx.Response(500, text="oops"),
        httpx.Response(503, json={"error": "OVERLOADED", "message": "busy"}),
        httpx.Response(200, text="<html>a proxy's login page</html>"),
        httpx.Response(400, text="a proxy's error"),
        httpx.Response(422, json={"detail": "of another server"}),
        httpx.ConnectError("refused"),
    ],
)
def test_what_says_nothing_of_the_readings_is_tried_again(
    failure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [failure] * 12

    def answer(_: Any) -> httpx.Response:
        if failures:
            found = failures.pop()
            if isinstance(found, Exception):
                raise found
            return httpx.Response(found.status_code, content=found.content)
        return ok(1)

    verdict, bodies, pauses = sent(rows(1), answer, monkeypatch)
    assert (verdict.accepted, verdict.rejected) == (1, 0)
    assert len(bodies) == 13
    assert pauses[:6] == [0.5, 1, 2, 4, 8, 15]
    assert pauses[-1] == 15


def test_the_server_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [ok(1), httpx.Response(503, headers={"Retry-After": "7"})]
    _, _, pauses = sent(rows(1), lambda _: answers.pop(), monkeypatch)
    assert pauses == [7]
