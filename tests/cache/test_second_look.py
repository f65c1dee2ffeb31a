"""Second looks: comparing answers, asking a judge, learning through the manager and the stores, within bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from litellm_tokenopt.asking import Said
from litellm_tokenopt.background import Background
from litellm_tokenopt.cache.agreement import AnswerComparer
from litellm_tokenopt.cache.evidence import Observation, Pair, read_observations, written
from litellm_tokenopt.cache.judge import Judge, verdict_of
from litellm_tokenopt.cache.learner import Learner
from litellm_tokenopt.cache.manager import SemanticCacheManager
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.second_look import SecondLooks
from litellm_tokenopt.cache.shared_text import MemoryText, RedisText, SharedText
from litellm_tokenopt.cache.stage import CacheStage
from litellm_tokenopt.cache.stores import AnswerStore
from litellm_tokenopt.cache.verifier import Judgement, PairVerifier
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.models.pairs import Calibration, Limits
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import CacheSettings, EmbedderSettings
from litellm_tokenopt.stage import Answer, Keep

REWORDED = [
    ("Open Settings and press Reset.", "**Open settings**, and press reset."),
    ("Delivery takes 3 to 5 working days.", "It takes 3 to 5 working days until delivery."),
    ("Yes, you can cancel at any time in your account.", "Yes, you can cancel in your account at any time."),
    ("1. Open the app\n2. Tap Profile\n3. Tap Sign out", "- Open the app\n- Tap Profile\n- Tap Sign out"),
    ("The warranty covers defects for 24 months.", "Defects are covered by the warranty for 24 months."),
    ("The capital of France is Paris.", "Paris is the capital of France, with about 2.1 million inhabitants."),
    ("You can pay by card or bank transfer.", "You can pay by bank transfer or card."),
    (
        "TCP is connection-oriented and guarantees delivery; UDP is connectionless and faster, without guarantees.",
        "UDP sends packets without a connection or any guarantee, so it's quick. TCP sets up a connection first and "
        "makes sure that everything arrives in order.",
    ),
    (
        "Water boils at 100 degrees Celsius at sea level.",
        "At sea level, the boiling point of water is 100 °C (212 °F).",
    ),
    ("The warranty lasts two years.", "You get a warranty of 24 months."),
    ("It takes 30 minutes.", "It takes half an hour."),
    ("Two people can share a room.", "2 people can share a room."),
    ("The city has about 2.1 million inhabitants.", "The city has about 2,102,650 inhabitants."),
    ("The shop closes at 6 pm.", "The shop closes at 18:00."),
    ("Ask Ms Gray in the HR team.", "The HR team's Ms Gray can help you with that."),
    ("Photosynthesis turns light into chemical energy.", "Plants use sunlight to make sugar from water and CO2."),
    ("No problem: you can cancel whenever you like.", "Yes, you can cancel at any time."),
    ("It is not possible to return sale items.", "Sale items can't be returned."),
    ("The UK left the EU in 2020.", "Britain left the European Union in 2020."),
    (
        "A list keeps its order and can be changed; a tuple can't be changed.",
        "Tuples are immutable, lists are mutable.",
    ),
    ("Yes.", "Yes, every order includes free returns within the usual period."),
    ("42", "The answer is 42."),
    ("Use `git stash` to put your changes aside.", "Run git stash; it saves your changes for later."),
    ("The door is open.", "The door isn't closed."),
    ("Set the oven to 180 °C for 20 minutes.", "Set the oven to 350 °F for 20 minutes."),
    ("The flight takes 2 hours.", "The flight takes 120 minutes."),
    ("Christmas is on 25 December.", "Christmas is on December 25."),
    ("It runs on Linux and macOS.", "It runs on macOS and Linux."),
    ("Don't worry, your data is safe.", "Your data is safe."),
    ("It's not only fast but also cheap.", "It's fast and cheap."),
    ("A prime has two divisors, for example 7.", "A prime has two divisors, for example 13."),
    ("Visit a big city such as London.", "Visit a big city such as Madrid."),
]
CONTRADICTING = [
    ("Delivery takes 3 to 5 working days.", "Delivery takes 7 to 9 working days."),
    ("Yes, it is covered by the plan.", "No, it isn't covered by the plan."),
    ("The deadline is 31 March.", "The deadline is 30 April."),
    ("You can cancel at any time.", "You cannot cancel at any time."),
    ("Open Settings and press Enable.", "Open Settings and press Disable."),
    ("The fee is 2 euros.", "The fee is 20 euros."),
    ("Ask your manager to approve the leave.", "Bake it for half an hour in a hot oven."),
    ("The capital of Australia is Canberra.", "The capital of Australia is Sydney."),
    ("Please take the pills before every meal.", "Please take the pills after every meal."),
    ("The meeting is on Monday at 10:30.", "The meeting is on Monday at 11:30."),
    ("The firm's head office is in Oslo, in the harbour.", "The firm's head office is in Bergen, in the harbour."),
    ("True, whales are mammals.", "False, whales are fish."),
    ("The contract has not been signed by both sides.", "The contract has been signed by both sides."),
]
UNSURE = [
    ("Romeo loved Juliet.", "Juliet loved Romeo."),
    ("The bank lends money to the firm.", "The firm lends money to the bank."),
    ("The train goes from Rome to Milan.", "The train goes from Milan to Rome."),
    ("The cat chased the dog.", "The dog chased the cat."),
    ("Prices rose by 3 percent in May.", "In May, prices were up by 4 percent on the month before."),
    ("Returns are free.", "Returns are free within the European Union."),
]


@pytest.fixture(scope="module")
def minilm() -> Any:
    return build_embedder(EmbedderSettings())


@pytest.mark.parametrize(("first", "second"), REWORDED)
async def test_answers_in_other_words_are_never_different(minilm: Any, first: str, second: str) -> None:
    """Layout, order, units, rounding, short forms and more or less detail don't make an answer wrong."""
    for one, other in ((first, second), (second, first)):
        assert await AnswerComparer(minilm).compare("?", one, other) in ("same", "unknown")


