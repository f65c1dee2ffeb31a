"""What is said in passing, and which questions hinge on it."""

from __future__ import annotations

import pytest

from litellm_tokenopt.cache.facts import same_facts, statements
from litellm_tokenopt.cache.situation import situation_of
from litellm_tokenopt.cache.standing import split_turn
from litellm_tokenopt.cache.telling import Teller
from litellm_tokenopt.models import minilm
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.settings import EmbedderSettings


@pytest.fixture(scope="module")
def teller() -> Teller:
    if minilm.packaged_folder() is None:
        pytest.skip(f"needs the package of {minilm.NAME}")
    return Teller(build_embedder(EmbedderSettings()))


def test_statements() -> None:
    """What the user says, replies with their questions, and what the assistant says of the user; no questions."""
    situation = situation_of(
        [
            ("user", "Hi! I'm moving to Bonn. Do you ship books?"),
            ("assistant", "We do. Your plan is the small one. How many are there?"),
            ("user", "forty"),
        ]
    )
    assert statements(situation) == ("I'm moving to Bonn", "Your plan is the small one", "How many are there? forty")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("I'm on the family plan", "we have the family plan", True),
        ("I live in Canada", "I'm in Canada", True),
        ("I'm on the family plan", "I'm on the solo plan", False),
        ("he weighs 12 kilos", "he weighs 30 kilos", False),
        ("I'm vegan", "I'm not vegan", False),
        ("it's a gift for my mother", "it's a gift for my father", False),
    ],
)
def test_the_same_fact(one: str, other: str, same: bool) -> None:
    """Words that tell nothing may differ, all others count; so does how many facts there are."""
    assert same_facts([one], [other]) is same
    assert not same_facts([one], [])
    assert not same_facts([one, "I'm new here"], [other])


@pytest.mark.parametrize(
    ("question", "statement", "counts"),
    [
        ("How much data do I get?", "I'm on the small plan", True),
        ("How much data do I get?", "your colleague was kind", False),
        ("Who discovered penicillin?", "I'm on the small plan", False),
        ("Do you sell umbrellas?", "I live in Oslo", False),
        ("How long does delivery take?", "I live in Oslo", True),
        ("Which hotel area is best for us?", "granny insists on coming along, bless her", True),
        ("Which hotel area is best for us?", "it's such a lovely morning", False),
    ],
)
async def test_facts_that_count(teller: Teller, question: str, statement: str, counts: bool) -> None:
    """A fact counts for a question that hinges on who asks; news and praise don't, nor does anything for the others."""
    assert await teller.facts(split_turn(question), [statement]) == ((statement,) if counts else ())
