"""Which conversations share answers, with the model that tells small talk and questions that stand alone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import need_embedder

from litellm_tokenopt.cache.manager import SemanticCacheManager
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.stage import CacheStage
from litellm_tokenopt.cache.stores import AnswerStore
from litellm_tokenopt.cache.training import read_rows
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.models.memoised import MemoisedEmbedder
from litellm_tokenopt.request import ChatRequest, Controls, Message
from litellm_tokenopt.settings import CacheSettings, EmbedderSettings
from litellm_tokenopt.stage import Answer, Keep

SYSTEM = {"role": "system", "content": "You help the customers of a garden centre."}
MOWER = (
    "I bought a Greenline 40 mower from you in May",
    "Thanks for telling me. What is wrong with it?",
    "the battery is flat after 5 minutes",
    "That is covered by the guarantee. Shall I send a new battery?",
    "yes, to 12 Mill Lane",
    "The battery is on its way.",
)
LEANING = "when will it get here?"
ALONE = "Do you sell gift vouchers that can be sent by email?"


def messages(*texts: str) -> tuple[Message, ...]:
    """The system prompt, and *texts* in turn from the user and the assistant."""
    return (SYSTEM, *({"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)))


class Shop:
    """A cache with the packaged embedder, and the model server behind it."""

    def __init__(self, embedder: MemoisedEmbedder, make: SimpleNamespace, store: Any = None, **options: Any) -> None:
        self._make = make
        store = store or MemoryAnswerStore(100)
        self._stage = CacheStage(SemanticCacheManager(CacheSettings(**options), store, embedder))

    async def ask(self, *texts: str, reply: str = "Within three days.", history: Any = None, **more: Any) -> str:
        """How the last of *texts* was answered: exact or semantic from the cache, else the reason it went on."""
        request = ChatRequest(model="m", messages=history or messages(*texts), **more)
        verdict = await self._stage(request)
        if isinstance(verdict, Keep) and verdict.then is not None:
            await verdict.then(self._make.reply(reply))
        return "hit" if isinstance(verdict, Answer) else verdict.reason


@pytest.fixture(scope="module")
def real() -> MemoisedEmbedder:
    need_embedder()
    return build_embedder(EmbedderSettings())


@pytest.fixture
def shop(real: MemoisedEmbedder, make: SimpleNamespace) -> Shop:
    return Shop(real, make)


async def test_the_same_history_always_shares(shop: Shop) -> None:
    """Exact history is the floor, whether the question leans or not."""
    for question in (LEANING, ALONE, "ok", "the second one"):
        assert await shop.ask(*MOWER, question) != "hit"
        assert await shop.ask(*MOWER, question) == "hit"


async def test_a_question_that_stands_alone_is_asked_alone(shop: Shop) -> None:
    """After another history, in a first turn, and behind an answer to something else."""
    await shop.ask(*MOWER, f"Great, thanks. {ALONE}", reply="Yes, from 10 to 200 pounds.")
    assert await shop.ask("When should I plant tulips?", "In October.", ALONE) == "hit"
    assert await shop.ask("do you sell gift vouchers that can be sent by email") == "hit"
    assert await shop.ask(*MOWER[:4], f"not yet. By the way, {ALONE.lower()}") == "hit"


async def test_a_first_turn_answers_later_ones(shop: Shop) -> None:
    """What was asked with no history before it is the same question."""
    await shop.ask(ALONE)
    assert await shop.ask(*MOWER, f"Another question: {ALONE}") == "hit"


@pytest.mark.parametrize("question", [LEANING, "how much?", "yes please", "is there a charge?", "and in white?"])
async def test_a_question_that_leans_needs_its_history(shop: Shop, question: str) -> None:
    """The same words after other turns ask something else; so they do with no turns before them."""
    await shop.ask(*MOWER, question)
    assert await shop.ask("Do you deliver turf?", "Yes, by the square metre.", question) != "hit"
    assert await shop.ask(question) != "hit"


@pytest.mark.parametrize(
    ("old", "new"),
    [("40", "46"), ("Greenline", "Redline"), ("May", "June"), ("5 minutes", "50 minutes"), ("12 Mill", "21 Mill"),
     ("yes, to", "no, to"), ("battery is flat", "battery is hot"), ("a new battery", "a new charger")],
)  # fmt: skip
async def test_a_changed_fact_costs_the_hit(shop: Shop, old: str, new: str) -> None:
    """A number, name, month, answer or thing that differs in an earlier turn makes another question."""
    await shop.ask(*MOWER, LEANING)
    assert await shop.ask(*(text.replace(old, new) for text in MOWER), LEANING) != "hit"


async def test_small_talk_costs_nothing(shop: Shop) -> None:
    """Greetings, thanks, moods and reassurance, in turns of their own or within others."""
    await shop.ask(*MOWER, LEANING)
    chatty = (
        "Hello! " + MOWER[0],
        "Good morning. " + MOWER[1],
        "sorry for all the questions. " + MOWER[2],
        "No problem at all. " + MOWER[3],
        MOWER[4],
        MOWER[5],
        "oh brilliant, you're a lifesaver",
        "You're very welcome! Anything else I can help with?",
        "yes please, " + LEANING,
    )
    assert await shop.ask(*chatty) == "hit"


async def test_a_reply_that_leans_stays_with_its_history(shop: Shop) -> None:
    """An answer that names the customer's mower isn't given to others, though the question stood alone."""
    await shop.ask(*MOWER, ALONE, reply="Yes, and one could go with your battery to 12 Mill Lane.")
    assert await shop.ask(ALONE, reply="Yes.") != "hit"
    assert await shop.ask(*MOWER, ALONE) == "hit"


async def test_exact(real: MemoisedEmbedder, make: SimpleNamespace) -> None:
    """With `conversations: exact` only the very same history shares."""
    shop = Shop(real, make, conversations="exact")
    await shop.ask(*MOWER, ALONE)
    assert await shop.ask("Hi", "Hello!", ALONE) != "hit"
    assert await shop.ask(*MOWER, ALONE) == "hit"


async def test_other_histories_are_exact(shop: Shop) -> None:
    """With tool results, pictures or names in earlier turns nothing but the very same history shares."""
    picture = [{"type": "image_url", "image_url": {"url": "https://example.org/mower.png"}}]
    for turn in (
        {"role": "tool", "tool_call_id": "1", "content": "in stock"}, {"role": "user", "content": picture},
        {"role": "user", "name": "bob", "content": "Hi"}, {"role": "assistant", "tool_calls": [{"id": "1"}]},
    ):  # fmt: skip
        last = {"role": "user", "content": ALONE}
        await shop.ask(history=(SYSTEM, {"role": "user", "content": "Is it in stock?"}, turn, last))
        other = (SYSTEM, {"role": "user", "content": "Have you got it?"}, turn, last)
        assert await shop.ask(history=other) != "hit"
        assert await shop.ask(history=other) == "hit"


async def test_scopes_stay_apart(shop: Shop) -> None:
    """Another system prompt, temperature or namespace shares nothing, however alone the question stands."""
    await shop.ask(*MOWER, ALONE)
    other = ({"role": "system", "content": "You help airline passengers."}, *messages("Hi", "Hello!", ALONE)[1:])
    assert await shop.ask(history=other) != "hit"
    assert await shop.ask("Hi", "Hello!", ALONE, options={"temperature": 1}) != "hit"
    assert await shop.ask("Hi", "Hello!", ALONE, controls=Controls(namespace="n")) != "hit"


async def test_every_store(real: MemoisedEmbedder, make: SimpleNamespace, store: AnswerStore) -> None:
    """Situations come back from Redis as they were kept."""
    shop = Shop(real, make, store)
    await shop.ask(*MOWER, LEANING)
    await asyncio.sleep(0.05)
    assert await shop.ask(*MOWER[:5], "Lovely! The battery is on its way.", LEANING) == "hit"
    assert await shop.ask(*MOWER[:4], "yes, to 14 Mill Lane", MOWER[5], LEANING) != "hit"


async def test_another_embedder(embedder: Any, make: SimpleNamespace) -> None:
    """Without the model that the weights were trained on, the very same history alone shares."""
    shop = Shop(embedder, make)
    await shop.ask(*MOWER, ALONE)
    assert await shop.ask("Hi", "Hello!", ALONE) != "hit"
    assert await shop.ask(*MOWER, ALONE) == "hit"


@given(st.integers(2, 9_999), st.integers(2, 9_999), st.sampled_from([LEANING, "how much?", "ok do it"]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_law_changed_numbers_never_share(
    real: MemoisedEmbedder, make: SimpleNamespace, one: int, other: int, question: str
) -> None:
    """Law: an earlier number that differs is another question; the same one is the same."""

    async def shared() -> bool:
        shop = Shop(real, make)
        first, second = (("I need turf", "For how large a lawn?", f"{n} square metres", "Noted.") for n in (one, other))
        await shop.ask(*first, question)
        return await shop.ask(*second, question) == "hit"

    assert asyncio.run(shared()) is (one == other)


@given(st.lists(st.sampled_from(["Hi!", "Thanks so much.", "Oh great!", "Sorry!", "You're so kind."]), max_size=3))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_law_small_talk_shares(real: MemoisedEmbedder, make: SimpleNamespace, phrases: list[str]) -> None:
    """Law: phrases of politeness before what is said change nothing."""

    async def shared() -> bool:
        shop = Shop(real, make)
        await shop.ask(*MOWER, LEANING)
        return await shop.ask(" ".join([*phrases, MOWER[0]]), *MOWER[1:], LEANING) == "hit"

    assert asyncio.run(shared())


RUST, GO = "I only code in Rust.", "I only code in Go."
READ = "How do I read a file line by line in a program?"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RUST, GO),
        ("From now on answer like a pirate.", "Hello!"),
        ("In this game, red means stop and green means go.", "In this game, red means go and green means stop."),
        ("Call me Captain.", "Hi there!"),
        ("Please keep your answers short.", "Good morning!"),
        ("I live in Norway.", "I live in Spain."),
        ("I'm a vegetarian.", "Nice to meet you."),
        ("My daughter is allergic to nuts.", "My daughter is tall."),
        ("You are a strict teacher.", "You are a cheerful clown."),
        ("Pretend that it is 1850.", "How nice."),
    ],
)
async def test_what_is_said_for_good_must_be_the_same(
    real: MemoisedEmbedder, make: SimpleNamespace, one: str, other: str
) -> None:
    """A question that stands alone is not shared across instructions, roles, meanings and facts that stay."""
    shop = Shop(real, make)
    assert await shop.ask(one, "Understood.", READ, reply="With a loop.") != "hit"
    assert await shop.ask(one, "Sure.", READ) == "hit"
    assert await shop.ask(other, "Understood.", READ) != "hit"


async def test_a_list_has_an_order(real: MemoisedEmbedder, make: SimpleNamespace) -> None:
    """ "The second one" is another after the same names in another order."""
    shop = Shop(real, make)
    for cities in ("Rome and Milan", "Milan and Rome"):
        assert await shop.ask("Which cities do you fly to?", f"We fly to {cities}.", "the second one please") != "hit"


PLAN = "I'm on the family plan."
DATA = "How much data do I get?"


async def test_a_fact_said_in_passing_keeps_its_question_apart(shop: Shop) -> None:
    """One that the answer hinges on; with the same fact, in other words too, the answer is shared."""
    await shop.ask(PLAN, "Thanks.", DATA, reply="Plenty.")
    assert await shop.ask("Good morning!", "Hello!", DATA) != "hit"
    assert await shop.ask(DATA) != "hit"
    assert await shop.ask("I'm on the solo plan.", "Thanks.", DATA) != "hit"
    assert await shop.ask("Hello! We have the family plan.", "Great.", DATA) == "hit"


async def test_a_fact_that_the_question_does_not_hinge_on_costs_nothing(shop: Shop) -> None:
    """What letters stand for is the same for all."""
    question = "What does the abbreviation ISBN stand for?"
    await shop.ask(PLAN, "Thanks.", question, reply="For a book's number.")
    assert await shop.ask("Good morning!", "Hello!", question) == "hit"


async def test_held_out_conversations(real: MemoisedEmbedder, make: SimpleNamespace) -> None:
    """Of pairs that nothing was trained on at most 3 of 100 traps are served, and most that should be."""
    served: dict[str, list[bool]] = defaultdict(list)
    for pair in read_rows("conversations_heldout.jsonl"):
        for first, second in (("a", "b"), ("b", "a")):
            shop = Shop(real, make)
            await shop.ask(history=(SYSTEM, *pair[first]), reply="So it is.")
            found = await shop.ask(history=(SYSTEM, *pair[second]), reply="So it was.")
            served[pair["kind"] if pair["same"] else "traps"].append(found == "hit")
    share = {kind: sum(hits) / len(hits) for kind, hits in served.items()}
    assert share["traps"] <= 0.03
    assert min(share["harmless"], share["stands_alone"]) >= 0.7
