"""What a backup says of itself. Decisions only: no files, no database."""

import msgspec

from twin.db.capabilities import Home
from twin.db.migrate import migrations
from twin.errors import StartupError

FORMAT = "twinfeed backup 1"
READINGS = "readings"
DERIVED = frozenset(
    {
        # Of the database itself; the manifest names them.
        "home",
        "migrations",
        # Kept as a file of its own, because homes keep it in different places.
        "kept_key",
        # Of one home only.
        "readings_partitioning",
        # Made anew from the readings, as tables or continuous aggregates.
        "rollup_mark",
        "rollup_dirty",
        "rollup_1m",
        "rollup_5m",
        "rollup_15m",
        "rollup_1h",
        # What views there are in another schema, which a job makes anew.
        "sql_views",
    }
)
"""Tables that a backup leaves out. Every other one is in it, also one that is added later."""


class Applied(msgspec.Struct, frozen=True):
    """A migration that the database had."""

    version: int
    digest: str


class TablePart(msgspec.Struct, frozen=True):
    """A table's rows: a file in PostgreSQL's binary COPY format, compressed with zstd."""

    file: str
    table: str
    columns: list[str]
    rows: int


class ReadingsPart(msgspec.Struct, frozen=True):
    """The readings of [from_us, to_us), a file like a table's."""

    file: str
    from_us: int
    to_us: int
    rows: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a restore has to know before it begins."""

    format: str = FORMAT
    twinfeed: str
    created_at: str
    home: Home
    server_version: str
    migrations: list[Applied]
    tables: list[TablePart]
    readings_columns: list[str]
    readings: list[ReadingsPart]
    sequences: dict[str, int]
    """Name → the last number it gave."""
    sealed_sample: str | None
    """One of the sealed secrets: tells a restore whether it has their key."""

    @property
    def newest_migration(self) -> int:
        """The version that the tables have."""
        return max(applied.version for applied in self.migrations)

    @property
    def rows_total(self) -> int:
        """All readings."""
        return sum(part.rows for part in self.readings)


def check_migrations(manifest: Manifest) -> None:
    """Raise StartupError unless this program knows every migration that the backup's database had."""
    known = {migration.version: migration.digest for migration in migrations(manifest.home)}
    for applied in manifest.migrations:
        if applied.version not in known:
            raise StartupError(
                f"This backup was made by a newer Twinfeed ({manifest.twinfeed}): upgrade this one."
            )
        if known[applied.version] != applied.digest:
            raise StartupError(
                f"Migration {applied.version:04} of this backup differs from this program's."
            )
    if not manifest.migrations:
        raise StartupError("This backup names no migrations.")
