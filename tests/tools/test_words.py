"""How names and questions are read."""

from __future__ import annotations

import pytest

from litellm_tokenopt.tools.words import (
    MAX_PARTS,
    goes_on,
    latin_share,
    parts,
    split_identifier,
    terms,
    trim,
    unquoted,
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("getUserDetails_v2", "get User Details v 2"),
        ("list-open.orders", "list open orders"),
        ("HTTPServer", "HTTP Server"),
        ("", ""),
    ],
)
def test_identifiers_are_split_where_a_reader_would(name: str, words: str) -> None:
    """Case, digits and punctuation end a word."""
    assert split_identifier(name) == words


def test_words_match_across_forms_and_identifiers() -> None:
    """A question's plain words meet the same words inside an identifier."""
    assert set(terms("bookings of flights")) & set(terms("flightBooking"))


@pytest.mark.parametrize("text", ["Hi there!", "Thanks, that is great.", "Yes, please go ahead.", "OK", ""])
def test_small_talk_has_no_words(text: str) -> None:
    """Greetings, thanks and assent say nothing about tools."""
    assert list(terms(text)) == []


def test_a_request_of_several_steps_has_several_parts() -> None:
    """Sentences and joined clauses are parts of their own."""
    assert parts("Find flights to Oslo and then book a hotel room. Translate the invoice, please.") == (
        "Find flights to Oslo",
        "book a hotel room",
        "Translate the invoice",
    )


def test_one_step_has_no_parts() -> None:
    """A single clause is scored once, as the whole."""
    assert parts("Find flights to Oslo") == ()


def test_long_questions_are_read_from_both_ends() -> None:
    """A pasted document doesn't hide the request before or after it, and costs no more than its ends."""
    text = "First request here. " + "Some pasted sentence number one. " * 1000 + " Last request here."
    assert len(trim(text)) <= 4_001
    assert len(parts("\n".join(f"step number{i} alpha{i}" for i in range(100)))) == MAX_PARTS
    assert trim(text).startswith("First request")
    assert trim(text).endswith("Last request here.")


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("I must remember to 'go to Goa'", "I must remember to something"),
        ('What are "blue chips" and "bonds"?', "What are something and something?"),
        ("用「東京 タワー」で検索", "用somethingで検索"),
        ("Users' lists don't match the team's", "Users' lists don't match the team's"),
        ("""He's 5'11" and his door 6" higher""", """He's 5'11" and his door 6" higher"""),
    ],
)
def test_what_is_quoted_is_no_part_of_what_is_asked(question: str, asked: str) -> None:
    """Quotations of any script give way to "something"; apostrophes, feet and inches quote nothing."""
    assert unquoted(question) == asked


@pytest.mark.parametrize(
    ("text", "share"), [("Wien", 1.0), ("à Zoë", 1.0), ("12:30?", 1.0), ("서울 in", 0.5), ("где", 0.0)]
)
def test_the_share_of_latin_letters(text: str, share: float) -> None:
    """Only letters count."""
    assert latin_share(text) == share


@pytest.mark.parametrize(
    ("text", "refers"),
    [
        ("now email it to Bob", True),
        ("And text those to Jane", True),
        ("Send the results to Kim", True),
        ("turn on the lights in the hall", False),
        ("Book a table for six in Rome", False),
        (
            "Read the contract of May and tell me about its deadlines, who pays for them, who signs it and who "
            "keeps the paper",
            False,
        ),
    ],
)
def test_short_texts_that_go_on_refer_back(text: str, refers: bool) -> None:
    """By a word that stands for what was said before; a long text says itself what it means."""
    assert goes_on(text) is refers
