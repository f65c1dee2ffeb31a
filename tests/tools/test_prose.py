"""What of a description stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.tools.prose import adds_nothing, sentences, shorten_argument, shorten_tool

LONG = (
    "Deletes a record from the archive of the company. This tool is useful for people who like to tidy up their "
    "archives every once in a while. Perfect for spring cleaning. It must not be called twice for a record. "
    "Use this tool when the user talks about getting rid of old things. The identifier has the format AB-1234. "
    "Deleted records can't be restored."
)


def test_rules_formats_and_side_effects_stay_word_for_word() -> None:
    """A long description keeps its first sentence and all that constrains a call; praise and occasions go."""
    assert shorten_tool(LONG) == (
        "Deletes a record from the archive of the company. It must not be called twice for a record. "
        "The identifier has the format AB-1234. Deleted records can't be restored."
    )


def test_short_descriptions_keep_their_sentences() -> None:
    """What is short already only loses needless white space."""
    assert shorten_tool("Finds  flights.\n\n   Useful for trips. ") == "Finds flights.\nUseful for trips."


def test_code_blocks_keep_their_white_space() -> None:
    """Indentation inside a fenced block means something."""
    text = "Runs a script:\n```\nif x:\n    y()\n```"
    assert shorten_tool(text) == text


def test_a_list_goes_with_its_heading() -> None:
    """The line that opens a list stays if and only if one of its items does."""
    idle = (
        "Plans the work of a team for the coming weeks in some detail.\nGood occasions:\n"
        + "- a quiet afternoon\n" * 12
    )
    ruled = idle.replace("quiet afternoon\n- a", "`sprint` must exist\n- a", 1)
    assert "occasions" not in shorten_tool(idle)
    assert "Good occasions:\n- a `sprint` must exist" in shorten_tool(ruled)


def test_long_runs_of_examples_keep_the_first() -> None:
    """Two quoted examples show a form as well as six."""
    assert (
        shorten_argument("Toolkit slug (e.g., 'git', 'mail', 'chat', 'wiki')") == "Toolkit slug (e.g., 'git', 'mail')"
    )


def test_brackets_that_repeat_the_schema_go() -> None:
    """Bounds, defaults and being optional are said by the schema's own keywords; other brackets stay."""
    facts = {"1", "100", "optional"}
    assert shorten_argument("Page size (min 1, max 100)", facts) == "Page size"
    assert shorten_argument("Page size (min 1, max 500)", facts) == "Page size (min 1, max 500)"
    assert shorten_argument("Due date (optional)", facts) == "Due date"
    assert shorten_argument("Due date (ISO 8601)", facts) == "Due date (ISO 8601)"


@pytest.mark.parametrize(
    ("text", "name", "idle"),
    [
        ("The repo path", "repo_path", True),
        ("Repo Path", "repoPath", True),
        ("Path of the repo, absolute", "repo_path", False),
        ("Not the path", "path", False),
        ("path in [0, 1]", "path", False),
    ],
)
def test_only_bare_repetitions_of_a_name_say_nothing(text: str, name: str, idle: bool) -> None:
    """One further word, sign or number is information."""
    assert adds_nothing(text, name) is idle


def test_abbreviations_and_brackets_end_no_sentence() -> None:
    """Sentences are cut where a reader would."""
    assert list(sentences("Give a name, e.g. Alder (see no. 3. Or 4). Then stop! Done.")) == [
        "Give a name, e.g. Alder (see no. 3. Or 4).",
        "Then stop!",
        "Done.",
    ]


PIECES = st.one_of(
    st.sampled_from(
        ["Use this tool when idle.", "It must be red.", "For example 'a', 'b', 'c'.", "Nice word.", "e.g. "]
    ),
    st.sampled_from(["The ", "a ", "(min 1)", "path/to ", "'q', 'r', 's' ", "word " * 12, "é中文。"]),
    st.sampled_from(["\n- x ", "\n", "  ", "Head:\n", "```", ".", "A "]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_shortening_settles_and_never_loses_a_description(text: str) -> None:
    """Never longer, never empty where it wasn't, and the same when done again."""
    for shorten in (shorten_tool, lambda value: shorten_argument(value, {"1", "optional"})):
        short = shorten(text)
        assert len(short) <= len(text)
        assert bool(short.strip()) == bool(text.strip())
        assert shorten(short) == short
