"""Which questions are English."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.cache.language import foreign_signs, is_english


@pytest.mark.parametrize(
    "text",
    [
        "How do I reset my password?", "reset password", "Who wrote Les Misérables?", "Is café au lait strong?",
        "What does 'wie geht es dir' mean?", "What does π stand for?", "How is 猫 pronounced?",
        "Can I pay in São Paulo?",
        "cancel order now", "What is the weather in Den Haag?", "", "2 + 2",
    ],
)  # fmt: skip
def test_english(text: str) -> None:
    """Foreign names, quotations and single letters don't make a question foreign."""
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Wie alt ist der Rhein?", "Was kostet das?", "Où est la gare ?", "¿Quién eres tú?", "Dov'è la stazione?",
        "Onde fica o museu?", "Waar is het station?", "Gdzie jest dworzec?", "İstasyon nerede?", "Var är stationen?",
        "Где вокзал?", "车站在哪里", "駅はどこですか", "역이 어디예요?", "أين المحطة؟", "Kündigungsfrist Mietvertrag",
    ],
)  # fmt: skip
def test_other_languages(text: str) -> None:
    """Other scripts, and other languages' words of grammar, are known."""
    assert not is_english(text)


def test_signs() -> None:
    """Emoji, symbols and letters of other scripts are signs; accents, typographic marks and currencies are none."""
    assert foreign_signs("“Café” \u2014 €5 ∀x 👍 猫…") == ("∀", "👍", "猫")


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    """Any text is one or the other, and white space around it makes no difference."""
    assert is_english(f" {text}\n") == is_english(text)