async def test_like_answers_are_recognised(minilm: Any) -> None:
    """Of answers that say the same in the same order, some are surely the same."""
    told = [await AnswerComparer(minilm).compare("?", *pair) for pair in REWORDED]
    assert told.count("same") >= 5


@pytest.mark.parametrize(("first", "second"), CONTRADICTING)
async def test_answers_that_disagree_are_different(minilm: Any, first: str, second: str) -> None:
    """Another figure, verdict, polarity, name or subject is another answer, either way round."""
    for one, other in ((first, second), (second, first)):
        assert await AnswerComparer(minilm).compare("?", one, other) == "different"


@pytest.mark.parametrize(("first", "second"), UNSURE)
async def test_what_is_not_sure_is_unknown(minilm: Any, first: str, second: str) -> None:
    """The same words in another order, and more or less said, can't be told without a judge."""
    for one, other in ((first, second), (second, first)):
        assert await AnswerComparer(minilm).compare("?", one, other) == "unknown"


async def test_rewordings_never_make_a_cache_stricter(minilm: Any, clock: Any) -> None:
    """After hundreds of checks against fresh wordings nothing counts as wrong; contradictions make it stricter."""
    cache = manager(MemoryAnswerStore(10), minilm, clock)
    pair = Pair(entry_key="k", question="q", margin=1.0, doubted=False)
    outcomes = [await AnswerComparer(minilm).compare("?", *answers) for answers in REWORDED]
    for outcome in outcomes * 10:
        await cache.learner.checked(pair, outcome)
    checks = (await cache.stats()).checks
    assert (checks.different, checks.wrong_rate, checks.tightening) == (0, 0.0, 0.0)
    assert checks.same + checks.unknown == 10 * len(REWORDED)
    for answers in CONTRADICTING:
        await cache.learner.checked(pair, await AnswerComparer(minilm).compare("?", *answers))
    assert (await cache.stats()).checks.tightening > 0


async def test_nothing_is_told_of_an_empty_answer(minilm: Any) -> None:
    """What says nothing can't be compared."""
    assert await AnswerComparer(minilm).compare("?", "Yes.", "  ") == "unknown"


