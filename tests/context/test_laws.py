"""Laws of the context stage, over generated conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.conversations import build, ordinary, pieces, reading, repeating
from support.differences import plain, resolved

from litellm_tokenopt.additions import HEAD, added, reach_in
from litellm_tokenopt.context.condensing import condensed
from litellm_tokenopt.context.folding import Fold, Terms
from litellm_tokenopt.context.importance_training import examples
from litellm_tokenopt.context.marks import SAME, PlainMarks, is_difference, is_own
from litellm_tokenopt.context.stage import ContextStage
from litellm_tokenopt.prompt.leaning import read_questions
from litellm_tokenopt.prompt.messages import Turn, read_turns
from litellm_tokenopt.request import ChatRequest, has_cache_control, has_media, text_of
from litellm_tokenopt.savings import CacheRates
from litellm_tokenopt.settings import ContextSettings
from litellm_tokenopt.stage import Change, Verdict
from litellm_tokenopt.tokens import count_messages

SMALL = ContextSettings(budget_tokens=500)
laws = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def stage(chosen: ContextSettings = SMALL) -> ContextStage:
    return ContextStage(chosen)


async def send(
    on: ContextStage, messages: Sequence[Mapping[str, Any]]
) -> tuple[Verdict, tuple[Mapping[str, Any], ...]]:
    request = ChatRequest(model="gpt-4o", messages=tuple(messages))
    verdict = await on(request)
    return verdict, verdict.request.messages if isinstance(verdict, Change) else request.messages


def faults(messages: Sequence[Mapping[str, Any]]) -> int:
    """Results without their call, and calls without their result."""
    waiting: Counter[str] = Counter()
    count = 0
    for message in messages:
        if message["role"] == "tool":
            count += waiting[message["tool_call_id"]] < 1
            waiting[message["tool_call_id"]] -= 1
        else:
            count += sum(waiting.values())
            waiting = Counter(call["id"] for call in message.get("tool_calls") or ())
    return count


@given(pieces)
@laws
async def test_never_more_tokens_out_than_in(made_of: list[tuple[int, int]]) -> None:
    """Marks and passages brought back never cost more than what they stand for."""
    messages = build(made_of)
    _, sent = await send(stage(), messages)
    assert count_messages(sent) <= count_messages(messages)


@given(pieces)
@laws
async def test_idempotent_and_deterministic(made_of: list[tuple[int, int]]) -> None:
    """A request that passes twice is unchanged the second time; two workers send the same bytes."""
    messages = build(made_of)
    _, sent = await send(stage(), messages)
    _, elsewhere = await send(stage(), messages)
    _, again = await send(stage(), sent)
    assert sent == elsewhere == again


@given(pieces)
@laws
async def test_calls_and_results_stay_together(made_of: list[tuple[int, int]]) -> None:
    """No call loses a result, and no result its call, that it had."""
    messages = build(made_of)
    _, sent = await send(stage(), messages)
    assert faults(sent) <= faults(messages)


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 14, 14, 14]), st.integers(0, 10**6)), min_size=8, max_size=40))
@laws
async def test_what_was_reasoned_stays_with_what_it_led_to(made_of: list[tuple[int, int]]) -> None:
    """Providers refuse reasoning that stands by itself, and calls that have lost theirs."""
    messages = build(made_of)
    _, sent = await send(stage(), messages)
    ids = [id(message) for message in sent]
    for message, led_to in pairwise(messages):
        if has_media(message):
            assert ids[ids.index(id(message)) + 1] == id(led_to)
    assert faults(sent) <= faults(messages)


@given(pieces)
@laws
async def test_order_is_kept_and_the_untouchable_untouched(made_of: list[tuple[int, int]]) -> None:
    """What wasn't shortened is the very object that came in, in order; media and cache marks are all there."""
    messages = build(made_of)
    shorter = condensed(messages)
    _, sent = await send(stage(), messages)
    places = {id(message): place for place, message in enumerate(messages)}
    order = [places[id(message)] for message in sent if id(message) in places]
    assert order == sorted(order)
    present = set(order)
    for place, message in enumerate(messages):
        if (
            has_media(message)
            or has_cache_control(message)
            or message["role"] == "system"
            or "thinking_blocks" in message
        ):
            assert place in present
    told = [message for message in sent if id(message) not in places and not is_difference(message)]
    assert all(is_own(message) or message in shorter for message in told)


