"""Which answers the front gives itself: whole ones alone."""

import ast
from pathlib import Path

from twin.front.application import STREAMED

ROOT = Path(__file__).parents[2]
IN_PARTS = {"Stream", "EventStream"}


def routes() -> dict[str, bool]:
    """Return by path whether a GET route may answer in parts."""
    found: dict[str, bool] = {}
    for folder in ("twin", "widgets", "alerts", "ingest"):
        for module in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.AsyncFunctionDef):
                    named = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                    for path in filter(None, map(_path, node.decorator_list)):
                        found[path] = bool(named & IN_PARTS)
    return found


def _path(decorator: ast.expr) -> str | None:
    """Return the path of a `@get("…")`."""
    if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "get":
        first = decorator.args[0] if decorator.args else None
        if isinstance(first, ast.Constant):
            return str(first.value)
    return None


def test_what_comes_in_parts_is_left_to_the_server_behind() -> None:
    known = routes()
    assert len(known) > 30
    assert sum(known.values()) >= 5
    for path, in_parts in known.items():
        assert bool(STREAMED.fullmatch(path)) == in_parts, path
