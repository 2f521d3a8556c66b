"""Courses: timelines as a plant engineer writes them, played on a real database by a clock of the test.

A line is its second, what happens then, the states it leads to, and after a colon what the receiver is
told. What happens is a reading (a temperature, values by key as `pressure=6`, `85@3` for one of another
second) or a word, see `Player`. `normal@79200` began at another second, `normal@now` when a person
acted.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from alerts.clock import AlertClock
from alerts.delivery import Delivery
from alerts.hook import AlertHook
from alerts.rules import RulePatch
from alerts.silences import SilenceStore
from alerts.upkeep import close_vanished
from alerts.views import NewSilence
from support.plant import Plant
from support.receiver import Receiver
from support.telling import settled
from twin.clock import now_us, to_datetime
from twin.datasources.removal import plan_removal, remove_readings

WEEK_S = 7 * 86_400
MONDAY_S = 1_704_067_200
"""2024-01-01T00:00:00Z, a Monday. Courses begin a week apart, each with its own device."""
STATES = {"pending", "firing", "normal", "info", "warning", "critical"}
NOW = math.inf

Moment = tuple[str, float]
"""(state, second)."""


class Line(msgspec.Struct):
    """One line of a course."""

    second: float
    what: list[str]
    states: list[Moment]
    told: list[Moment]


def read(course: str) -> list[Line]:
    """Return the lines of a course."""
    return [_line(*line.partition(":")[::2]) for line in course.strip().splitlines()]


def _line(left: str, told: str) -> Line:
    second, *rest = left.split()
    what = [word for word in rest if word.partition("@")[0] not in STATES]
    states = [word for word in rest if word not in what]
    at = float(second)
    return Line(at, what, [_moment(s, at) for s in states], [_moment(s, at) for s in told.split()])


def _moment(word: str, second: float) -> Moment:
    state, _, at = word.partition("@")
    return state, NOW if at == "now" else float(at or second)


class Player:
    """Plays courses on one plant, one after the other, and says what came of each.

    Words: look = the alert clock looks; off, on, delete = of the rule; limit 90 = its threshold is
    changed; silence, speak = a silence begins, or ends; forget = the device's readings are deleted.
    """

    def __init__(self, plant: Plant, worker: Delivery, desk: Receiver, webhook: UUID) -> None:
        self.plant, self.desk, self.webhook = plant, desk, webhook
        self.second = 0.0
        plant.start_us = MONDAY_S * 1_000_000
        plant.hook = AlertHook(plant.ground, worker.wake, self.now_us)
        self.clock = AlertClock(plant.ground, plant.hook.keeper, self.now_us)
        self.device, self.escalates = "", False
        self.rule: Any = None
        self.silence: Any = None

    def now_us(self) -> int:
        return self.plant.start_us + round(self.second * 1_000_000)

    async def play(
        self, device: str, spec: Mapping[str, Any], course: list[Line]
    ) -> tuple[list[Moment], list[Moment]]:
        """Return the states that a course led to, and what was told, in order."""
        self.device, self.second, self.escalates = device, 0.0, "escalation" in spec
        fields = {"severity": "critical", **spec, "device": device, "webhooks": [self.webhook]}
        self.rule = await self.plant.add_rule(
            fields.pop("condition", None), fields.pop("threshold", None), **fields
        )
        # As old as the plant: what is silent is counted from then on.
        await self.plant.query(
            "UPDATE alert_rules SET asked_at = %s WHERE id = %s RETURNING 1",
            to_datetime(self.plant.start_us),
            self.rule.id,
        )
        expected = 0
        for line in course:
            self.second = line.second
            await self._happen(line.what)
            expected += len(line.told)
            async with asyncio.timeout(10):
                while len(self._told()) < expected:
                    await asyncio.sleep(0.01)
            await settled(self.plant)
        events = await self.plant.events(device=device)
        states = [(self._named(e.state, e.severity), self._at(e.ts)) for e in events]
        told = self._told()
        self.plant.start_us += WEEK_S * 1_000_000
        return states, told

    async def _happen(self, what: list[str]) -> None:
        rules, silences = self.plant.rules, SilenceStore(self.plant.ground, self.plant.principal)
        match what:
            case ["look"]:
                await self.clock.look()
            case ["off"] | ["on"]:
                await rules.patch(self.rule.id, RulePatch(is_active=what == ["on"]))
            case ["limit", limit]:
                await rules.patch(self.rule.id, RulePatch(threshold=float(limit)))
            case ["delete"]:
                await rules.delete(self.rule.id)
            case ["silence"]:
                until = to_datetime(now_us() + 3_600_000_000)
                made = await silences.create(NewSilence(until=until, device=self.device))
                self.silence = made.id
            case ["speak"]:
                await silences.end(self.silence)
            case ["forget"]:
                schema = self.plant.schema
                removal = plan_removal(schema, None, None, self.device, None)
                await remove_readings(self.plant.ground, schema, removal)
                await close_vanished(self.plant.ground)
            case _:
                await self._send(what)

    async def _send(self, words: list[str]) -> None:
        at, values = self.second, {}
        for word in words:
            value, _, second = word.partition("@")
            key, _, number = value.rpartition("=")
            values[key or "temperature"] = float(number)
            at = float(second) if second else at
        await self.plant.send((self.device, at, values))

    def _told(self) -> list[Moment]:
        """Return what was told of the device so far."""
        alerts = [a for request in self.desk.received for a in request.json["alerts"]]
        return [self._moment(a) for a in alerts if a["labels"]["device"] == self.device]

    def _moment(self, alert: Any) -> Moment:
        if alert["status"] == "resolved":
            return "resolved", self._at(datetime.fromisoformat(alert["endsAt"]))
        severity = alert["labels"]["severity"]
        return self._named("firing", severity), self._at(datetime.fromisoformat(alert["startsAt"]))

    def _named(self, state: str, severity: str) -> str:
        return severity if state == "firing" and self.escalates else state

    def _at(self, moment: datetime) -> float:
        second = round(moment.timestamp() - self.plant.start_us / 1_000_000, 3)
        return second if second < WEEK_S else NOW