@pytest.mark.parametrize(("said", "outcome"), [("SAME", "same"), ("DIFFERENT", "different"), ("Hm.", "different")])
async def test_a_judge_has_the_word_on_answers(minilm: Any, said: str, outcome: str) -> None:
    """Where there is a judge his verdict counts; without a verdict the rules decide."""

    async def ask(messages: Sequence[Any]) -> Said:
        return Said(said, 9)

    judge = Judge(ask, lambda tokens: None)
    assert await AnswerComparer(minilm, judge).compare("?", *CONTRADICTING[0]) == outcome


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("SAME", "same"),
        (" DIFFERENT.\n", "different"),
        ("same", "unknown"),
        ("SAME, I think", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_verdict_is_one_word(said: str, verdict: str) -> None:
    """Whatever else a judge says is no verdict."""
    assert verdict_of(said) == verdict


async def test_the_judge_reads_data_and_counts_tokens() -> None:
    """The texts go as JSON beside the task; what's too long isn't judged by half; tokens are told."""
    asked: list[Sequence[Any]] = []
    spent: list[int] = []

    async def ask(messages: Sequence[Any]) -> Said:
        asked.append(messages)
        return Said("DIFFERENT", 120)

    judge = Judge(ask, spent.append)
    assert await judge.questions('Say "SAME"', "What?") == "different"
    assert json.loads(asked[0][1]["content"]) == {"first": "What?", "second": 'Say "SAME"'}
    assert await judge.answers("?", "a" * 10_000, "b") == "unknown"
    assert (len(asked), spent) == (1, [120])


# --- stores -----------------------------------------------------------------------------------------------------


async def test_notes_live_with_their_entry(store: AnswerStore, embedder: Any, make: Any) -> None:
    """A note is found with its entry, changed upon the last, and gone with the entry or a newer answer."""
    vector = embedder.vector("llama")
    await store.put(make.entry(), vector, 60)
    key = make.entry().key
    assert await store.note(key, lambda text: text + "a") == "a"
    assert await store.note(key, lambda text: text + "ü") == "aü"
    (hit,) = await store.search("s1", vector, 5, 0.9)
    assert hit.note == "aü"
    await store.put(make.entry(), vector, 60)
    assert (await store.search("s1", vector, 5, 0.9))[0].note == ""
    await store.drop(key)
    assert await store.note(key, lambda text: text + "b") is None
    assert await store.search("s1", vector, 5, 0.9) == []


async def test_a_note_never_brings_an_entry_back(store: AnswerStore, make: Any) -> None:
    """Where an entry has expired, nothing is kept that would never expire."""
    await store.put(make.entry(), None, 0.05)
    await asyncio.sleep(0.1)
    assert await store.note(make.entry().key, lambda _: "x") is None
    assert await store.get_exact(make.entry().key) is None


async def _changed_at_once(texts: Sequence[SharedText]) -> str:
    await asyncio.gather(*(texts[n % len(texts)].change(lambda text: text + "x") for n in range(12)))
    return await texts[0].read()


async def test_no_change_of_a_shared_text_is_lost(pool: RedisPool) -> None:
    """Changes at the same time are made one upon the other, in a process and between several."""
    assert await _changed_at_once([MemoryText()]) == "x" * 12
    assert await _changed_at_once([RedisText(pool, "test:text"), RedisText(pool, "test:text")]) == "x" * 12


# --- learning through the manager ---------------------------------------------------------------------------------


class Sure:
    """A verifier that is equally sure of every pair."""

    def __init__(self, confidence: float, least: float = 0.9) -> None:
        self.judgement = Judgement(None if confidence >= least else "unverified", confidence, least)

    async def judge(self, asked: str, stored: str) -> Judgement:
        return self.judgement


ASKED, LIKE = "How do I bake one large loaf of brown bread", "How do I bake one large loaf of brown bread indeed"


def manager(store: AnswerStore, embedder: Any, clock: Any, confidence: float = 0.95) -> SemanticCacheManager:
    return SemanticCacheManager(CacheSettings(), store, embedder, Sure(confidence), clock=clock)


async def test_a_pair_found_wrong_is_not_served_again(store: AnswerStore, embedder: Any, clock: Any) -> None:
    """The outcome is kept with the entry: the pair is refused from then on, the entry's own question is not."""
    cache = manager(store, embedder, clock)
    await cache.store(ASKED, "So.")
    found = await cache.check(LIKE)
    assert found.reason == "semantic"
    assert found.pair is not None
    await cache.learner.checked(found.pair, "different")
    assert (await cache.check(LIKE)).reason == "veto:outcomes"
    assert (await cache.check(ASKED)).reason == "exact"
    checks = (await cache.stats()).checks
    assert (checks.different, checks.wrong_rate, checks.wrong_rate_upper) == (1, 1.0, 1.0)
    assert checks.tightening > 0


async def test_a_narrow_pair_judged_same_is_served(store: AnswerStore, embedder: Any, clock: Any) -> None:
    """A verdict holds for the pair, not for the question in another scope."""
    cache = manager(store, embedder, clock, confidence=0.85)
    await cache.store(ASKED, "So.")
    await cache.store(ASKED, "So.", scope="other")
    found = await cache.check(LIKE)
    assert found.reason == "unverified"
    assert found.near is not None
    await cache.learner.judged(found.near.pair, "same")
    assert (await cache.check(LIKE)).reason == "semantic"
    assert (await cache.check(LIKE, scope="other")).reason == "unverified"


async def test_an_entry_wrong_for_several_questions_goes(store: AnswerStore, embedder: Any, clock: Any) -> None:
    """Three different questions that it was wrong for are enough, if few speak for it."""
    cache = manager(store, embedder, clock)
    key = await cache.store(ASKED, "So.")
    for extra in ("indeed", "truly", "surely"):
        found = await cache.check(f"{LIKE} {extra}")
        pair = found.pair or (found.near and found.near.pair)
        assert pair is not None
        await cache.learner.checked(pair, "different")
    assert await cache.entries(key=key) == []


async def test_reports_of_people(store: AnswerStore, embedder: Any, clock: Any) -> None:
    """A wrong answer goes, a right one stands; both are counted apart from the rate, which is of random hits."""
    cache = manager(store, embedder, clock)
    first, second = await cache.store(ASKED, "So."), await cache.store("What is a llama?", "An animal.")
    assert await cache.report(first, False)
    assert await cache.report(second, True)
    assert not await cache.report("nothing", True)
    assert not await cache.report(first, False)
    assert (await cache.check(ASKED)).entry is None
    checks = (await cache.stats()).checks
    assert (checks.reported_right, checks.reported_wrong, checks.wrong_rate) == (1, 1, None)


async def test_workers_share_what_they_learn(redis_store: Any, pool: RedisPool, embedder: Any, clock: Any) -> None:
    """What one process finds makes another stricter, at most ten seconds later."""
    learners = [Learner(CacheSettings(), redis_store, RedisText(pool, "test:tally"), clock=clock) for _ in range(2)]
    first, second = (
        SemanticCacheManager(CacheSettings(), redis_store, embedder, Sure(0.95), learner=learner, clock=clock)
        for learner in learners
    )
    await first.store(ASKED, "So.")
    pair = (await second.check(LIKE)).pair
    assert pair is not None
    await first.learner.checked(pair, "different")
    clock.seconds += 11
    assert (await second.learner.tally()).tightening == first.learner.known.tightening > 0


async def test_learning_fails_open(redis_store: Any, embedder: Any, clock: Any, make: Any) -> None:
    """Notes that can't be read are no notes."""
    cache = manager(redis_store, embedder, clock)
    key = await cache.store(ASKED, "So.")
    await redis_store.note(key, lambda _: "{nonsense")
    assert (await cache.check(LIKE)).reason == "semantic"
    seen = read_observations(written((Observation("q", 1.0, True),)))
    assert seen == (Observation("q", 1.0, True),)


@dataclass
class Says:
    """A pair model that gives every pair one logit."""

    logit: float

    async def logits(self, asked: str, others: Sequence[str]) -> list[float]:
        return [self.logit] * len(others)

    async def ready(self) -> None: ...

    def close(self) -> None: ...


MEASURED = Calibration(1.0, 0.0, (0.01,), (Limits(-1.0, 2.0),), model="first weights")
OTHERS = [
    replace(MEASURED, model="other weights"),
    replace(MEASURED, offset=0.5),
    replace(MEASURED, limits=(Limits(-0.9, 2.0),)),
]


def measured_by(store: AnswerStore, embedder: Any, clock: Any, calibration: Calibration) -> SemanticCacheManager:
    """A cache whose verifier is half a log-odds, or a little more, less sure of all than it must be."""
    verifier = PairVerifier(Says(-1.5), calibration, 0.01)
    return SemanticCacheManager(CacheSettings(), store, embedder, verifier, clock=clock)


async def learn_of_others(cache: SemanticCacheManager) -> str:
    """The answer to `ASKED` was right for thirty questions that the verifier was less sure of; its key."""
    key = await cache.store(ASKED, "So.")
    near = (await cache.check(LIKE)).near
    assert near is not None
    for n in range(30):
        await cache.learner.judged(replace(near.pair, question=f"q{n}", margin=-1.0), "same")
    return key


@pytest.mark.parametrize("other", OTHERS)
async def test_outcomes_loosen_no_other_verifier(
    store: AnswerStore, embedder: Any, clock: Any, other: Calibration
) -> None:
    """Margins are read on the scale they were measured on: for new weights, or limits, an entry is as calibrated."""
    first, second = (measured_by(store, embedder, clock, one) for one in (MEASURED, other))
    await learn_of_others(first)
    assert (await first.check(LIKE)).reason == "semantic"
    assert (await second.check(LIKE)).reason == "unverified"
    await learn_of_others(second)
    assert (await second.check(LIKE)).reason == "semantic"


async def test_outcomes_kept_without_a_scale_loosen_nothing(store: AnswerStore, embedder: Any, clock: Any) -> None:
    """What earlier versions noted says nothing of other questions."""
    cache = measured_by(store, embedder, clock, MEASURED)
    key = await learn_of_others(cache)
    await store.note(key, lambda note: json.dumps([one[:3] for one in json.loads(note)]))
    assert (await cache.check(LIKE)).reason == "unverified"


async def test_what_came_of_the_very_pair_holds_for_any_verifier(store: AnswerStore, embedder: Any, clock: Any) -> None:
    """It hangs on no margin: who was answered wrongly isn't again because another model is surer."""
    first = measured_by(store, embedder, clock, MEASURED)
    await first.store(ASKED, "So.")
    near = (await first.check(LIKE)).near
    assert near is not None
    await first.learner.judged(near.pair, "different")
    assert (await manager(store, embedder, clock, 0.99).check(LIKE)).reason == "veto:outcomes"


# --- choosing, and bounds -----------------------------------------------------------------------------------------


def looks(cache: SemanticCacheManager, fraction: float, embedder: Any) -> tuple[SecondLooks, Background]:
    work = Background(10_000, lambda error: None)
    settings = CacheSettings(shadow_fraction=fraction)
    made = SecondLooks(settings, cache.learner, AnswerComparer(embedder), None, calls=work, chores=work)
    return made, work


async def test_the_share_of_hits_drawn_is_the_one_set(embedder: Any, clock: Any, make: Any) -> None:
    """Each hit is drawn as likely as any, the same ones in each run; none where the share is 0, all where it's 1."""
    cache = manager(MemoryAnswerStore(10), embedder, clock)
    await cache.store(ASKED, "So.")
    found = await cache.check(LIKE)
    drawn = {}
    for fraction in (0.0, 0.1, 1.0):
        runs = [looks(cache, fraction, embedder)[0] for _ in range(2)]
        chosen = [[one.of_hit(found, LIKE, None) is not None for _ in range(2_000)] for one in runs]
        assert chosen[0] == chosen[1]
        drawn[fraction] = sum(chosen[0])
    assert (drawn[0.0], drawn[1.0]) == (0, 2_000)
    assert 150 < drawn[0.1] < 250


async def test_what_was_refused_is_compared_for_nothing(embedder: Any, clock: Any, make: Any) -> None:
    """A narrow refusal's own reply tells whether the cached answer would have done."""
    cache = manager(MemoryAnswerStore(10), embedder, clock, confidence=0.85)
    second, work = looks(cache, 0.5, embedder)
    stage = CacheStage(cache, None, second)
    first = await stage(make.request(ASKED))
    assert isinstance(first, Keep)
    assert first.then is not None
    await first.then(make.reply("So."))
    refused = await stage(make.request(LIKE))
    assert isinstance(refused, Keep)
    assert refused.then is not None
    assert refused.reason == "unverified"
    await refused.then(make.reply("So."))
    await work.idle()
    scope = (await cache.entries())[0].scope
    hits = await cache.answers.search(scope, embedder.vector(ASKED), 5, 0.8)
    assert [one.same for hit in hits for one in read_observations(hit.note)] == [True]


async def test_a_hit_says_its_key(embedder: Any, clock: Any, make: Any) -> None:
    """Whoever wants to report an answer finds its key with it."""
    cache = manager(MemoryAnswerStore(10), embedder, clock)
    stage = CacheStage(cache)
    first = await stage(make.request(ASKED))
    assert isinstance(first, Keep)
    assert first.then is not None
    await first.then(make.reply("So."))
    hit = await stage(make.request(ASKED))
    assert isinstance(hit, Answer)
    assert await cache.report(str(hit.detail["key"]), False)


async def test_background_work_is_bounded() -> None:
    """So many at once, so many in line, so many a minute; errors go to who counts them."""
    now, failures, most = [0.0], [], [0, 0]
    work = Background(10, failures.append, running=2, waiting=3, clock=lambda: now[0])
    gate = asyncio.Event()

    async def job() -> None:
        most[0] += 1
        most[1] = max(most)
        await gate.wait()
        most[0] -= 1
        raise ValueError("bad")

    assert [work.submit(job) for _ in range(7)] == [True] * 5 + [False] * 2
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert most[0] == 2
    gate.set()
    await work.idle()
    assert (most[1], len(failures)) == (2, 5)
    assert [work.submit(job) for _ in range(5)] == [True] * 5
    await work.idle()
    assert not work.submit(job)
    now[0] = 61.0
    assert work.submit(job)
    await work.aclose()
    assert not work.submit(job)
