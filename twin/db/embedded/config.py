"""PostgreSQL's settings for the embedded server: decided here, from facts handed in."""

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True)
class HostFacts:
    """What the settings depend on."""

    memory_bytes: int
    disk_bytes: int
    has_lz4: bool


def configuration(facts: HostFacts, *, max_connections: int) -> dict[str, str]:
    """The settings as name → value, in PostgreSQL's units.

    An operator changes one with ALTER SYSTEM, which comes after them.
    """
    shared_mib = max(32, min(facts.memory_bytes // 4, 512 * _MIB) // _MIB)
    cache_mib = max(64, facts.memory_bytes // 2 // _MIB)
    # PostgreSQL keeps up to this much log: not more than an eighth of a small disk.
    wal_mib = max(128, min(facts.disk_bytes // 8, 4096 * _MIB) // _MIB)
    return {
        "cluster_name": "twinfeed",  # shown by ps
        # An acknowledged reading is a committed reading, and survives the power cord.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        # The other method, pglz, took 6 % off the log of an ingest run, and no time.
        "wal_compression": "lz4" if facts.has_lz4 else "off",
        # Few, spread checkpoints: after each, every page's first change goes to the WAL whole.
        "max_wal_size": f"{wal_mib}MB",
        "min_wal_size": f"{max(32, wal_mib // 8)}MB",  # two segments of 16 MB at least
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "max_connections": str(max_connections),
        # A query over years of daily partitions locks each of them and its index.
        "max_locks_per_transaction": "256",
        "shared_buffers": f"{shared_mib}MB",
        "effective_cache_size": f"{cache_mib}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{max(32, min(128, cache_mib // 8))}MB",
        "random_page_cost": "1.1",  # solid state disks
        "jit": "off",  # the build has none, and short queries would only pay for it
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Standard error is the log file: opened, and bounded, by the server.
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
    }


def render(settings: dict[str, str]) -> str:
    """The text of a configuration file."""
    lines = ["# Written by twinfeed at every start. To change a setting: ALTER SYSTEM SET …"]
    lines += [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
