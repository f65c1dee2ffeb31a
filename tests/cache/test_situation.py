"""What earlier turns established, and when two of them established the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.cache.situation import Clause, Situation, figures, pack, says_the_same, situation_of, unpack

Turns = list[tuple[str, str]]
BOOKING: Turns = [
    ("user", "I want a table for 4 on Friday"),
    ("assistant", "Inside or on the terrace?"),
    ("user", "inside"),
    ("assistant", "We have 7.30 or 8.15. Shall I book 7.30?"),
    ("user", "yes"),
]


def of(turns: Turns) -> Situation:
    return situation_of(turns)


def changed(old: str, new: str) -> Situation:
    return of([(role, text.replace(old, new)) for role, text in BOOKING])


def same(one: Situation, other: Situation) -> bool:
    """Whether both have the same clauses, small talk and all."""
    return len(one) == len(other) and all(map(says_the_same, one, other))


def test_politeness_leaves_no_trace() -> None:
    """Greetings, thanks and please are dropped, whoever says them."""
    polite: Turns = [
        ("user", "Hello there! I want a table for 4 on Friday please"),
        ("assistant", "Great. Inside or on the terrace?"),
        ("user", "ok, inside please, thank you!"),
        ("assistant", "Thanks. We have 7.30 or 8.15. Shall I book 7.30?"),
        ("user", "Yes please!"),
        ("assistant", "You're welcome. Anything else I can help with?"),
        ("user", "no, thanks"),
    ]
    assert same(of(BOOKING), of(polite))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for 4", "for 5"), ("for 4", "for fourteen"), ("Friday", "Sunday"), ("inside", "on the terrace"),
        ("yes", "no"), ("yes", "later"), ("yes", "ok"), ("7.30?", "8.15?"), ("I want", "I don't want"),
        ("I want", "My boss wants"),
    ],
)  # fmt: skip
def test_a_changed_fact_is_another_situation(old: str, new: str) -> None:
    """Numbers, days, choices and answers are facts."""
    assert not same(of(BOOKING), changed(old, new))


def test_who_said_it_counts() -> None:
    """The assistant's words in the user's mouth are another conversation."""
    assert not same(of([("user", "The fee is waived")]), of([("assistant", "The fee is waived")]))


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=6))
def test_any_history_equals_itself(turns: Turns) -> None:
    """Law: whatever was said, the same history is the same situation, packed or not."""
    situation = of(turns)
    assert unpack(pack(situation)) == situation
    assert same(situation, situation)


@given(st.integers(2, 10_000), st.integers(2, 10_000), st.integers(0, 4))
def test_changed_numbers_never_pass(one: int, other: int, at: int) -> None:
    """Law: histories that differ in a number differ in their figures, and in their situations."""
    first, second = ([*BOOKING[:at], ("user", f"we have {n} of them"), *BOOKING[at:]] for n in (one, other))
    assert (figures(first) == figures(second)) is (one == other)
    assert same(of(first), of(second)) is (one == other)


def test_figures() -> None:
    """Digits and number words in order; *one* is no figure."""
    assert figures([("user", "two of the A4 ones, at £1,200.50 each, by 3/4; one more")]) == (
        "2", "a4", "1200.50", "3/4",
    )  # fmt: skip


@pytest.mark.parametrize("feeling", ["sadly", "luckily", "thanks", "unfortunately"])
def test_how_one_feels_about_a_reply_is_no_part_of_it(feeling: str) -> None:
    """What's left is all of the reply, and read with its question."""
    turns = [("user", "I have a rash"), ("assistant", "Does it itch?"), ("user", f"It doesn't, {feeling}.")]
    assert situation_of(turns)[-1] == Clause("r", "It doesn't")
