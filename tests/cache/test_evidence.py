"""What outcomes teach of an entry: laws, and a traffic in which some hits are wrong."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.cache.evidence import (
    Observation,
    Pair,
    added,
    log_odds,
    may_serve,
    question_digest,
    read_observations,
    retired,
    written,
    wrong_probability,
)
from litellm_tokenopt.cache.intervals import at_most, exact_interval, surely_above, surely_within
from litellm_tokenopt.cache.learner import Learner
from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.stores import Hit
from litellm_tokenopt.cache.tally import MOST_LEVELS, MOST_SCALES, Counts, Tally, checked, explored, read_tally
from litellm_tokenopt.cache.tally import written as tally_written
from litellm_tokenopt.cache.verifier import Judgement
from litellm_tokenopt.settings import CacheSettings

# Log-odds as a probability can tell them apart: nearer to the line than this a verifier's confidence is the line.
MARGIN_STEP = 1e-6
margins = st.floats(-8, 8).map(lambda margin: round(margin / MARGIN_STEP) * MARGIN_STEP)
observations = st.builds(Observation, st.text("abcdef", min_size=1, max_size=2), margins, st.booleans())
known = st.lists(observations, max_size=30).map(lambda seen: _all_added(seen))
bounds = st.floats(0.001, 0.5)
tightenings = margins.map(abs)
pairs = st.builds(
    lambda margin, doubted: Pair(entry_key="e", question="asked", margin=margin, doubted=doubted),
    margins,
    st.booleans(),
)


def _all_added(seen: list[Observation]) -> tuple[Observation, ...]:
    kept: tuple[Observation, ...] = ()
    for one in seen:
        kept = added(kept, one)
    return kept


def judged(pair: Pair) -> Judgement:
    """What the verifier says of a pair with this margin."""
    refusal = "veto:words" if pair.doubted else "unverified"
    return Judgement(None if pair.margin >= 0 else refusal, 0.5, 0.5, pair.doubted)


@given(pairs, bounds)
def test_without_outcomes_nothing_changes(pair: Pair, bound: float) -> None:
    """The verifier's word holds as long as nothing was observed."""
    assert may_serve(pair, judged(pair), (), bound, 0.0) == (judged(pair).objection is None)


@given(pairs, known, observations, bounds, tightenings)
def test_a_wrong_outcome_never_makes_an_entry_easier_to_serve(
    pair: Pair, before: Any, new: Observation, bound: float, tightening: float
) -> None:
    """What was refused stays refused after one more wrong answer, also where the memory is full."""
    after = added(before, replace(new, same=False))
    if may_serve(pair, judged(pair), after, bound, tightening):
        assert may_serve(pair, judged(pair), before, bound, tightening)
    assert retired(after, bound) or not retired(before, bound)


@given(pairs, known, bounds, tightenings, tightenings)
def test_a_stricter_cache_never_serves_more(
    pair: Pair, seen: Any, bound: float, tightening: float, more: float
) -> None:
    """What the cache asks beyond the calibrated line only takes away."""
    if may_serve(pair, judged(pair), seen, bound, tightening + more):
        assert may_serve(pair, judged(pair), seen, bound, tightening)


@given(known, margins, margins, bounds, tightenings)
def test_the_surer_the_likelier_right(seen: Any, one: float, other: float, bound: float, tightening: float) -> None:
    """The probability of a wrong answer never rises with the margin, and is one."""
    low, high = sorted((one, other))
    first, second = (wrong_probability(seen, margin, bound, tightening) for margin in (low, high))
    assert 0 <= second <= first + 1e-12 <= 1 + 1e-9


@given(known)
def test_observations_survive_the_store(seen: Any) -> None:
    """Text and back; what is no such text is no observation."""
    assert [(o.question, o.same) for o in read_observations(written(seen))] == [(o.question, o.same) for o in seen]
    assert len(written(seen)) < 4096
    assert read_observations("nonsense") == read_observations("[[1]]") == read_observations("") == ()


def test_a_bad_entry_asks_for_more_and_a_good_one_for_less() -> None:
    """One wrong answer lifts the line for the entry; many right ones lower it, within bounds, where no rule doubts."""
    at = lambda margin, doubted=False: Pair(entry_key="e", question="asked", margin=margin, doubted=doubted)  # noqa: E731
    bad = (Observation("q", 0.5, False),)
    good = tuple(Observation(f"q{n}", 0.1, True) for n in range(40))
    assert not may_serve(at(0.4), judged(at(0.4)), bad, 0.01, 0.0)
    assert may_serve(at(5.0), judged(at(5.0)), bad, 0.01, 0.0)
    assert may_serve(at(-0.3), judged(at(-0.3)), good, 0.01, 0.0)
    assert not may_serve(at(-0.3, True), judged(at(-0.3, True)), good, 0.01, 0.0)
    assert not may_serve(at(-3.0), judged(at(-3.0)), good, 0.01, 0.0)