@given(pieces)
@laws
async def test_the_last_user_turn_begins_untouched(made_of: list[tuple[int, int]]) -> None:
    """The last user message, and what stands behind it when that is short, are sent as they came."""
    messages = build(made_of)
    _, sent = await send(stage(), messages)
    users = [message for message in messages if message["role"] == "user"]
    if users:
        assert any(message is users[-1] for message in sent)


@given(ordinary)
@laws
async def test_a_turn_is_a_prefix_of_the_next_between_epochs(made_of: list[tuple[int, int]]) -> None:
    """For every prefix of a session: unless an epoch begins, what was sent is the beginning of what is sent next."""
    await holds_prefix_law(build(made_of))


@given(pieces)
@laws
async def test_the_prefix_law_holds_for_any_order_of_messages(made_of: list[tuple[int, int]]) -> None:
    """Even for conversations that no API would take."""
    await holds_prefix_law(build(made_of))


async def holds_prefix_law(messages: list[dict[str, Any]], fresh: Callable[[], ContextStage] = stage) -> None:
    warm = fresh()
    before: tuple[int, tuple[Mapping[str, Any], ...]] = (0, ())
    for end in range(1, len(messages) + 1):
        verdict, sent = await send(warm, messages[:end])
        epochs = int(verdict.detail.get("epochs", 0))
        assert epochs >= before[0]
        if epochs == before[0]:
            assert sent[: len(before[1])] == before[1]
        before = epochs, sent
    assert before[1] == (await send(fresh(), messages))[1]


STEPPED = ContextSettings(budget_tokens=4_000, steps=(300, 600, 900))
RATES = (CacheRates(), CacheRates(read=0.5, write=1.0), CacheRates(read=1.0, write=1.0))


def stepped(rates: CacheRates) -> ContextStage:
    return ContextStage(STEPPED, lambda _: rates)


@pytest.mark.parametrize("rates", RATES)
@given(made_of=st.one_of(ordinary, reading))
@settings(max_examples=25, deadline=None)
async def test_steps_keep_the_laws(rates: CacheRates, made_of: list[tuple[int, int]]) -> None:
    """Long before the budget is full: prefixes between epochs, calls with their results, never more tokens."""
    messages = build(made_of)
    await holds_prefix_law(messages, lambda: stepped(rates))
    _, sent = await send(stepped(rates), messages)
    assert count_messages(sent) <= count_messages(messages)
    assert faults(sent) <= faults(messages)
    assert (await send(stepped(rates), sent))[1] == sent


@given(ordinary)
@laws
async def test_no_step_costs_more_than_it_saves(made_of: list[tuple[int, int]]) -> None:
    """What sending the rest anew costs has been paid twice for old results that were carried along."""
    body = [message for message in build(made_of) if message["role"] != "system"]
    rates = CacheRates(read=0.5, write=1.0)
    fold = Fold(ContextSettings(budget_tokens=50_000, steps=STEPPED.steps), Terms(PlainMarks(), rates))
    carried = 0.0
    for end in range(1, len(body) + 1):
        before, epochs = list(fold.items), fold.tally.epochs
        fold.advance(body[:end])
        if fold.tally.epochs == epochs:
            carried += rates.read * count_messages(m for m in body[:end] if m["role"] == "tool")
            continue
        items = [body[item] if isinstance(item, int) else item for item in fold.items]
        first = next(n for n, (old, new) in enumerate(zip(before, fold.items, strict=False)) if old != new)
        assert carried >= rates.rewrite * count_messages(items[first:-1])
        carried = 0.0


@given(ordinary, st.data())
@laws
async def test_a_branch_decides_as_if_it_were_alone(made_of: list[tuple[int, int]], data: st.DataObject) -> None:
    """A session that goes on in two ways from one point (an edited question, a retry) gets what a new worker gives."""
    messages = build(made_of)
    fork = data.draw(st.integers(1, len(messages)))
    other = [*messages[:fork], {"role": "user", "content": "Something else: what about the 2nd parcel?"}]
    shared = stage()
    for request in (messages[:fork], messages, other, messages):
        assert (await send(shared, request))[1] == (await send(stage(), request))[1]


