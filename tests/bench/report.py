"""Tables of results, in Markdown."""

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Table:
    """Rows of text under a title."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(list(cells))

    def render(self) -> str:
        """Return the table, its columns aligned."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        shown = [_line(line, widths) for line in lines]
        shown.insert(1, _line(["-" * w for w in widths], widths))
        parts = [f"### {self.title}", "", *shown]
        if self.notes:
            parts += ["", *self.notes]
        return "\n".join(parts) + "\n"


@dataclass
class Tables:
    """Several tables of one load."""

    tables: list[Table]

    def render(self) -> str:
        """Return them one after the other."""
        return "\n".join(table.render() for table in self.tables)


def _line(cells: list[str], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([first, *rest]) + " |"


def millions(value: float) -> str:
    """Return a count in millions."""
    return f"{value / 1e6:.2f} M"


class Ratio:
    """A subject against its reference, round by round."""

    def __init__(self, subject: list[float], reference: list[float]) -> None:
        """Compare what was measured right after one another."""
        self.rounds = [s / r for s, r in zip(subject, reference, strict=True)]
        self.median = median(self.rounds)

    def __str__(self) -> str:
        """Return the median and, of several rounds, the span."""
        if len(self.rounds) == 1:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({min(self.rounds):.2f}-{max(self.rounds):.2f})"

    def against(self, goal: float) -> str:
        """Return whether the median reaches a goal."""
        reached = "reached" if self.median >= goal else "missed"
        return f"{self.median:.2f}, goal {goal:.2f}: {reached}"
