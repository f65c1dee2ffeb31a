"""README and docs/ name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from litellm_tokenopt import Settings
from litellm_tokenopt.modules import read_modules

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)")
ROW = re.compile(r"^\| `([a-z_.]+)`.* \| .* \| .* \|$", re.MULTILINE)


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