@given(st.integers(0, 60), st.integers(1, 60))
def test_intervals_hold_the_observed_share(hits: int, trials: int) -> None:
    """The bounds are where the tails hold 2.5 % each (Clopper and Pearson), and widen with fewer trials."""
    hits = min(hits, trials)
    interval = exact_interval(hits, trials)
    assert 0 <= interval.lower <= hits / trials <= interval.upper <= 1
    for share in (0.01, 0.1, 0.5):
        assert surely_above(share, hits, trials) == (interval.lower > share)
        assert surely_within(share, hits, trials) == (interval.upper <= share)
    if hits:
        assert 1 - at_most(hits - 1, trials, interval.lower) == pytest.approx(0.025, abs=1e-9)
    if hits < trials:
        assert at_most(hits, trials, interval.upper) == pytest.approx(0.025, abs=1e-9)
    exact = math.fsum(math.comb(trials, k) * 0.3**k * 0.7 ** (trials - k) for k in range(hits + 1))
    assert at_most(hits, trials, 0.3) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("share", "checks"), [(0.01, 300), (0.05, 120), (0.3, 50)])
def test_the_reported_interval_covers_the_truth(share: float, checks: int) -> None:
    """Of many caches of known wrong rate, about 95 % or more report an interval that holds it."""
    covered = 0
    for seed in range(400):
        drawn = random.Random(seed)
        counts = Counts()
        for _ in range(checks):
            counts = counts.plus("different" if drawn.random() < share else "same")
        covered += counts.interval.lower <= share <= counts.interval.upper
    assert covered / 400 >= 0.94


