"""The fold over a conversation's turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.tools.rank import SURE, Fit
from litellm_tokenopt.tools.select import TOP, Turn, capacity, select

NONE: frozenset[int] = frozenset()


def turn(*wanted: int, size: int = 30, called: frozenset[int] = NONE, cosine: float = 0.6) -> Turn:
    """A turn that wants the tools *wanted*, in this order."""
    score, near, words = np.zeros(size), np.zeros(size), np.zeros(size)
    for rank, index in enumerate(wanted):
        score[index], near[index], words[index] = 10 - rank, cosine, float(cosine > 0)
    return Turn(fit=Fit(score, near, words, np.zeros((size, size))), calls=(called,) if called else ())


SMALL_TALK = turn()


def test_the_first_turn_chooses_up_to_the_limit() -> None:
    """What is wanted comes first, and the block's own order fills the rest."""
    assert select([turn(20, 25)], NONE, NONE, 4).tools == (20, 25, 0, 1)


def test_assent_and_thanks_change_nothing() -> None:
    """Turns that say nothing leave the selection as it is."""
    first = select([turn(20, 25)], NONE, NONE, 4)
    assert select([turn(20, 25), SMALL_TALK, SMALL_TALK], NONE, NONE, 4) == first


def test_questions_that_are_served_change_nothing() -> None:
    """While the best tool is there, the provider's cache is kept."""
    first = select([turn(20, 25)], NONE, NONE, 4)
    assert select([turn(20, 25), turn(25, 9), turn(20, 8)], NONE, NONE, 4) == first


def test_a_missing_best_tool_comes_in_with_its_company() -> None:
    """One change brings all that the question may need, and keeps the rest of what was there."""
    after = select([turn(20, 25), turn(9, 20)], NONE, NONE, 4)
    assert after.tools == (9, 20, 25, 0)
    assert after.epoch == 0


def test_another_subject_is_an_epoch() -> None:
    """When none of the three best tools is there, the tools are chosen anew."""
    after = select([turn(20, 25), turn(9, 10, 11)], NONE, NONE, 4)
    assert after.tools == (9, 10, 11, 0)
    assert after.epoch == 1


def test_what_goes_on_keeps_the_tools_that_fitted_best_before() -> None:
    """ "Now email it to Bob": recipes stay, whether they were called or not, behind the tools for mail."""
    after = select([turn(20, 25), replace(turn(9, 10, 11), refers=True)], NONE, NONE, 6)
    assert {9, 10, 11, 20, 25} <= set(after.tools)
    assert after.epoch == 1
    assert len(after.tools) == 6
    near = select([turn(20, 25, 26), replace(turn(9, 0, 8), refers=True)], NONE, NONE, 6)
    assert {9, 20, 25, 26} <= set(near.tools)


def test_a_weak_wish_is_no_reason_to_change() -> None:
    """A best tool that hardly resembles the question isn't clearly needed."""
    first = select([turn(20, 25)], NONE, NONE, 4)
    assert select([turn(20, 25), turn(9, 20, cosine=0.1)], NONE, NONE, 4) == first


def test_a_best_tool_far_ahead_of_all_that_are_there_comes_in() -> None:
    """Though it resembles the question little: "give it more replicas" of a tool that scales deployments."""
    after = select([turn(20, 25), turn(9, cosine=0.28)], NONE, NONE, 4)
    assert 9 in after.tools


def test_an_answer_that_shares_a_word_with_some_tool_asks_for_none() -> None:
    """ "The number is S-2207" and a tool that sets the number of slides."""
    first = select([turn(20, 25)], NONE, NONE, 4)
    assert select([turn(20, 25), turn(9, cosine=0.24)], NONE, NONE, 4) == first


