"""How long finding a key takes says nothing about the key: it is looked up by its hash."""

import ast
import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from twin.db.migrate import migrate
from twin.db.pool import conninfo
from twin.errors import Unauthorized
from twin.keys.directory import KeyDirectory

ROOT = Path(__file__).parents[2]
SEE_KEYS = ("twin/auth.py", "twin/gate.py", "twin/sessions.py", "twin/keys", "twin/applications")
SEE_KEYS += ("twin/scenes/tokens.py", "twin/datasources", "ingest/http.py", "ingest/foreign")
HEX = "0123456789abcdef" * 4
KEYS = ("tfi_" + HEX, "tfi_" + HEX[::-1], "tfi_", "", "tfi_" + HEX[:-1] + "0", "no key at all")


class Database:
    """Stands in for pool and connection; knows one hash and keeps what it is asked."""

    def __init__(self, known: str) -> None:
        self._known = hashlib.sha256(known.encode()).digest()
        self.asked: list[tuple[bytes, Any]] = []

    @asynccontextmanager
    async def everyone(self) -> AsyncIterator["Database"]:
        yield self

    async def execute(self, query: bytes, params: Any) -> "Database":
        self.asked.append((query, params))
        return self

    async def fetchone(self) -> Any:
        row = (1, "id", "key", None, None, datetime(2100, 1, 1, tzinfo=UTC))
        return row if self.asked[-1][1] == [self._known] else None


class Deaf:
    """A notifier that is connected and never told anything."""

    connected = True

    def subscribe(self, _topic: str, _callback: object) -> None:
        pass

    def on_lost(self, _callback: object) -> None:
        pass


def test_every_key_is_asked_for_by_its_hash_and_in_the_same_way() -> None:
    database = Database(KEYS[0])
    directory = KeyDirectory(database, Deaf())  # type: ignore[arg-type]

    async def run() -> None:
        for key in KEYS:
            if key == KEYS[0]:
                await directory.ingest(key.encode())
            else:
                with pytest.raises(Unauthorized):
                    await directory.ingest(key.encode())

    asyncio.run(run())
    assert len({query for query, _ in database.asked}) == 1
    hashes = [[hashlib.sha256(key.encode()).digest()] for key in KEYS]
    assert [params for _, params in database.asked] == hashes
    assert directory.cached_ingest(KEYS[0].encode(), 0) is not None
    assert directory.cached_ingest(KEYS[1].encode(), 0) is None
    assert HEX not in repr(vars(directory)), "a key is kept"


def _modules() -> list[Path]:
    found = [ROOT / name for name in SEE_KEYS]
    return [path for each in found for path in ([each] if each.is_file() else each.rglob("*.py"))]


def _named(node: ast.AST) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_key_is_compared_letter_by_letter(path: Path) -> None:
    compared = [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any("secret" in _named(n) for n in (node.left, *node.comparators))
        and not all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops)
    ]
    assert compared == []


def test_the_database_holds_hashes_and_sealed_secrets_only(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(conninfo(database_url)) as conn:
        rows = conn.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'twinfeed' AND column_name ~ 'secret|token|api_key|password'"
            " AND NOT column_name ~ '_id$' AND data_type <> 'boolean'"
        ).fetchall()
    hashed = {row for row in rows if row[1] == "secret_hash"}
    assert {kind for _, _, kind in hashed} == {"bytea"}
    assert {table for table, _, _ in hashed} >= {"management_secrets", "ingest_secrets", "sessions"}
    assert {(table, column) for table, column, _ in set(rows) - hashed} == SEALED


SEALED = {("webhooks", "sealed_secret"), ("webhooks", "secret")}
"""What must be read again, sealed by `twin/vault.py`; `secret` is what the next start seals."""
