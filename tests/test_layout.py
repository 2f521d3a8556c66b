"""The layout that ARCHITECTURE.md describes: folders, the direction of imports, sizes, docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("ingest", "widgets", "alerts")
PACKAGES = ("twin", *PARTS)
WIRING = ("twin/app.py", "twin/cli.py", "twin/demo/")
"""What in twin may import the parts, because it puts them together."""
TOP_LEVEL = (
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
    "README.md",
    "ARCHITECTURE.md",
    "LICENSE",
    "Makefile",
    "Dockerfile",
    "docker-compose.yml",
    ".ci/run",
    "grafana",
    "tests",
    *PACKAGES,
)
TEST_FOLDERS = {*PACKAGES, "grafana", "acceptance", "bench", "support"}
MODULE_LINES = 400
FUNCTION_LINES = 70

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(tree: ast.Module) -> set[str]:
    """The top-level packages that a module imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found.add((node.module or "").partition(".")[0])
    return found


def public(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    """Functions and classes of a module and methods of its classes, unless their name is private."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                inner = [child for child in node.body if isinstance(child, Function)]
                yield from (child for child in inner if not child.name.startswith("_"))


@pytest.mark.parametrize("path", named(modules(*PACKAGES)))
def test_imports_go_from_the_parts_to_twin(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    own = name.partition("/")[0]
    found = imported(parse(path)) & set(PARTS) - {own}
    if not name.startswith(WIRING):
        assert not found, f"{name} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("path", named(modules(*PACKAGES, "tests")))
def test_a_module_is_short_and_says_what_it_owns(path: Path) -> None:
    tree = parse(path)
    assert ast.get_docstring(tree), "a module opens with what it owns"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", named(modules(*PACKAGES, "tests")))
def test_functions_fit_on_a_screen(path: Path) -> None:
    functions = [node for node in ast.walk(parse(path)) if isinstance(node, Function)]
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", named(modules(*PACKAGES)))
def test_what_is_public_is_described(path: Path) -> None:
    bare = [node.name for node in public(parse(path)) if not ast.get_docstring(node)]
    assert bare == []


def test_the_top_level_holds_what_it_should() -> None:
    missing = [name for name in TOP_LEVEL if not (ROOT / name).exists()]
    assert missing == []
    visible = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."]
    packages = {path.name for path in visible if any(path.glob("*.py"))}
    assert packages <= {*PACKAGES, "tests"}


def test_the_tests_mirror_the_packages() -> None:
    folders = {path.parent.relative_to(ROOT / "tests").parts[:1] for path in modules("tests")}
    assert {parts[0] for parts in folders if parts} <= TEST_FOLDERS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import ingest.http", {"ingest"}),
        ("from alerts.hook import AlertHook", {"alerts"}),
        ("def f():\n    import widgets", {"widgets"}),
        ("import twin", {"twin"}),
    ],
)
def test_the_reader_of_imports_sees(text: str, found: set[str]) -> None:
    assert imported(ast.parse(text)) == found
