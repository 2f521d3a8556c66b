"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`batches` a round of batches, `seconds` a round of anything else."""

    rounds: int
    batches: int
    seconds: float
    deliveries: int
    line_devices: int
    year_days: int
    export_values: int


FULL = Options(
    rounds=3,
    batches=160,
    seconds=5.0,
    deliveries=300,
    line_devices=10,
    year_days=365,
    export_values=10_000_000,
)
QUICK = Options(
    rounds=1,
    batches=32,
    seconds=2.0,
    deliveries=50,
    line_devices=1,
    year_days=10,
    export_values=1_000_000,
)
