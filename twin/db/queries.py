"""Named SQL. A `.sql` file holds queries, each opened by `-- name: what` and described by comments.

    -- name: find_datasource
    -- The datasource with this public id, if it is not deleted.
    SELECT …

The loader keeps the text as written; parameters are psycopg's %s and %(name)s.
"""

import re
from functools import cache
from importlib import resources

_HEAD = re.compile(r"^-- name:\s*(\w+)\s*$", re.MULTILINE)


class Queries:
    """The queries of one `.sql` file, by name: ``queries["find_datasource"]``."""

    def __init__(self, text: str, origin: str) -> None:
        """Split a file's text at its name lines. Raises ValueError for a name given twice."""
        parts = _HEAD.split(text)
        self._by_name: dict[str, bytes] = {}
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            if name in self._by_name:
                raise ValueError(f"{origin} names {name} twice")
            self._by_name[name] = body.strip().encode()

    def __getitem__(self, name: str) -> bytes:
        """Return a query's SQL. Raises KeyError when there is none of that name."""
        return self._by_name[name]

    def names(self) -> list[str]:
        """Return the names of all queries in the file."""
        return list(self._by_name)


@cache
def load(package: str, file: str) -> Queries:
    """Return the queries of ``<package>/sql/<file>.sql``."""
    path = resources.files(package) / "sql" / f"{file}.sql"
    return Queries(path.read_text("utf-8"), f"{package}/sql/{file}.sql")
