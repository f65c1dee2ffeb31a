"""Which sentences are meant for what comes after them too."""

from __future__ import annotations

import pytest

from litellm_tokenopt.cache.lasting import is_circumstance, lasting, lasts


@pytest.mark.parametrize(
    "sentence",
    [
        "From now on, answer in French", "Always reply with one word", "Never mention prices", "Be brief and formal",
        "Keep your answers short", "Answer like a pirate", "Don't use jargon", "Please write to me in British English",
        "Act as a doctor", "You are a strict teacher", "Pretend that it is 1850", "Let's play a game", "Call me Ann",
        "My name is Ann", "I live in Norway", "We use Postgres at work", "I only eat fish", "I'm a beginner",
        "I'm allergic to nuts", "My budget is small", "In my texts bank means river bank",
        "In this story, cats can talk", "Remember that I hate onions", "Let x be 5", "I live in Rome, where can I ski?",
        "No jargon please", "Always cite your sources", "Use lots of emojis", "Bullets work best for me",
        "As a nurse I know the basics", "We're expecting twins", "My grandfather turned ninety", "I'm new to this",
        "Spanish please", "My English is bad", "could you use Dutch from here on?", "Je préfère parler français",
        "I'd rather have numbers in miles", "Stick to what was known in 1900", "Explain things as you would to a child",
    ],
)  # fmt: skip
def test_said_for_good(sentence: str) -> None:
    """Instructions, roles, meanings, preferences, and facts about the user."""
    assert lasts(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Hello", "Thanks, that is all", "What do you sell?", "My parcel did not arrive", "Which tool should I use?",
        "What does this word mean?", "I never got a letter", "The battery is flat after 5 minutes",
        "That is great news", "The order was supposed to come", "You're a star",
        "Can I use a card?", "I mean the blue one", "I'd like a table for two", "Where do I live safely?",
        "Never mind", "As a reminder, I ordered two", "We are expecting a parcel", "I'm not able to log in",
        "I'd rather be on a beach", "My nephew has been here", "We learnt about the French king", "merci",
    ],
)  # fmt: skip
def test_said_in_passing(sentence: str) -> None:
    """Questions, news and thanks."""
    assert not lasts(sentence)


def test_sentences_come_in_order_and_in_one_form() -> None:
    """Case, white space and closing marks don't count."""
    assert lasting(["Hi! Call  me ANN.", "Be brief; thanks"]) == lasting(["call me Ann", "be brief!"])
    assert lasting(["Call me Ann. Be brief."]) != lasting(["Be brief. Call me Ann."])


def test_circumstances_count_for_questions_that_hinge_on_them() -> None:
    """Where the user lives and what is used there are facts, not instructions for all that follows."""
    told = ["I live in Oslo.", "We use Postgres at work.", "My budget is small."]
    assert all(map(is_circumstance, told))
    assert lasting(told) == ()
    assert not is_circumstance("Call me Ann.")
