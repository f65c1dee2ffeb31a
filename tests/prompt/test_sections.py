"""Splitting a prompt into sections, and sections into blocks."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.prompt.sections import blocks, path, split

LINES = st.sampled_from(
    [
        "# One", "## Two", "### Three", "text", "Title", "=====", "-----", "=== Two ===", "---", "", " ",
        "```", "```python", "~~~", "<rules>",
        "</rules>", "<a b='c'>", "</a>", "<x/>", "- item", "  more", "1. First part", "2. Second part", "LOUD HEADING",
        "**Bold line**", "| a | b |", "an announcement:", "\r", "naïve café 製品", "x" * 700,
    ]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=30).map("\n".join) | st.text(max_size=200)


def titles(text: str) -> list[str]:
    return [section.title for section in split(text) if section.kind != "close"]


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_splitting_loses_nothing(text: str) -> None:
    """The sections of any text, joined, are that text."""
    assert "".join(section.text for section in split(text)) == text


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_blocks_lose_nothing(text: str) -> None:
    """The blocks of any text, joined, are that text."""
    assert "".join(blocks(text)) == text


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_parents_stand_before_their_children(text: str) -> None:
    """Every section's parent comes before it, so a path always ends at the top."""
    sections = split(text)
    for i in range(len(sections)):
        assert list(path(sections, i)) == sorted(path(sections, i))


def long_item(n: int) -> str:
    said = "a pump, two buckets, a lamp and ropes in several colours, and opens at dawn in the summer, later in autumn"
    return f"- Shed {n} holds {n * 3} paddles, {said}.\n"


@given(st.lists(LINES.map(lambda line: f"{line}\n\n") | st.integers(0, 99).map(long_item), min_size=80, max_size=120))
@settings(max_examples=40, deadline=None)
def test_splitting_long_sections_loses_nothing(lines: list[str]) -> None:
    """A long section is cut into pieces of all its text, each under what stands before it."""
    text = "# Sheds\n" + "".join(lines)
    sections = split(text)
    assert "".join(section.text for section in sections) == text
    assert all(section.parent is None or section.parent < i for i, section in enumerate(sections))


def test_a_long_list_under_a_heading_is_cut() -> None:
    """It is cut between items, and each piece is named by its first words and stands under the heading."""
    sections = split("# Rules\n\nBe kind.\n\n# Sheds\n" + "".join(map(long_item, range(90))))
    assert sections[1].title == "Sheds"
    assert len(sections) > 4
    assert all(s.parent == 1 and s.kind == "text" and s.title.startswith("Shed ") for s in sections[2:])
    assert all(s.body.startswith("- Shed") for s in sections[1:])


def test_a_list_stays_with_what_announces_it() -> None:
    """Items mean something else without "Never open these:", so no cut parts them from it."""
    items = "".join(map(long_item, range(90)))
    sections = split(f"# Sheds\n\n{'Sheds are green. ' * 80}\n\nNever open these:\n{items}\nThat is all.\n")
    [holding] = [s for s in sections if "Never open these:" in s.body]
    assert holding.body.endswith(f"Never open these:\n{items}\n")


def test_bold_lines_count_in_a_long_section() -> None:
    """Topics under bold lines that follow the last heading are sections of their own."""
    topics = "".join(f"**{name}**\n{'It is made of wood. ' * 240}\n\n" for name in ("Boats", "Oars", "Masts"))
    sections = split(f"# Output\n\nBe short.\n\n{topics}")
    assert [(s.title, s.parent) for s in sections] == [("Output", None), ("Boats", 0), ("Oars", 0), ("Masts", 0)]


def test_markdown_headings_nest() -> None:
    """A heading of a lower level hangs under the one above it."""
    sections = split("intro\n# A\n## B\ntext\n# C\n")
    assert [(s.title, s.parent) for s in sections] == [("", None), ("A", None), ("B", 1), ("C", None)]


def test_underlined_headings_count() -> None:
    """Setext headings make sections of level one and two."""
    sections = split("intro\n\nGreat Title\n===\ntext\n\nSmaller\n---\nmore\n")
    assert [(s.title, s.parent) for s in sections] == [("", None), ("Great Title", None), ("Smaller", 1)]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        (
            "You help.\n\n=====\nRULES\n=====\n\nNever lie.\n\n═════\n🔥 STYLE\n═════\nBe short.\n",
            ["", "RULES", "🔥 STYLE"],
        ),
        ("=== ROLE ===\nYou help.\n--- STYLE ---\nBe short.\n", ["ROLE", "STYLE"]),
        ("Role\n====\n\nYou help.\n\n======\nStyle\n======\nBe short.\n", ["Role", "Style"]),
        ("ab\n-----\ncd\n-----\nx\n", ["ab"]),
        ("-----\nHello {name},\n-----\nx\n", [""]),
        ("---\nname: x\n---\n\nYou help.\n", [""]),
    ],
)
def test_titles_between_rulers_are_headings(text: str, titles: list[str]) -> None:
    """Above and below, or before and behind; what else stands between two lines is text."""
    assert [section.title for section in split(text)] == titles
    assert "".join(section.text for section in split(text)) == text


def test_a_ruler_is_no_heading() -> None:
    """A ruler under a paragraph or a blank line makes no section."""
    assert titles("# A\ntext one\ntext two.\n---\n\n---\nmore\n") == ["A"]


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_code_fences_are_not_looked_into(fence: str) -> None:
    """A comment in a code fence is no heading."""
    assert titles(f"# A\n{fence}sh\n# not a heading\n{fence}\n## B\n") == ["A", "B"]


def test_an_unclosed_fence_hides_nothing() -> None:
    """A fence that is never closed is taken for text."""
    assert titles("# A\n```\n# B\n") == ["A", "B"]


