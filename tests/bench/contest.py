"""Several ways to store the same readings, measured in turn, round after round."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import psutil

from tests.bench.generator import Outcome
from tests.bench.report import Ratio, Table
from tests.bench.usage import Used

SETTLE_S = 6.0
"""Others may still be merging what they took before: so long is waited for the machine to be idle."""
IDLE_PERCENT = 12.0


@dataclass(frozen=True)
class Round:
    """What one measurement gave: `rate` in units a second, latencies in ms, CPU in seconds."""

    rate: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    generator_cpu_s: float | None = None
    server: Used | None = None
    database: Used | None = None


def measured(outcome: Outcome, server: Used, database: Used | None, values: float) -> Round:
    """Return a load's outcome as a round, `values` in every request."""
    return Round(
        outcome.per_second * values,
        outcome.latency_ms(50),
        outcome.latency_ms(99),
        outcome.cpu_s,
        server,
        database,
    )


@dataclass
class Contender:
    """A name and what measures it once."""

    name: str
    play: Callable[[], Round]
    rounds: list[Round] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """The rates, round by round."""
        return [r.rate for r in self.rounds]


def alternate(contenders: Sequence[Contender], rounds: int) -> None:
    """Measure every contender once a round, each on a machine as idle as it gets."""
    for _ in range(rounds):
        for contender in contenders:
            settle()
            contender.rounds.append(contender.play())


def settle() -> None:
    """Wait until the machine is idle, at most SETTLE_S."""
    deadline = time.monotonic() + SETTLE_S
    while psutil.cpu_percent(0.4) > IDLE_PERCENT and time.monotonic() < deadline:
        pass


def table(
    title: str,
    unit: str,
    contenders: Sequence[Contender],
    references: Sequence[str],
    show: Callable[[float], str],
) -> Table:
    """Return medians, the span of the rounds, and ratios to the references that took part."""
    by_name = {c.name: c for c in contenders}
    held = [name for name in references if name in by_name]
    shown = Table(
        title,
        ["", unit, "span", *[f"of {name}" for name in held], "p50", "p99"]
        + ["generator CPU", "server CPU", "database CPU", "server peak"],
    )
    for contender in contenders:
        last = contender.rounds[-1]
        shown.add(
            contender.name,
            show(median(contender.rates)),
            f"{show(min(contender.rates))} - {show(max(contender.rates))}",
            *[str(Ratio(contender.rates, by_name[name].rates)) for name in held],
            _ms([r.p50_ms for r in contender.rounds]),
            _ms([r.p99_ms for r in contender.rounds]),
            _seconds(last.generator_cpu_s),
            _seconds(last.server.cpu_s if last.server else None),
            _seconds(last.database.cpu_s if last.database else None),
            f"{last.server.peak_mib:.0f} MiB" if last.server else "",
        )
    return shown


def _ms(found: Sequence[float | None]) -> str:
    known = [value for value in found if value is not None]
    return f"{median(known):.1f} ms" if known else ""


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
