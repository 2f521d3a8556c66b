"""Times in tests."""

from datetime import datetime


def at(text: str) -> datetime:
    """Return RFC 3339 text as a time."""
    return datetime.fromisoformat(text)
