"""How much each message matters: rules, and the head behind them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from support.conversations import build, pieces

from litellm_tokenopt.context.importance import Listener, certain, features, importance
from litellm_tokenopt.context.importance_training import UNSEEN_SEEDS, examples, unseen
from litellm_tokenopt.context.units import Level
from litellm_tokenopt.evaluation.importance import scores
from litellm_tokenopt.request import has_cache_control, is_system, last_question

Body = dict[str, Any]


def call(number: int, name: str, arguments: Body, result: str) -> list[Body]:
    made = {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": result},
    ]  # fmt: skip


def talk(turns: int) -> list[Body]:
    chat: list[Body] = []
    for _ in range(turns):
        chat += [{"role": "user", "content": "Okay, thanks."}, {"role": "assistant", "content": "You're welcome."}]
    return chat


SESSION: list[Body] = [
    {"role": "system", "content": "You help customers."},
    {"role": "user", "content": "My parcel is late."},
    *call(1, "find_order", {"name": "Ito"}, '{"order": "W7731902", "tracking": "TRK55120987", "carrier": "Penguin"}'),
    *call(2, "search_faq", {"query": "late"}, "Parcels may be late in winter. Please be patient with the carriers."),
    *call(3, "track", {"tracking": "TRK55120987"}, '{"tracking": "TRK55120987", "at": "Leeds"}'),
    {"role": "assistant", "content": "TRK55120987 lies in Leeds."},
    {"role": "user", "content": "Never send me a voucher instead."},
    *talk(5),
    {"role": "user", "content": "Send W7731902 again, please."},
]


def test_what_is_certain_is_critical() -> None:
    """The system prompt, the task, what the user lays down, the last messages, and the question."""
    rules = certain([Listener().heard(message) for message in SESSION])
    assert rules[0] == "system"
    assert rules[1] == "task"
    assert rules[SESSION.index({"role": "user", "content": "Never send me a voucher instead."})] == "constraint"
    assert rules[-6:] == ["last"] * 6
    assert all(one.level is Level.CRITICAL for one, rule in zip(importance(SESSION), rules, strict=True) if rule)


def test_ids_that_are_used_again_make_a_result_critical() -> None:
    """The look-up whose ids later calls use outranks the one of which nothing was used, and small talk."""
    found = importance(SESSION)
    assert found[3].level is Level.CRITICAL
    assert found[5].level is Level.BACKGROUND
    assert found[12].level is Level.BACKGROUND
    assert found[3].score > found[5].score


def test_calls_that_wait_for_a_result_are_critical() -> None:
    """Whatever comes behind them."""
    waiting = call(9, "look_up", {"of": "rain"}, "")[:1]
    messages = [*SESSION[:4], *waiting, *talk(8), SESSION[-1]]
    assert certain([Listener().heard(message) for message in messages])[4] == "unresolved"


def test_a_result_that_came_again_matters_less_than_the_newest() -> None:
    """Of the same call made twice the older result is not critical."""
    read = call(4, "read_file", {"path": "src/cart.py"}, "def total_cart_v2(): return 12345")
    again = [{**read[0], "tool_calls": [{**read[0]["tool_calls"][0], "id": "c5"}]}, {**read[1], "tool_call_id": "c5"}]
    edit = call(6, "edit_file", {"path": "src/cart.py", "new": "total_cart_v2"}, "edited")
    found = importance([*SESSION[:2], *read, *again, *edit, *talk(4), SESSION[-1]])
    assert found[3].score < found[5].score
    assert found[3].level is not Level.CRITICAL


def test_what_users_tell_of_themselves_is_important() -> None:
    """A date, a name or a number that is said nowhere before, though nothing has been made of it yet."""
    landing = {"role": "user", "content": "We land in Porto at 14:20 with TP1327."}
    read = {"role": "user", "content": "Output: 14:20 TP1327"}
    assert importance([*SESSION[:2], landing, *talk(8), SESSION[-1]])[2].level >= Level.IMPORTANT
    assert importance([*SESSION[:2], read, *talk(8), SESSION[-1]])[2].level is Level.BACKGROUND


def test_a_log_that_names_the_file_that_is_read_next_is_critical() -> None:
    """Paths are the same with and without the line's number, and files with and without their folder."""
    for named in ("KeyError in src/billing/tax.py:142", "cart.py tax.py total.py"):
        steps = call(7, "get_log", {"of": "billing"}, named) + call(8, "read", {"path": "src/billing/tax.py"}, "pass")
        assert importance([*SESSION[:2], *steps, *talk(8), SESSION[-1]])[3].level is Level.CRITICAL


@given(pieces)
@settings(max_examples=60, deadline=None)
def test_any_conversation_has_levels(made_of: list[tuple[int, int]]) -> None:
    """Each message has one, the same each time; system prompts and what the caller has marked are critical."""
    messages = build(made_of)
    found = importance(messages)
    assert len(found) == len(messages)
    assert found == importance(messages)
    assert all(0 <= one.score <= 1 for one in found)
    assert all(
        one.level is Level.CRITICAL
        for one, message in zip(found, messages, strict=True)
        if is_system(message) or has_cache_control(message)
    )


@pytest.mark.parametrize("end", range(1, 60, 7))
def test_every_prefix_of_a_session_has_levels(end: int) -> None:
    """Short ones, too: nothing is asked of their length."""
    for session in examples():
        assert len(importance(session[:end])) == len(session[:end])
    assert importance([]) == ()


@pytest.mark.parametrize("family", unseen(range(0)))
def test_unseen_conversations_are_told_apart(family: str) -> None:
    """At least four of five messages of each level, in worlds and trades that were not trained on."""
    found = scores(unseen(UNSEEN_SEEDS[:24])[family])
    assert all(score.recall >= 0.8 for score in found.values()), found


def test_what_has_been_used_is_never_background() -> None:
    """And what has nothing that could be used never matters; both are facts, and no guess."""
    for session in examples():
        listener = Listener()
        read = [listener.heard(message) for message in session]
        rules = certain(read)
        found = features(read, rules, range(len(read)), listener.words(last_question(session)))
        levels = [one.level for one in importance(session)]
        unruled = [place for place, rule in enumerate(rules) if not rule]
        assert all(found.least[place] <= levels[place] <= found.most[place] for place in unruled)
        assert {Level(found.least[place]) for place in unruled} == set(Level)
