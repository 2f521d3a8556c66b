"""What the documentation says stands in the code, and the other way round."""

import re
from pathlib import Path

import pytest

from twin.cli import cli
from twin.settings import describe

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PAGES = {"README.md": README, "ARCHITECTURE.md": ARCHITECTURE} | {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md"))
}
TEXT = {".py", ".md", ".sql", ".sh", ".yml", ".yaml", ".toml", ".json", ".example", ""}
FORBIDDEN = re.compile(r"/work/(main|shared|\.)|/home/\w+/|/tmp/\w+\.md|\bTODO\b|\bFIXME\b|\bXXX\b")


def ours() -> list[Path]:
    """Every text file that a clone would hold, this one left out: it names what it forbids."""
    folders = ["twin", "ingest", "widgets", "alerts", "tests", "grafana", "docs", ".ci"]
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found += [path for path in ROOT.iterdir() if path.name[0] != "." or path.name == ".env.example"]
    return [
        path
        for path in found
        if path.is_file()
        and path.suffix in TEXT
        and not {"__pycache__", "node_modules", "dist"} & set(path.parts)
        and path != Path(__file__)
    ]


def anchor(heading: str) -> str:
    """The link target that a heading gets: GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(("variable", "default", "meaning"), describe())
def test_a_setting_is_in_the_readme(variable: str, default: str, meaning: str) -> None:
    shown = f"`{default}`" if default else "–"
    assert f"| `{variable}` | {shown} | {meaning} |" in README


def test_the_readme_names_no_other_setting() -> None:
    named = set(re.findall(r"^\| `(TWINFEED_\w+)`", README, re.MULTILINE))
    assert named == {variable for variable, _, _ in describe()}


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", PAGES[page], re.MULTILINE))
    assert named <= targets


def test_the_readme_lists_the_commands() -> None:
    named = re.findall(r"^\| `twinfeed ([a-z-]+)", README, re.MULTILINE)
    assert sorted(named) == sorted(cli.commands)


def test_folders_of_the_architecture_exist() -> None:
    named = re.findall(r"`(\.?[\w./-]+/)`", ARCHITECTURE)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_files_of_the_architecture_exist() -> None:
    named = re.findall(
        r"`((?:twin|ingest|widgets|alerts|tests|grafana)/[\w./-]+\.\w+)`", ARCHITECTURE
    )
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page: str) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if target.startswith("https://"):
            continue
        path, _, fragment = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE) if fragment else []
        if not file.exists() or (fragment and fragment not in map(anchor, headings)):
            broken.append(target)
    assert broken == []


def test_nothing_speaks_of_one_machine_or_of_work_undone() -> None:
    found = []
    for path in ours():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