# --- the whole cache --------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["same", "different", "unknown"]), max_size=60), st.floats(0.01, 0.2))
def test_the_tally_is_bounded_and_survives_the_store(outcomes: list[Any], bound: float) -> None:
    """Levels stay in their range, every check is counted once, and text gives the same tally back."""
    tally = Tally()
    for number, outcome in enumerate(outcomes):
        tally = checked(tally, outcome, 20_000 + number // 20, bound)
        assert 0 <= tally.level <= MOST_LEVELS
    counted = tally.recent
    assert (counted.same, counted.different) == (outcomes.count("same"), outcomes.count("different"))
    assert read_tally(tally_written(tally)) == tally
    assert read_tally("nonsense") == read_tally("{}") == Tally()


def test_too_many_wrong_hits_tighten_and_good_ones_loosen() -> None:
    """The level rises only when the rate is surely above the bound, and falls when it's surely below."""
    tally = checked(Tally(), "same", 1, 0.05)
    for _ in range(3):
        tally = checked(tally, "different", 1, 0.05)
    assert tally.level >= 1
    for _ in range(200 * tally.level):
        tally = explored(tally, "same", 0.05)
    assert tally.level == 0
    few = checked(Tally(), "same", 1, 0.05)
    for _ in range(30):
        few = checked(few, "same", 1, 0.05)
    assert checked(few, "different", 1, 0.05).level == 0


def test_one_verifiers_record_neither_loosens_nor_excuses_another() -> None:
    """Levels change by what was measured on one scale, however well another one did; the level itself holds for all."""
    tally = Tally()
    for _ in range(2_000):
        tally = checked(tally, "same", 1, 0.05, "before")
    for _ in range(3):
        tally = checked(tally, "different", 1, 0.05, "now")
    assert tally.level == 1
    for _ in range(60):
        tally = explored(tally, "same", 0.05, "before")
    assert explored(tally, "same", 0.05, "now").level == 1
    for scale in range(MOST_SCALES + 2):
        tally = explored(tally, "unknown", 0.05, str(scale))
    assert len(tally.lower) == MOST_SCALES
    assert read_tally(tally_written(tally)) == tally


def test_counts_kept_without_a_scale_are_left_out() -> None:
    """Of what earlier versions kept the days and the level hold."""
    kept = json.loads(tally_written(checked(Tally(level=2), "same", 1, 0.05)))
    read = read_tally(json.dumps({**kept, "served": [900, 0, 0], "lower": [900, 0, 0]}))
    assert (read.level, read.recent, read.served, read.lower) == (2, Counts(1), {}, {})


def test_old_days_are_forgotten() -> None:
    """The reported rate is that of the last 30 days."""
    tally = checked(Tally(), "different", 100, 0.9)
    assert checked(tally, "same", 129, 0.9).recent == Counts(1, 1, 0)
    assert checked(tally, "same", 130, 0.9).recent == Counts(1, 0, 0)


@dataclass
class Traffic:
    """Questions like those of 60 entries; a pair's margin and whether its answer is right are fixed."""

    seed: int
    bad_entries: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.margins: dict[tuple[int, int], float] = {}
        self.right: dict[tuple[int, int], bool] = {}
        for entry in range(60):
            for variant in range(40):
                margin = self.random.uniform(0, 5)
                wrong = 0.6 if entry < self.bad_entries else 0.25 * math.exp(-margin)
                self.margins[entry, variant] = margin
                self.right[entry, variant] = self.random.random() >= wrong

    def draw(self) -> tuple[int, int]:
        return self.random.randrange(60), self.random.randrange(40)


async def run(traffic: Traffic, steps: int, fraction: float, bound: float, make: Any) -> list[tuple[bool, bool]]:
    """(served, right) of each question; a share of the hits is checked, what is refused is compared for nothing."""
    store = MemoryAnswerStore(1_000)
    learner = Learner(CacheSettings(max_wrong_rate=bound), store)
    seen = []
    for _ in range(steps):
        entry, variant = traffic.draw()
        key, right = f"e{entry}", traffic.right[entry, variant]
        if store.peek(key) is None:
            await store.put(make.entry(f"question {entry}", key=key), None, 1e9)
        note = store._kept[key].note
        sure = 1 / (1 + math.exp(-(log_odds(0.9) + traffic.margins[entry, variant])))
        hit = Hit(make.entry(f"question {entry}", key=key), 0.95, note)
        decided = await learner.decide(f"question {entry} {variant}", hit, Judgement(None, sure, 0.9))
        assert decided.pair is not None
        served, drawn = decided.objection is None, traffic.random.random() < fraction
        seen.append((served, right))
        outcome = "same" if right else "different"
        if served and drawn:
            await learner.checked(decided.pair, outcome)
        elif not served and not decided.tried:
            await learner.explored(decided.pair, outcome, drawn=drawn)
    return seen


def wrong_rate(seen: list[tuple[bool, bool]]) -> float:
    hits = [right for served, right in seen if served]
    return 1 - sum(hits) / len(hits)


def served_right(seen: list[tuple[bool, bool]]) -> float:
    rights = [served for served, right in seen if right]
    return sum(rights) / len(rights)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_wrong_hits_fall_to_within_the_bound(seed: int, make: Any) -> None:
    """A cache whose hits are wrong twice too often comes to keep its bound, and goes on serving what is right."""
    seen = await run(Traffic(seed), 9_000, 0.25, 0.02, make)
    last = seen[-2_000:]
    assert wrong_rate([(True, right) for _, right in last]) > 0.04
    assert wrong_rate(last) <= 0.02
    assert served_right(last) >= 0.85


@pytest.mark.parametrize("seed", [1, 2])
async def test_entries_that_are_wrong_go_and_others_stay(seed: int, make: Any) -> None:
    """Where a tenth of the entries is bad, also when they come back, it's they that stop being served."""
    traffic = Traffic(seed, bad_entries=6)
    seen = await run(traffic, 9_000, 0.25, 0.02, make)
    base = wrong_rate([(True, right) for _, right in seen])
    assert base > 0.09
    assert wrong_rate(seen[-2_000:]) < base / 3
    assert served_right(seen[-2_000:]) >= 0.75


async def test_without_checks_nothing_is_learned(make: Any) -> None:
    """With no outcomes every question of today's is served as today."""
    seen = await run(Traffic(1), 500, 0.0, 0.02, make)
    assert all(served for served, _ in seen)


def test_digests_are_of_what_is_asked() -> None:
    """Polite and plain wording are one question; another scope is another."""
    assert question_digest("s", "Hi, what is a llama?") == question_digest("s", "what is a llama")
    assert question_digest("s", "what is a llama") != question_digest("t", "what is a llama")


def test_a_second_wrong_outcome_of_a_question_takes_nothing_back() -> None:
    """The surer of the two stays."""
    sure, unsure = Observation("q", 2.0, False), Observation("q", -1.0, False)
    assert added((sure,), unsure) == added((unsure,), sure) == (sure,)
