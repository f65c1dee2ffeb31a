"""README and docs/ name what there is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from litellm_tokenopt import Settings
from litellm_tokenopt.cli import main
from litellm_tokenopt.modules import read_modules

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)")
ROW = re.compile(r"^\| `([a-z_.]+)`.* \| .* \| .* \|$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|`)(?:\S*/)?tokenopt((?: [a-z]+)+)", re.MULTILINE)
MODULE = re.compile(r"python -m (litellm_tokenopt[\w.]+)")
TARGET = re.compile(r"`make ([a-z-]+)")
SOURCE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|yaml|jsonl|md))`")


def anchors(page: Path) -> set[str]:
    """What a link may name in *page*: its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file of this repository, and a heading of that file where it names one."""
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_name_settings(page: Path) -> None:
    """Each row of a page's table of settings names one that there is."""
    for name in ROW.findall(page.read_text(encoding="utf-8").partition("\n## Settings\n")[2]):
        part: type[BaseModel] = Settings
        for field in name.split("."):
            assert field in part.model_fields, name
            part = part.model_fields[field].annotation or BaseModel


def test_the_example_of_modules_can_be_read(tmp_path: Path) -> None:
    """A file like the one that the page about the system prompt shows starts."""
    page = (ROOT / "docs" / "prompt.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(modules:.*?)```", page, re.DOTALL)
    (tmp_path / "core.md").write_text("You help customers.")
    (tmp_path / "modules.yaml").write_text(example)
    assert [module.id for module in read_modules(tmp_path / "modules.yaml")][:2] == ["core", "refunds"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_there(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command, module and target of make that a page names can be run."""
    text = page.read_text(encoding="utf-8")
    for name in MODULE.findall(text):
        assert importlib.util.find_spec(name) is not None, name
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(TARGET.findall(text)) <= set(targets)
    for words in set(COMMAND.findall(text)):
        with pytest.raises(SystemExit) as ended:
            main([*words.split(), "--help"])
        assert ended.value.code == 0, words
    assert capsys.readouterr().err == ""


def test_the_architecture_names_files_that_are_there() -> None:
    """Each file that the page about the architecture names is somewhere in the package, or at that place."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "litellm_tokenopt").rglob("*")}
    for name in SOURCE.findall(text):
        assert (ROOT / name).exists() or any(path.endswith(f"/{name}") for path in package), name