def test_tags_make_sections_with_their_closing_tag() -> None:
    """A pair of tags on lines of their own is a section; the closing tag knows which one it closes."""
    sections = split("<role>\nYou help.\n</role>\n<rules>\nBe kind.\n</rules>\n")
    assert [(s.title, s.kind, s.parent) for s in sections] == [
        ("role", "tag", None), ("", "close", 0), ("rules", "tag", None), ("", "close", 2),
    ]  # fmt: skip


def test_a_tag_round_the_whole_prompt_is_looked_into() -> None:
    """Tags inside of a wrapper tag are sections of their own."""
    assert titles("<prompt>\n<role>\nYou help.\n</role>\n<rules>\nBe kind.\n</rules>\n</prompt>\n") == [
        "prompt", "role", "rules",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Be good.\n\nOUTPUT FORMAT\nShort.\n\nSAFETY RULES:\nNever lie.\n",
        "Be good.\n\n1. Output format\nShort.\n\n2. Safety rules\nNever lie.\n",
        "Be good.\n\n**Output format**\nShort.\n\n**Safety rules:**\nNever lie.\n",
    ],
    ids=["capitals", "numbers", "bold"],
)
def test_weak_headings_count_where_there_are_no_others(text: str) -> None:
    """ALL-CAPS lines, numbered parts and bold lines make sections of a text without markdown headings or tags."""
    assert len(split(text)) == 3


def test_weak_headings_do_not_break_up_markdown_sections() -> None:
    """Under markdown headings an ALL-CAPS line is text."""
    assert titles("# A\n\nLOUD WORDS\ntext\n\nMORE WORDS\ntext\n") == ["A"]


def test_long_text_without_any_structure_is_cut_at_paragraphs() -> None:
    """A text with nothing but paragraphs still has parts to choose from, named by their first words."""
    sections = split("\n\n".join(f"Paragraph {n} says this and that. " + "word " * 60 for n in range(30)))
    assert len(sections) > 5
    assert all(section.title for section in sections[1:])


@pytest.mark.parametrize("between", ["\n", " "])
def test_long_text_without_blank_lines_is_cut_too(between: str) -> None:
    """At line breaks, or else where sentences end; joined, the pieces are the text."""
    sentences = [f"Shed {n} holds {n} paddles, a pump and ropes in several colours." for n in range(300)]
    found = split(between.join(sentences))
    assert "".join(section.text for section in found) == between.join(sentences)
    assert max(len(section.text) for section in found) <= 1_300
    assert all(section.body.startswith("Shed") for section in found)


@pytest.mark.parametrize("whole", ['{"shed": [%s]}', "| shed | holds |\n|---|---|\n%s", "```\n%s\n```"])
def test_data_tables_and_code_stay_whole(whole: str) -> None:
    """However long: a part of them is no longer what it was."""
    text = whole % "\n".join(f"| {n}, | paddles. |" for n in range(600))
    assert [section.body for section in split(text)] == [text]


def test_blocks_are_items_paragraphs_tables_and_fences() -> None:
    """List items are single blocks with what is indented under them; tables and fences are whole."""
    expected = ("Para.\n\n", "- one\n  more\n", "- two\n\n", "| a |\n|---|\n| 1 |\n\n", "```\nx\n\ny\n```\n")
    assert blocks("".join(expected)) == expected


def test_an_announcement_stays_with_what_it_announces() -> None:
    """A paragraph that ends with a colon is one block with the paragraph after it."""
    assert blocks("Limits are:\n\n| a |\n| 1 |\n\nEnd.\n") == ("Limits are:\n\n| a |\n| 1 |\n\n", "End.\n")
    assert blocks("- Ask.\n- Fees:\n| a |\n| 1 |\n") == ("- Ask.\n", "- Fees:\n| a |\n| 1 |\n")
    assert blocks("- Ask.\n- Pay.\n| a |\n| 1 |\n") == ("- Ask.\n", "- Pay.\n", "| a |\n| 1 |\n")


def test_splitting_is_fast(prompt: str) -> None:
    """100 KB are split in some milliseconds; the bound leaves room for a busy machine."""
    text = prompt * (100_000 // len(prompt))
    seconds = []
    for _ in range(5):
        start = perf_counter()
        split(text)
        seconds.append(perf_counter() - start)
    assert min(seconds) < 0.05


def test_tags_in_a_long_tag() -> None:
    """Large tags inside a long one are sections of their own, indented or not; small ones and examples are text."""
    fees = "Fees are 4 EUR to Ravel. " * 40
    text = (
        f"You are Odo.\n\n<knowledge>\nGeneral words.\n  <fees>\n{fees}\n  </fees>\n"
        f"<tyres>\n{'Check them. ' * 80}\n</tyres>\n<tiny>\nNo.\n</tiny>\n<example>\n{'Hello. ' * 120}\n</example>\n"
        f"  <div>\n{'Box. ' * 150}\n  </div>\n</knowledge>\n\n<rules>\nBe kind.\n</rules>\n{'Nothing. ' * 600}"
    )
    found = split(text)
    assert "".join(section.text for section in found) == text
    tags = {section.title: section.parent for section in found if section.kind == "tag"}
    assert set(tags) == {"knowledge", "fees", "tyres", "rules"}
    assert found[tags["fees"] or 0].title == "knowledge"


def test_a_fence_that_is_left_open() -> None:
    """Where another fence begins, the one before was never closed: it doesn't hide the headings behind it."""
    text = "# One\n\n```js\nlet a\n\n# Two\n\nText.\n\n```py\n# no heading\n```\n\n# Three\n\nText.\n"
    assert [section.title for section in split(text)] == ["One", "Two", "Three"]
