"""Whether a last turn asks the same without the turns before it, as far as rules can tell."""

from __future__ import annotations

import pytest

from litellm_tokenopt.cache.standing import features, leans_on, points_back, split_turn
from litellm_tokenopt.request import Reply


@pytest.mark.parametrize(
    ("text", "lead", "core"),
    [
        ("Do you sell gift cards?", "", "Do you sell gift cards?"),
        ("Thanks! Do you sell gift cards?", "Thanks!", "Do you sell gift cards?"),
        ("no, it broke. By the way, do you sell gift cards?", "no, it broke. By the way,", "do you sell gift cards?"),
        ("ok and whats your address please", "ok and", "what's your address"),
        ("two adults. How much? We pay cash.", "two adults.", "How much? We pay cash."),
        ("the blue one", "", "the blue one"),
        ("ok", "", "ok"),
    ],
)
def test_the_question_is_parted_from_what_leads_up_to_it(text: str, lead: str, core: str) -> None:
    """Answers, thanks and changes of subject come before; what follows the question belongs to it."""
    turn = split_turn(text)
    assert (turn.lead, turn.core) == (lead, core)


@pytest.mark.parametrize(
    "core",
    [
        "how much is it?", "the second one", "and for children under twelve?", "Do they deliver on Sunday evenings?",
        "yes please", "what about the winter season?", "could you do that on a Sunday?", "How do I appeal?",
        "is there a cheaper one in the sale?", "can I have the same in a larger size?", "I'll take the last option",
        "is the same discount given to students?", "translate the letter into French", "would she need a new passport?",
    ],
)  # fmt: skip
def test_pointing_back(core: str) -> None:
    """Pronouns, ellipsis, choices and bare verbs say something only with what came before."""
    assert points_back(core)


@pytest.mark.parametrize(
    "core",
    [
        "do you have a phone number for group bookings?", "is it possible to pay the bill in instalments?",
        "Is there a swimming pool in the hotel?", "When does the IT help desk open?",
        "which phones that have two SIM slots do you sell?", "how far is it from the station to the hotel?",
        "Are your parasols waterproof, and do you repair them?", "What does 'latency' mean?",
    ],
)  # fmt: skip
def test_not_pointing_back(core: str) -> None:
    """An "it", "there" or "that" that means nothing said before is no pointer."""
    assert not points_back(core)


def test_features_see_the_history() -> None:
    """Words that the history has already count apart from new ones; all are numbers of a size."""
    turn = split_turn("Also, what does the warranty of a toaster include?")
    fresh, known = features(turn, ["My parcel is late"]), features(turn, ["I bought a toaster", "It has a warranty"])
    assert len(fresh) == len(known)
    assert fresh != known
    assert max(map(abs, [*fresh, *known])) <= 3


@pytest.mark.parametrize(
    ("text", "leans"),
    [
        ("Yes, we have gift cards from 10 to 100 pounds.", False),
        ("Yes, and your sofa could be paid with one.", True),
        ("Yes, as I said for order 88121.", True),
        ("Yes, even in Oxford.", True),
    ],
)
def test_replies_that_lean(text: str, leans: bool) -> None:
    """A reply that names what only the history has doesn't answer the question asked alone."""
    reply = Reply(text=text, finish="stop", has_tool_calls=False, payload={})
    history = ["Where is my sofa, order 88121?", "It left our shop in Oxford."]
    assert leans_on(reply, "do you sell gift cards?", history) is leans
