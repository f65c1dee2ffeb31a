"""Which clauses may be small talk, and how sure it must be that they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.models import need_models

from litellm_tokenopt.cache.asides import (
    LEAST_LIKELY,
    LEAST_RELATED,
    LEAST_STRANGELY,
    LEAST_SURELY,
    alone,
    known_from,
    least_sure,
)
from litellm_tokenopt.cache.build import build_verifier
from litellm_tokenopt.cache.restated import Restater
from litellm_tokenopt.cache.situation import Clause, Situation, situation_of
from litellm_tokenopt.cache.telling import Teller
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.settings import EmbedderSettings, Settings

TURNS = (
    "I want to send a parcel to my aunt in Leeds",
    "How heavy is it?",
    "about 4 kg, it's full of books",
    "That's 9 pounds. You can drop it at any post office.",
)
ASKED = "how long will it take?"


def of(*texts: str) -> Situation:
    return situation_of([(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("it's so sunny this morning", LEAST_LIKELY),
        ("that was so funny", LEAST_LIKELY),
        ("what a day", 0.0),
        ("did you sleep well?", 0.0),
        ("I saw a hedgehog", LEAST_STRANGELY[1]),
        ("it's about lovely people", LEAST_LIKELY),
        ("my hearing isn't great", None),
        ("United won 3-1 yesterday", None),
        ("he never stops singing", None),
        ("my husband lives in the old house", None),
        ("my uncle lives in Leeds", None),
        ("everything takes so long these days", None),
        ("the other one is funny", None),
        ("yes", None),
        ("I'm rubbish at sums lol", None),
        ("my mum is so mad at him", None),
        ("the thing is outside in the rain", None),
        ("just me and the cat here", None),
        ("I do it all by hand", None),
        ("dad hates the cold", None),
        ("it feels hot to me", None),
        ("it's raining in here lol", None),
        ("I love it hot", None),
        ("I can't wait that long", None),
        ("I was drunk lol", None),
        ("I was so confused haha", LEAST_LIKELY),
        ("it feels cold outside", LEAST_LIKELY),
        ("I can't wait!", 0.0),
        ("I'm happy with that", LEAST_LIKELY),
        ("just me again", LEAST_LIKELY),
        ("I only speak Welsh", None),
    ],
)
def test_how_sure_it_must_be(text: str, least: float | None) -> None:
    """The more a clause holds, and the more it has to do with what else was said, the surer; some never are."""
    assert least_sure(Clause("u", text), known_from(of(*TURNS), ASKED)) == least


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("sounds like fun", LEAST_LIKELY),
        ("I never sleep", LEAST_SURELY),
        ("old books are lovely", LEAST_RELATED),
        ("it takes so long", None),
    ],
)
def test_how_sure_it_must_be_of_the_assistants(text: str, least: float | None) -> None:
    """What the assistant says tells no fact of the user's, whatever its words; it may tell the user one."""
    assert least_sure(Clause("a", text), known_from(of(*TURNS), ASKED)) == least


def test_small_talk_of_what_is_talked_about_counts() -> None:
    """The weather is no small talk where tyres are chosen."""
    rain = Clause("u", "it's pouring with rain here")
    assert least_sure(rain, known_from(of(*TURNS), ASKED)) is not None
    assert least_sure(rain, known_from(of("my car needs new tyres"), "which ones should I take?")) is None


@given(st.text(max_size=60), st.lists(st.text(max_size=40), max_size=4))
def test_what_else_was_said_makes_it_no_surer(text: str, said: list[str]) -> None:
    """Law: beside more that was said a clause must be as likely small talk as before, or likelier, or never is."""
    lone, beside = (least_sure(Clause("u", text), known_from(x, "")) for x in ((), [Clause("u", t) for t in said]))
    assert beside is None or (lone is not None and beside >= lone)


def test_what_one_side_alone_said() -> None:
    """Clauses that the other has nowhere."""
    assert alone(of(*TURNS), of(*TURNS)) == ([], [])
    more = of(*TURNS, "there was fog this morning", "I loved it")
    assert alone(of(*TURNS), more) == ([], [len(of(*TURNS)), len(of(*TURNS)) + 1])


@pytest.mark.parametrize(
    ("aside", "same"),
    [
        (("ugh, it's raining cats and dogs here", "Stay dry!"), True),
        (
            ("did you see the match last night? what a game", "That sounds exciting, what a match!"),
            True,
        ),
        (("my cat just walked over the keyboard, sorry", "No worries, cats will be cats!"), True),
        (("by the way, I moved to Lyon last month", "How lovely!"), False),
        (("oh, she's in York now, I always forget", "No worries!"), False),
        (("haha I weighed it again, it's nearer 6", "Haha!"), False),
        (("I'd rather send it by express, what a day", "Indeed!"), False),
    ],
)
async def test_small_talk_costs_no_hit_and_a_fact_does(aside: tuple[str, str], same: bool) -> None:
    """Whichever side has it, wherever it stands, and however it's said."""
    need_models()
    embedder, verifier = build_embedder(EmbedderSettings()), build_verifier(Settings())
    restater = Restater(embedder, Teller(embedder), verifier.likeness)
    for at in (2, 4):
        chatty = of(*TURNS[:at], *aside, *TURNS[at:])
        assert await restater.same(of(*TURNS), chatty, ASKED) is same
        assert await restater.same(chatty, of(*TURNS), ASKED) is same
    verifier.close()


@pytest.mark.parametrize(
    "fact",
    [
        "I just found out I'm expecting, such lovely news!",
        "We had a great party and I'm still on blood thinners, haha.",
        "The huge oak next door is so beautiful in autumn.",
        "I've had this funny heart murmur since I was a kid.",
        "Twins are on the way, we're so excited!",
        "The neighbours are so nosy about the fence line.",
        "He's been sober for a year, I'm so proud of him!",
        "I lug it up a mountain every day, crazy me.",
    ],
)
async def test_a_fact_in_a_chatty_tone_is_none(fact: str) -> None:
    """How it's said makes a fact no small talk."""
    need_models()
    teller = Teller(build_embedder(EmbedderSettings()))
    clauses = list(situation_of([("user", fact)]))
    idle = await teller.small_talk(clauses, [least_sure(clause, known_from((), "Which one?")) for clause in clauses])
    assert not all(idle)
