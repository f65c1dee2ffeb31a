"""Terms, stems and BM25."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.lexical import bm25, stem, term_counts, terms


@pytest.mark.parametrize(
    "words",
    [
        ("retry", "retries", "retried", "retrying"), ("change", "changes", "changed", "changing"), ("box", "boxes"),
        ("refund", "refunds", "refunded"), ("policy", "policies"), ("stop", "stopped", "stopping"),
        ("process", "processes"),
    ],
)  # fmt: skip
def test_forms_of_a_word_have_one_stem(words: tuple[str, ...]) -> None:
    """Plurals and verb forms are one term."""
    assert len({stem(word) for word in words}) == 1


def test_identifiers_give_their_parts_and_themselves() -> None:
    """An identifier is found by its words and by its whole name."""
    assert terms("list_open_orders userId") == ["list", "open", "order", "list_open_orders", "user", "id", "userid"]


def test_stop_words_are_no_terms() -> None:
    """Words without meaning of their own are left out."""
    assert terms("What is this, and don't you have it?") == []


def test_scripts_without_spaces_are_read_in_pairs() -> None:
    """Japanese and Chinese text gives pairs of characters."""
    assert terms("製品返金") == ["製品", "品返", "返金"]


def test_the_document_with_the_rare_term_comes_first() -> None:
    """A term that few documents have weighs more, and a document without a term of the query scores nothing."""
    documents = [term_counts(text) for text in ("a tent and a stove", "a tent and a rope", "a tent", "a lamp")]
    scores = bm25(term_counts("tents and stoves"), documents)
    assert scores[0] == max(scores)
    assert scores[3] == 0


@given(st.lists(st.text(max_size=50), max_size=5), st.text(max_size=50))
def test_scores_are_never_negative(texts: list[str], question: str) -> None:
    """Any texts can be ranked for any question."""
    assert all(score >= 0 for score in bm25(term_counts(question), [term_counts(text) for text in texts]))
