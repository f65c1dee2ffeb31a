"""What earlier turns established, and which differences between two histories are small talk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.cache.situation import Situation, differences, figures, pack, situation_of, unpack

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


def test_the_same_turns_are_the_same_situation() -> None:
    """Nothing is left over."""
    assert differences(of(BOOKING), of(BOOKING)) == []


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
    assert differences(of(BOOKING), of(polite)) == []


def test_small_talk_is_left_over() -> None:
    """What holds no fact that rules see is left for the model to judge."""
    chatty = [*BOOKING[:2], ("user", "oh I love your terrace"), ("assistant", "How kind"), *BOOKING[2:]]
    found = differences(of(BOOKING), of(chatty))
    assert found is None or "I love your terrace" in found
    aside = [BOOKING[0], ("assistant", "We're all so excited. Inside or on the terrace?"), *BOOKING[2:]]
    assert differences(of(BOOKING), of(aside)) == ["We're all so excited"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for 4", "for 5"), ("for 4", "for fourteen"), ("Friday", "Sunday"), ("inside", "on the terrace"),
        ("yes", "no"), ("yes", "later"), ("yes", "ok"), ("7.30?", "8.15?"), ("I want", "I don't want"),
        ("I want", "My boss wants"),
    ],
)  # fmt: skip
def test_a_changed_fact_is_another_situation(old: str, new: str) -> None:
    """Numbers, days, choices and answers are facts: they never pass as small talk on rules' word alone."""
    found = differences(of(BOOKING), changed(old, new))
    assert found is None


@pytest.mark.parametrize(
    "extra", ["I have 2 dogs", "It's for Maria and me", "no nuts please", "is parking free?", "only the set menu"]
)
def test_an_added_fact_is_another_situation(extra: str) -> None:
    """What has a number, a name, a denial or a question can't be left out."""
    assert differences(of(BOOKING), of([*BOOKING, ("assistant", "Done."), ("user", extra)])) is None


@pytest.mark.parametrize("asides", range(1, 12))
def test_a_fact_behind_small_talk_is_seen(asides: int) -> None:
    """However much is chatted before it, a fact that one side alone has is another situation."""
    chat: Turns = [("user", f"I do love {'really ' * n}long chats") for n in range(asides)]
    assert differences(of(BOOKING), of([*BOOKING, ("assistant", "Done."), *chat, ("user", "we have 2 dogs")])) is None


def test_who_said_it_counts() -> None:
    """The assistant's words in the user's mouth are another conversation."""
    assert differences(of([("user", "The fee is waived")]), of([("assistant", "The fee is waived")])) != []


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=6))
def test_any_history_equals_itself(turns: Turns) -> None:
    """Law: whatever was said, the same history is the same situation, packed or not."""
    situation = of(turns)
    assert unpack(pack(situation)) == situation
    assert differences(situation, situation) == []


@given(st.integers(2, 10_000), st.integers(2, 10_000), st.integers(0, 4))
def test_changed_numbers_never_pass(one: int, other: int, at: int) -> None:
    """Law: histories that differ in a number differ in their figures, and in their situations."""
    first, second = ([*BOOKING[:at], ("user", f"we have {n} of them"), *BOOKING[at:]] for n in (one, other))
    assert (figures(first) == figures(second)) is (one == other)
    assert (differences(of(first), of(second)) == []) is (one == other)


def test_figures() -> None:
    """Digits and number words in order; *one* is no figure."""
    assert figures([("user", "two of the A4 ones, at £1,200.50 each, by 3/4; one more")]) == (
        "2", "a4", "1200.50", "3/4",
    )  # fmt: skip
