"""Which spellings of a question are the same key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.cache.normalise import normalise


@pytest.mark.parametrize(
    "text",
    [
        "  What is   a llama ?  ", "what is a llama", "What is a llama??", "Hi, what is a llama?",
        "hello what is a llama",
        "Hey there! What is a llama?", "Good morning, what is a llama", "Please, what is a llama?",
        "What is a llama? Thanks!", "What is a llama, please?", "What is a llama? Many thanks", "\uff37hat is a llama?",
        "What is a\u00a0llama?",
    ],
)  # fmt: skip
def test_same_key(text: str) -> None:
    """White space, greetings, thanks, closing marks, width and the first letter's case don't count."""
    assert normalise(text) == "what is a llama"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 2⁵?", "What is 25?"), ("Polish this", "polish that"),
        ("How do I get to the US", "How do I get to the us"),
        ("It works?", "It works."), ("explain cd ..", "explain cd"), ("print('A')", "print('a')"),
        ("if x:\n  y", "if x:\n    y"), ("What does `ls  -l` do", "What does `ls -l` do"), ("is a<b", "is a>b"),
        ("Hello World in Python", "World in Python"), ("half is ½", "half is 12"), ("US", "us"), ("Thanks", "Please"),
    ],
)  # fmt: skip
def test_other_key(one: str, other: str) -> None:
    """What could change an answer is kept: case inside, code, quotes, line breaks, superscripts."""
    assert normalise(one) != normalise(other)


PIECES = st.sampled_from(["", "\n", *"hi Hi, please thanks Thanks! what What is x ? .. … . ` 2⁵ İ ﬁ".split()])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map(" ".join)))
def test_idempotent(text: str) -> None:
    """A normal form is its own normal form."""
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(min_size=1, max_size=20))
def test_never_emptied(text: str) -> None:
    """What says something doesn't become nothing."""
    assert bool(normalise(text)) == bool(normalise(text).strip()) == bool(text.strip())
