"""What phrases stand for."""

from __future__ import annotations

import pytest

from litellm_tokenopt.tools.phrasing import ACT_WEIGHT, GAP, packaged, read_phrases

PHRASES = read_phrases(
    """
acts: |
  get rid of: delete
phrases: |
  push … back, postpone: update event
  天气: weather
"""
)


def test_a_phrase_fits_in_any_form_of_its_words() -> None:
    """Stems are compared, and a gap takes some words, not any number."""
    assert set(PHRASES.meant("They postponed it")) == {"updat", "event"}
    assert PHRASES.meant("push my long dentist appointment back") == PHRASES.meant("postpone it")
    assert not PHRASES.meant(f"push {'very ' * (GAP + 1)} back")


def test_an_act_counts_less_than_what_names_a_thing() -> None:
    """ "Get rid of it" fits tools of every kind."""
    assert PHRASES.meant("get rid of it") == {"delet": ACT_WEIGHT}


def test_scripts_without_spaces_are_read_anywhere() -> None:
    """A phrase is found inside a sentence."""
    assert set(PHRASES.meant("明天北京的天气怎么样")) == {"weather"}


@pytest.mark.parametrize(
    ("question", "term"),
    [
        ("Jot down that the key is under the mat", "record"),
        ("Give her the money back", "refund"),
        ("¿Qué reuniones tengo mañana?", "calendar"),
        ("wake me at six", "alarm"),
        ("コンテナはどこですか", "container"),
        ("จ่ายค่าไฟให้หน่อย", "pay"),
    ],
)
def test_the_packaged_phrases_tell_what_is_meant(question: str, term: str) -> None:
    """The words of tools come from words that people use."""
    assert term in packaged().meant(question)


def test_what_says_nothing_stands_for_nothing() -> None:
    """Texts without a phrase add no word."""
    assert packaged().meant("") == packaged().meant("xyzzy") == {}
