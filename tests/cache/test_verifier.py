"""Who is believed about a candidate: the rules, then the model, within the allowed share of wrong answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from litellm_tokenopt.cache.verifier import ANEW, PairVerifier, RuleVerifier, signs_of
from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models.pairs import Calibration, Limits, calibration

CALIBRATION = Calibration(1.0, 0.0, (0.01, 0.05), (Limits(-1.0, 2.0), Limits(-math.inf, 1.0)))
SAME = ("How do I cancel my order?", "How can I cancel an order?")
OTHER_WORDS = ("How do I cancel my order?", "What do I press so that my order is called off?")
OTHER_NUMBER = ("How do I pay 100 dollars?", "How do I pay 900 dollars?")


class Says:
    """A model that gives every pair one logit, or none."""

    def __init__(self, logit: float | None) -> None:
        self.logit = logit
        self.asked = 0

    async def logits(self, asked: str, others: Sequence[str]) -> list[float]:
        self.asked += 1
        if self.logit is None:
            raise ModelUnavailable("no model")
        return [self.logit] * len(others)

    async def ready(self) -> None:
        if self.logit is None:
            raise ModelUnavailable("no model")

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("pair", "logit", "objection"),
    [
        (SAME, 0.0, None),
        (SAME, -1.5, "unverified"),
        (OTHER_WORDS, 2.5, None),
        (OTHER_WORDS, 1.5, "veto:words"),
        (OTHER_NUMBER, 9.0, "veto:number"),
    ],
)
async def test_the_model_is_believed_within_limits(pair: tuple[str, str], logit: float, objection: str | None) -> None:
    """What the rules let through needs little, what they doubt needs more, and what is certain isn't asked."""
    verifier = PairVerifier(Says(logit), CALIBRATION, max_wrong_rate=0.01)
    assert (await verifier.judge(*pair)).objection == objection


@pytest.mark.parametrize(
    ("asked", "stored", "anew"),
    [
        ("How do I call off my booking with a friend?", "What button scraps a booking with my friend?", True),
        ("Is she a clerk?", "Is she a former clerk?", False),
        ("Is she a clerk?", "Is she a plumber?", False),
        ("Where do I send my meter reading?", "How do I send my meter reading?", False),
        ("Can I fly to Oslo?", "Can I fly to Oslo?", False),
    ],
)
async def test_other_words_all_over_need_less_than_one_other_word(asked: str, stored: str, anew: bool) -> None:
    """A word put in, or another question word, is how look-alikes are made; the rest is how people ask again."""
    assert (ANEW in signs_of(asked, stored).signs) == anew
    believed = Calibration(1.0, 0.0, (0.01,), (Limits(-1.0, 2.0),), {ANEW: 2.0})
    judged = await PairVerifier(Says(0.5), believed, max_wrong_rate=0.01).judge(asked, stored)
    assert (judged.objection is None) == (anew or asked == stored)


QUESTION = "How long does the typing exam take?"


@pytest.mark.parametrize(
    ("asked", "stored", "apart"),
    [
        (f"I'm a slow typer lol. {QUESTION}", QUESTION, True),
        (QUESTION, "I'm new here, how long does the typing exam take?", True),
        (f"{QUESTION} btw I'm clumsy haha", QUESTION, True),
        (f"I'm a student. {QUESTION}", "What's the duration of the typing exam?", True),
        (f"I love Mondays lol. {QUESTION}", QUESTION, False),
        (f"Please help me. {QUESTION}", QUESTION, False),
        (
            "I'm out of butter, what else can I use in a cake?",
            "What can I use instead of butter in a cake?",
            False,
        ),
        ("My laptop won't start. What can I do?", "What can I do if my laptop won't start?", False),
    ],
)
def test_what_is_told_of_oneself_belongs_to_the_question(asked: str, stored: str, apart: bool) -> None:
    """No confidence helps where only one of two says who asks, unless in words of small talk, or in its question."""
    assert (signs_of(asked, stored).objection == "aside") == apart
    assert (signs_of(stored, asked).objection == "aside") == apart