@given(ordinary)
@laws
def test_epochs_are_rare(made_of: list[tuple[int, int]]) -> None:
    """Each epoch is paid for by new text: at least a tenth of the budget has come in since the one before."""
    body = build(made_of)[1:]
    fold = Fold(SMALL, Terms(PlainMarks()))
    fold.advance(body)
    assert fold.tally.epochs <= 1 + count_messages(body) / (0.1 * SMALL.budget_tokens)


@pytest.mark.parametrize("high_water", [1.0, 1.5, 3.0])
@given(made_of=ordinary)
@settings(max_examples=10, deadline=None)
async def test_laws_hold_at_any_high_water(high_water: float, made_of: list[tuple[int, int]]) -> None:
    """A mark at the budget itself, or far above it, changes when epochs come, not what they keep to."""
    chosen = ContextSettings(budget_tokens=400, high_water=high_water)
    messages = build(made_of)
    _, sent = await send(stage(chosen), messages)
    assert count_messages(sent) <= count_messages(messages)
    assert (await send(stage(chosen), sent))[1] == sent


async def test_the_prefix_law_holds_for_the_example_sessions() -> None:
    """Each prefix of each session, which weighs messages by what later ones used of them."""
    for messages in examples():
        await holds_prefix_law([dict(message) for message in messages])


@given(repeating)
@settings(max_examples=60, deadline=None)
async def test_every_difference_can_be_read_in_its_own_request(made_of: list[tuple[int, int]]) -> None:
    """Whatever was cut: the full result that a difference names is there, before it, and gives what came in."""
    messages = build(made_of)
    for chosen in (SMALL, ContextSettings(budget_tokens=50_000)):
        _, sent = await send(stage(chosen), messages)
        came = {m["tool_call_id"]: m["content"] for m in condensed(messages) if m["role"] == "tool"}
        said = resolved(sent)
        for message, text in zip((m for m in sent if m["role"] == "tool"), said, strict=True):
            if is_difference(message):
                wanted = came[message["tool_call_id"]]
                assert text == (wanted if message["content"].startswith(SAME) else plain(wanted))


@pytest.mark.parametrize("kinds", [repeating, reading])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
async def test_repeats_and_results_that_look_shortened_keep_the_laws(
    kinds: st.SearchStrategy[list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Prefixes between epochs, calls with their results, never more tokens, and a second pass changes nothing."""
    messages = build(data.draw(kinds))
    await holds_prefix_law(messages)
    _, sent = await send(stage(), messages)
    assert count_messages(sent) <= count_messages(messages)
    assert faults(sent) <= faults(messages)
    assert (await send(stage(), sent))[1] == sent


def with_additions(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """*messages* with a section of the instructions before each turn of the user's but the first."""
    sections = {turn.start: added(section(turn)) for turn in read_turns(messages)[1:]}
    return [one for n, message in enumerate(messages) for one in (sections.get(n), message) if one is not None]


def section(turn: Turn) -> str:
    return f"{HEAD}## Rules of {turn.start}\n\nNever tell anybody but the owner what stands in parcel {turn.start}."


def additions_in(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [text for message in messages if (text := text_of(message.get("content"))).startswith(HEAD)]


@given(ordinary)
@laws
async def test_additions_change_nothing_else(made_of: list[tuple[int, int]]) -> None:
    """What is sent of a conversation is the same with sections of the instructions in it, which are sent whole."""
    messages = build(made_of)
    _, sent = await send(stage(), with_additions(messages))
    own = [message for message in sent if not text_of(message.get("content")).startswith(HEAD)]
    assert own == list((await send(stage(), messages))[1])
    assert set(additions_in(sent)) <= set(map(section, read_turns(messages)))
    assert not any(HEAD.strip() in text_of(message.get("content")) for message in own)


@given(ordinary)
@laws
async def test_what_the_instructions_count_as_there_is_there(made_of: list[tuple[int, int]]) -> None:
    """An addition that stands for a turn, as the stage that adds it reads it, is sent in that turn."""
    messages, on = build(made_of), stage()
    for end in range(1, len(messages) + 1):
        turns = read_turns(messages[:end])
        _, sent = await send(on, with_additions(messages[:end]))
        standing = read_questions(turns, reach_in(SMALL.budget_tokens))[-1].standing if turns else 0
        assert {*map(section, turns[max(1, standing) :])} <= {*additions_in(sent)}
