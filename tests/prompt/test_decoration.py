"""Decoration goes; what an emoji, a line or a space means stays."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.prompt.decoration import clean
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.prompt.rendering import render
from litellm_tokenopt.settings import PromptLevel


def tidied(text: str, level: PromptLevel = "normal") -> str:
    """What is sent of *text* where all of it fits."""
    found = outline([text], level)
    return render(found, found.once())


@pytest.mark.parametrize(
    "text",
    [
        "# Replies\n\nReply with ✅ or ❌.\n- 👍 means yes\n- 📗 stands for a fact\nUse 🎉 for wins.\n",
        "# Risk\n\n🟢 Low: go on.\n🔴 High: stop.\n🚫 Passwords\n☐ open\n☑ done\n★★★☆☆ good\n",
        "# Replies\n\nBegin each answer with one of:\n- 📗 Fact\n- 📙 Guess\n",
        "# Replies\n\nStart your reply like this:\n📌 Title\n📝 Summary\n",
        "# Report format\n\n📌 Title\n📝 Summary\n",
        "# Wins\n\nAnnounce wins with the sign 🎉 in the channel.\n\n# Days\n\n- 🎉 Tuesday is a win\n",
        "# Code\n\n```py\nx = 1   \n\n\n# 🚀 start\n---\n```\n",
        "# Code\n\nRun this:\n\n    x = 1\n    ---\n    🚀 go\n",
        "# Table\n\n| a | b |\n|---|---|\n| 🚀 | rocket |\n| --- | none |\n",
        '# Data\n\n{\n  "a": "🚀 go",\n  "line": "-----"\n}\n',
        "# Data\n\ngreetings:\n  - 🎉 Welcome back\n  - 🚀 Let us go\n",
        "# Drawing\n\n+----+     +-----+\n| in |---->| out |\n+----+     +-----+\n",
        "# Files\n\nsrc/\n├── 🚀 main.py\n│   └── x\n",
        "# Parts\n\nPut a line between the parts of an answer:\n\n---\n\nThen go on.\n",
        "Title\n=====\n\nSome text.\n\nPart\n----\n\nMore text.\n",
    ],
)
def test_what_means_something_stays(text: str) -> None:
    """Keys, templates, code, tables, data, drawings, and signs that the prompt speaks of are sent as they are."""
    assert tidied(text) == text


def test_decoration_goes() -> None:
    """Emoji that open lines or end headings and sentences, rulers and banners go, whatever else the prompt has."""
    text = (
        "# 🚢 Ferries ✨\n\n- 🔥 **Boats leave at nine.** 🎉\n- 💡 Ask for the code.\n\n═══════\n\n<hr>\n\n"
        "═════\n🔥 RULES\n═════\n\n1. 🚀 Never lend keys.\n\n# Replies\n\nAnswer with 👍 where it is done.\n"
    )
    assert tidied(text) == (
        "# Ferries\n\n- **Boats leave at nine.**\n- Ask for the code.\n\nRULES\n\n1. Never lend keys.\n\n"
        "# Replies\n\nAnswer with 👍 where it is done.\n"
    )


@given(
    st.text(alphabet="ab 1.#-*=|>:\n🎉🔥✅═\u200d\ufe0f", max_size=80), st.sampled_from(["light", "normal", "strong"])
)
def test_no_word_goes(text: str, level: PromptLevel) -> None:
    """Whatever stands around them, all words stay, in their order, and nothing is new."""
    left = clean(text, level)
    assert re.findall(r"\w+", left) == re.findall(r"\w+", text)
    characters = iter(text)
    assert all(character in characters for character in left)