async def test_every_sign_of_the_rules_counts() -> None:
    """Phrases that moved are believed more easily than other words that changed places as well."""
    believed = Calibration(1.0, 0.0, (0.01,), (Limits(-1.0, 2.0),), {"order": 1.0, "exchange": -2.0})
    moved = ("Which planet is closest to the sun?", "Which is the closest planet to the sun?")
    other = ("How does Ann annoy Bob at work?", "How does Bob annoy Ann in the office?")
    assert signs_of(*moved).objection == "order"
    assert signs_of(*other).signs == {"words", "exchange"}
    verifier = PairVerifier(Says(1.5), believed, max_wrong_rate=0.01)
    assert (await verifier.judge(*moved)).objection is None
    assert (await verifier.judge(*other)).objection == "veto:words"


async def test_who_did_what_is_never_left_to_the_model() -> None:
    """Two that took each other's place, who must and who can: no confidence helps."""
    verifier = PairVerifier(Says(9.0), CALIBRATION, max_wrong_rate=0.01)
    for asked, stored, objection in (
        ("Did Ann call Bob?", "Did Bob call Ann?", "exchange"),
        ("The driver was late and I was charged.", "I was late and the driver was charged.", "exchange"),
        ("Can my employer read my emails?", "Must my employer read my emails?", "duty"),
        ("Which desk can a new colleague have?", "What sort of desk will a new colleague get?", "duty"),
        ("Who called the nurse?", "Who did the nurse call?", "exchange"),
        ("Only guests may use the pool", "Guests may use only the pool", "focus"),
        ("Can I send you a parcel?", "Could you send me a package?", "persons"),
        ("How long do I eat before the race?", "How long before the race do I eat?", "focus"),
        ("Buy milk\nCall Tom", "Call Tom\nBuy milk", "lines"),
    ):
        assert (await verifier.judge(asked, stored)).objection == f"veto:{objection}"


async def test_pairs_that_need_no_comparison_get_none() -> None:
    """Where the allowed share is met by rules alone, the model's time is saved."""
    model = Says(9.0)
    assert (await PairVerifier(model, CALIBRATION, max_wrong_rate=0.05).judge(*SAME)).objection is None
    assert model.asked == 0


async def test_below_the_least_calibrated_rate_nothing_similar_is_served() -> None:
    """A share that was never reached in calibration can't be promised."""
    verifier = PairVerifier(Says(9.0), CALIBRATION, max_wrong_rate=0.001)
    assert (await verifier.judge(*SAME)).objection == "unverified"


async def test_without_the_model_the_rules_decide(caplog: pytest.LogCaptureFixture) -> None:
    """They're the same rules as those of the verifier without a model; the outage is logged once."""
    verifier = PairVerifier(Says(None), CALIBRATION, max_wrong_rate=0.01)
    await verifier.ready()
    for pair in (SAME, OTHER_WORDS, OTHER_NUMBER):
        assert await verifier.judge(*pair) == await RuleVerifier().judge(*pair)
    assert len(caplog.records) == 1


async def test_each_model_and_each_limit_has_a_scale_of_its_own() -> None:
    """Confidences of other weights, another calibration or another allowed share are told apart; the same aren't."""
    others = [replace(CALIBRATION, model="w"), replace(CALIBRATION, weights={"words": 1.0}), calibration()]
    verifiers = [PairVerifier(Says(9.0), one, 0.01) for one in (CALIBRATION, CALIBRATION, *others)]
    verifiers.append(PairVerifier(Says(9.0), calibration(), 0.002))
    first, same, *rest = [(await verifier.judge(*SAME)).scale for verifier in verifiers]
    assert first == same
    assert len({first, *rest}) == 5
    assert calibration().model


def test_more_wrong_answers_allowed_never_serve_less() -> None:
    """The packaged limits for doubted pairs fall as the allowed share rises, and every share keeps its promise."""
    packaged = calibration()
    doubted = [limits.doubted for limits in packaged.limits]
    assert doubted == sorted(doubted, reverse=True) or packaged.limits[0].free > packaged.limits[1].free
    assert list(packaged.wrong_rates) == sorted(packaged.wrong_rates)
    assert packaged.probability(-5) < 0.2 < 0.8 < packaged.probability(5)