def test_one_of_the_best_that_is_more_similar_than_all_that_are_there_comes_in() -> None:
    """ "Yes, and add a bag": the tool for bags isn't the best, but nothing that is there is half as similar."""
    near = np.zeros(30)
    near[[20, 9]] = 0.2, 0.33
    later = replace(turn(20, 25, 9).fit, cosine=near)
    assert 9 in select([turn(20, 25), Turn(fit=later)], NONE, NONE, 4).tools
    near[9] = 0.28
    assert 9 not in select([turn(20, 25), Turn(fit=later)], NONE, NONE, 4).tools


def test_after_a_greeting_the_first_question_chooses() -> None:
    """A greeting's selection is provisional: the first turn that says something replaces it, once."""
    after = select([SMALL_TALK, turn(20, 25)], NONE, NONE, 4)
    assert after.tools == (20, 25, 0, 1)
    assert after.epoch == 1
    assert select([SMALL_TALK, turn(20, 25), SMALL_TALK], NONE, NONE, 4) == after


def test_called_tools_stay_through_an_epoch() -> None:
    """What the history called is there, whatever is asked now."""
    after = select([turn(20, 25, called=frozenset({25})), turn(9, 10, 11)], NONE, frozenset({25}), 4)
    assert set(after.tools) == {9, 10, 11, 25}


def test_many_protected_tools_leave_room_for_half_the_limit() -> None:
    """A long history of calls doesn't shut out what a new question needs."""
    assert capacity(2, 10) == 10
    assert capacity(10, 10) == 15
    assert capacity(1, 1) == 2


INDICES = st.integers(0, 29)
TURNS = st.lists(
    st.builds(lambda wanted, cosine: turn(*wanted, cosine=cosine), st.lists(INDICES, max_size=6, unique=True),
              st.sampled_from([0.0, 0.25, 0.6])),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(TURNS, st.frozensets(INDICES, max_size=5), st.frozensets(INDICES, max_size=12), st.integers(1, 12))
def test_the_limit_holds_and_protected_tools_stay(
    turns: list[Turn], fixed: frozenset[int], protected: frozenset[int], limit: int
) -> None:
    """No tool twice, no more than may be sent, every protected one there, and never none."""
    selection = select(turns, fixed, protected, limit)
    assert len(set(selection.tools)) == len(selection.tools)
    assert len(selection.tools) <= capacity(len(fixed | protected), limit)
    assert fixed | protected <= set(selection.tools)
    assert selection.tools


@settings(max_examples=150, deadline=None)
@given(TURNS, st.integers(1, 12))
def test_the_selection_changes_only_for_a_missing_best_tool(turns: list[Turn], limit: int) -> None:
    """Turn by turn: the same tools as before, unless one of the turn's best wasn't there; then the best is."""
    for count in range(2, len(turns) + 1):
        before, after = select(turns[: count - 1], NONE, NONE, limit), select(turns[:count], NONE, NONE, limit)
        best, *others = turns[count - 1].fit.order[:TOP]
        assert set(after.tools) == set(before.tools) or not before.told or not {best, *others} <= set(before.tools)
        assert set(after.tools) == set(before.tools) or best in after.tools


def test_what_is_far_behind_is_left_out() -> None:
    """Fewer than the limit are sent where the rest is far behind the best, but always `SURE`."""
    score = np.array([9.0, 8.0, 7.5, *np.linspace(2.0, 1.0, 27)])
    fit = Fit(score, np.full(30, 0.6), score, np.zeros((30, 30)))
    assert select([Turn(fit=fit)], NONE, NONE, 10).tools == tuple(range(SURE))
    kin = np.zeros((30, 30))
    kin[:3, 20:22] = 2.0
    near = select([Turn(fit=replace(fit, kinship=kin))], NONE, NONE, 10).tools
    assert {20, 21} <= set(near)


def test_what_was_asked_stays_when_other_tools_are_called() -> None:
    """A turn that only gives a name doesn't make the tools go that the turn before asked for."""
    asked, named = turn(20, 25, 26), turn(called=frozenset({3}), cosine=0.0)
    after = select([asked, named], NONE, NONE, 4).tools
    assert {3, 20, 25} <= set(after)
