"""Tables of results, in Markdown."""

from dataclasses import dataclass, field


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


def _line(cells: list[str], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "| " + " | ".join([first, *rest]) + " |"


def millions(value: float) -> str:
    """Return a count in millions."""
    return f"{value / 1e6:.2f} M"


def goal(ratio: float, least: float) -> str:
    """Return a ratio and whether it reaches what it must."""
    return f"{ratio:.2f} (goal {least:.2f}: {'reached' if ratio >= least else 'missed'})"
