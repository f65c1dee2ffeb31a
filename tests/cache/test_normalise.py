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
        "What is a\u00a0llama?", "Hi there! Could you please tell me: what is a llama? Thanks!",
        "can you tell me what is a llama", "I'd like to know what is a llama, please", "What is a\u200b lla\u00adma?",
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
        ("Is Turkey big?", "Is turkey big?"), ("What is Co?", "What is CO?"), ("Who is Rich?", "who is rich"),
        ("How is myName set", "How is myname set"), ("Is B12 safe", "Is b12 safe"), ("Wer sind Sie?", "Wer sind sie?"),
        ("How do I say thanks?", "How do I say please?"), ("What does merci mean", "what does mean"),
        ("WHO is it?", "who is it?"), ("Could you please everyone?", "everyone?"), ("Can you swim?", "swim?"),
        ("Why does print(\u201cx\u201d) fail", 'Why does print("x") fail'), ("what is ls \u2013l", "what is ls -l"),
        ("Tell me a story", "a story"), ("Can you tell me apart from her?", "apart from her?"),
    ],
)  # fmt: skip
def test_other_key(one: str, other: str) -> None:
    """What could change an answer is kept: case inside, code, quotes, line breaks, superscripts."""
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What does \u201cidle\u201d mean?", 'What does "idle" mean?'), ("Is it 5\u201310 days?", "Is it 5-10 days?"),
        ("Tea \u2014 is it healthy?", "Tea - is it healthy?"), ("Is \u22125 odd?", "Is -5 odd?"),
        ("It\u2019s how far?", "It's how far?"), ("Could you kindly explain how DNS works?", "Explain how DNS works"),
        ("Hello! Can you please write a haiku", "write a haiku"), ("Would you tell me how to knit?", "How to knit?"),
        ("\ufeffHow far is it?", "How far is it?"), ("HOW DO I CLOSE MY ACCOUNT!!!", "How do I close my account?"),
        ("Who wrote Faust?", "who wrote faust"), ("Dear team, where is Oslo? Best regards", "Where is Oslo?"),
        ("Guten Tag! Wo ist Kiel? Vielen Dank", "Wo ist Kiel?"), ("Hallo, wo ist Kiel bitte?", "Wo ist Kiel?"),
        ("Bonjour, où est Lille s'il vous plaît ?", "Où est Lille ?"), ("Hola, ¿qué es esto? Gracias", "¿Qué es esto?"),
    ],
)  # fmt: skip
def test_same_typed_otherwise(one: str, other: str) -> None:
    """Quotation marks, dashes, what isn't seen and courtesies are no difference."""
    assert normalise(one) == normalise(other)


WORDS = (
    "hi Hi, please thanks Thanks! what What is x ? .. … . ` 2⁵ İ ﬁ \u2013 \u2014 \u201c \u201d \u2212 \u200b tell me "
    "could you please how"
)
PIECES = st.sampled_from(["", "\n", *WORDS.split()])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map(" ".join)))
def test_idempotent(text: str) -> None:
    """A normal form is its own normal form."""
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(min_size=1, max_size=20))
def test_never_emptied(text: str) -> None:
    """What says something doesn't become nothing."""
    assert bool(normalise(text)) == bool(normalise(text).strip()) == bool(text.strip())
