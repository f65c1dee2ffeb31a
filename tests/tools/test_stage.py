"""The stage as the pipeline sees it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.vectors import HashedWords

from litellm_tokenopt.errors import ModelLoading, ModelUnavailable
from litellm_tokenopt.models.intents import Intent
from litellm_tokenopt.models.memoised import MemoisedEmbedder
from litellm_tokenopt.own import Asked
from litellm_tokenopt.request import ChatRequest, Tool, is_deferred
from litellm_tokenopt.settings import ToolsSettings
from litellm_tokenopt.stage import Change, Keep
from litellm_tokenopt.tokens import count_tools
from litellm_tokenopt.tools import ToolsStage
from litellm_tokenopt.tools.rank import HINT_TEXTS
from litellm_tokenopt.tools.reading import name_of, summary


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def calls(*names: str) -> list[dict[str, Any]]:
    """An assistant's calls of tools, with their results and a closing word."""
    made = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for n, name in enumerate(names)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in made]
    return [
        {"role": "assistant", "content": None, "tool_calls": made},
        *results,
        {"role": "assistant", "content": "Done."},
    ]


def ask(tools: Any, *messages: Any, **more: Any) -> ChatRequest:
    listed = tuple(user(message) if isinstance(message, str) else message for message in messages)
    return ChatRequest(model="m", messages=listed, tools=tuple(tools), **more)


async def test_requests_without_tools_are_kept(make_stage: Any) -> None:
    """Nothing to do is said as such."""
    assert await make_stage()(ask((), "Hello")) == Keep("no_tools")


async def test_small_blocks_lose_only_what_says_nothing(make_stage: Any, catalogue: Any) -> None:
    """A few short tools are all sent, with descriptions as they came, but without titles that repeat a name."""
    verdict = await make_stage()(ask(catalogue[:6], "weather"))
    assert isinstance(verdict, Change)
    assert verdict.reason == "compressed"
    given, sent = ([tool["function"]["description"] for tool in of] for of in (catalogue, verdict.request.tools))
    assert sent == given[:6]
    assert "title" not in json.dumps([tool["function"]["parameters"] for tool in verdict.request.tools[:4]])


async def test_few_but_large_tools_are_compressed(make_stage: Any, catalogue: Any) -> None:
    """Under the limit no tool goes, but the schemas are said in fewer tokens."""
    verdict = await make_stage(max_tools=100, min_tokens=10)(ask(catalogue, "weather"))
    assert isinstance(verdict, Change)
    assert verdict.reason == "compressed"
    assert count_tools(verdict.request.tools) < count_tools(catalogue)
    assert verdict.detail == {"tools_before": 40, "tools_after": 40, "epoch": 0}


async def test_blocks_that_cannot_shrink_are_kept(make_stage: Any, catalogue: Any) -> None:
    """With nothing to gain, the request passes."""
    verdict = await make_stage(max_tools=100, min_tokens=10, schema_level="full")(ask(catalogue, "weather"))
    assert isinstance(verdict, Keep)
    assert verdict.reason == "kept"


async def test_a_question_gets_its_tools_in_their_own_order(make_stage: Any, sent: Any, catalogue: Any) -> None:
    """Six of forty tools go on, the needed ones among them, ordered as they came."""
    _, names = await sent(make_stage(), ask(catalogue, "Book a flight to Oslo, then translate the text of the invoice"))
    assert {"book_flight", "translate_text"} <= set(names)
    assert len(names) == 6
    order = [tool["function"]["name"] for tool in catalogue]
    assert names == sorted(names, key=order.index)


async def test_untouched_tools_are_the_very_objects(make_stage: Any, catalogue: Any) -> None:
    """A tool that isn't compressed isn't copied either."""
    verdict = await make_stage(schema_level="full")(ask(catalogue, "weather"))
    assert all(any(tool is original for original in catalogue) for tool in verdict.request.tools)


async def test_called_tools_are_always_there(make_stage: Any, sent: Any, catalogue: Any) -> None:
    """What the history called stays, though the question is about something else."""
    request = ask(catalogue, "weather in Rome", *calls("play_music", "order_taxi"), "and the forecast?")
    _, names = await sent(make_stage(), request)
    assert {"play_music", "order_taxi", "get_weather"} <= set(names)
    assert len(names) == 6


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "play_music"}},
        {"type": "tool", "name": "play_music"},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "play_music"}}]}},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "play_music"}]},
    ],
)
async def test_the_tool_that_tool_choice_names_is_there(
    make_stage: Any, sent: Any, catalogue: Any, choice: Any
) -> None:
    """Whatever form names it, the request can still be fulfilled."""
    _, names = await sent(make_stage(), ask(catalogue, "weather", tool_choice=choice))
    assert "play_music" in names
    assert len(names) == 6


@pytest.mark.parametrize("choice", ["none", "auto", "required", None])
async def test_other_tool_choices_get_the_same_tools(make_stage: Any, sent: Any, catalogue: Any, choice: Any) -> None:
    """Switching tool_choice within a session keeps the provider's cached prefix."""
    turns = ("weather", {"role": "assistant", "content": "Rain."}, "And tomorrow?")
    after, _ = await sent(make_stage(), ask(catalogue, *turns, tool_choice=choice))
    plain, _ = await sent(make_stage(), ask(catalogue, *turns))
    assert after.tools == plain.tools


@pytest.mark.parametrize("choice", ["none", {"type": "none"}])
async def test_a_session_begins_without_tools_that_may_not_be_called(
    make_stage: Any, sent: Any, catalogue: Any, choice: Any
) -> None:
    """If they're more than the messages, which a second turn would read afresh; the caller's fixed ones stay."""
    stage = make_stage(always_include=["play_music"])
    _, names = await sent(stage, ask(catalogue, "weather in Rome", tool_choice=choice))
    assert names == ["play_music"]
    _, names = await sent(stage, ask(catalogue, "weather in Rome. " * 400, tool_choice=choice))
    assert "get_weather" in names


async def test_listed_marked_own_and_provider_side_tools_stay(make_stage: Any, catalogue: Any, make_tool: Any) -> None:
    """What isn't the plugin's to choose goes on untouched."""
    search = {"type": "web_search_20250305", "name": "web_search_x"}
    marked = {**make_tool("zebra", "Unrelated  text."), "cache_control": {"type": "ephemeral"}}
    own = make_tool("tokenopt_recall", "Ask for what was left out.")
    tools = (search, *catalogue, own, marked)
    verdict = await make_stage(always_include=("play_music",))(ask(tools, "weather in Rome"))
    after = verdict.request.tools
    assert after[0] is search
    assert after[-1] is marked
    names = [tool["function"]["name"] for tool in after if "function" in tool]
    assert {"play_music", "tokenopt_recall", "get_weather"} <= set(names)
    assert len(after) == 7


async def test_a_session_keeps_its_tools(make_stage: Any, catalogue: Any) -> None:
    """Over follow-ups, assent and calls of the tools that are there, the block's bytes stay the same."""
    stage = make_stage()
    messages: list[Any] = [user("Find flights from Oslo to Rome"), *calls("search_flights")]
    first = await stage(ask(catalogue, *messages[:1]))
    for follow_up in ("Yes, please go ahead.", "Which flights are there on Friday?", "Thanks!"):
        messages += [user(follow_up), *calls("search_flights")]
        later = await stage(ask(catalogue, *messages))
        assert json.dumps(later.request.tools) == json.dumps(first.request.tools)


async def test_another_subject_brings_its_tools(make_stage: Any, sent: Any, catalogue: Any) -> None:
    """A new subject is an epoch: its tools come in, and what was called stays."""
    messages = (
        user("Find flights from Oslo to Rome"),
        *calls("search_flights"),
        user("Refund the payment of the invoice"),
    )
    verdict = await make_stage()(ask(catalogue, *messages))
    names = [tool["function"]["name"] for tool in verdict.request.tools]
    assert {"refund_payment", "search_flights"} <= set(names)
    assert verdict.detail["epoch"] == 1


async def test_all_questions_are_embedded_in_one_call(make_stage: Any, embedder: Any, catalogue: Any) -> None:
    """A long history costs one call for the tools and one for all its turns; after that, nothing."""
    stage = make_stage(embedder)
    request = ask(catalogue, *(f"Question about article {n}" for n in range(20)))
    await stage(request)
    assert embedder.calls == 2
    await stage(request)
    assert embedder.calls == 2
    await stage(ask(catalogue, *request.messages, "One more about taxis"))
    assert embedder.calls == 3


class NoModel:
    """An embedder whose model isn't installed."""

    name = "none"
    dimensions = 1

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise ModelUnavailable("not installed")


async def test_without_a_model_no_tool_is_dropped(make_stage: Any, catalogue: Any) -> None:
    """Schemas are compressed all the same."""
    verdict = await make_stage(NoModel())(ask(catalogue, "weather"))
    assert verdict.reason == "compressed"
    assert len(verdict.request.tools) == 40


class Loading(NoModel):
    """An embedder whose model isn't loaded yet."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise ModelLoading("still being loaded")


class Slow(NoModel):
    """An embedder that takes a minute."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        await asyncio.sleep(60)
        raise AssertionError


@pytest.mark.parametrize("late", [Loading(), Slow()])
async def test_without_vectors_in_time_words_choose(make_stage: Any, sent: Any, catalogue: Any, late: Any) -> None:
    """The limit holds, what was called stays, and the verdict says that another turn may choose better."""
    stage = make_stage(late, patience_seconds=0.05)
    request = ask(catalogue, "Refund the payment", *calls("play_music"), "Book a flight to Rome and a hotel room")
    after, names = await sent(stage, request)
    assert {"play_music", "book_flight", "book_hotel"} <= set(names)
    assert len(names) <= 6
    verdict = await stage(request)
    assert verdict.reason == "selected_by_words"
    assert verdict.request.tools == after.tools


async def test_schemas_that_take_too_long_are_sent_as_they_came(make_stage: Any, sent: Any, catalogue: Any) -> None:
    """The choice holds on a machine that is too busy to shorten them."""
    hurried = make_stage(Loading(), patience_seconds=0.0)
    after, names = await sent(hurried, ask(catalogue, "Book a flight to Rome"))
    assert "book_flight" in names
    assert len(names) <= 6
    assert all(any(tool is original for original in catalogue) for tool in after.tools)


async def test_a_choice_by_words_is_not_remembered(make_stage: Any, catalogue: Any) -> None:
    """Once vectors can be had, the same stage chooses as one that always had them."""

    class Late(HashedWords):
        ready = False

        async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if not self.ready:
                raise ModelLoading("still being loaded")
            return await super().embed(texts)

    embedder = Late()
    stage, request = make_stage(embedder), ask(catalogue, "Is it going to rain in Rome?")
    assert (await stage(request)).reason == "selected_by_words"
    embedder.ready = True
    assert await stage(request) == await make_stage()(request)


POLICY = {"role": "system", "content": "You are the assistant of a small company. " * 40}


async def test_a_small_block_of_an_agent_is_sent_whole(make_stage: Any, catalogue: Any) -> None:
    """Nine short tools cost less than having the provider read the whole conversation again."""
    stage = make_stage(min_tokens=0)
    for messages in ([POLICY, "weather"], [POLICY, "weather", *calls("get_weather"), "Book a flight"]):
        verdict = await stage(ask(catalogue[:9], *messages))
        assert verdict.reason == "compressed"
        assert len(verdict.request.tools) == 9


@pytest.mark.parametrize("more", [{"whole_up_to": 0}, {"max_tools": 4}])
async def test_the_limit_can_be_made_to_hold_there_too(make_stage: Any, catalogue: Any, more: Any) -> None:
    """By setting, or where the block is more than twice the limit."""
    verdict = await make_stage(min_tokens=0, **more)(ask(catalogue[:9], POLICY, "weather"))
    assert verdict.reason == "selected"


async def test_what_happens_to_sent_tools_stays_with_them(make_stage: Any, catalogue: Any) -> None:
    """Code behind the plugin may change tools in place; the next request doesn't see it."""
    stage = make_stage()
    first = await stage(ask(catalogue, "weather"))
    expected = copy.deepcopy(first.request.tools)
    for tool in first.request.tools:
        tool["function"]["parameters"].clear()
    second = await stage(ask(catalogue, "weather"))
    assert second.request.tools == expected


async def test_key_order_is_kept(make_stage: Any, make_tool: Any, catalogue: Any) -> None:
    """Blocks that differ in key order alone come out each in its own."""
    turned = [dict(reversed(tool.items())) for tool in catalogue]
    stage = make_stage()
    one, other = await stage(ask(catalogue, "weather")), await stage(ask(turned, "weather"))
    assert next(iter(one.request.tools[0])) == "type"
    assert next(iter(other.request.tools[0])) == "function"


def odd(name: Any, **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


ODD = st.sampled_from(
    [
        {},
        {"type": "function"},
        {"type": "function", "function": None},
        {"type": "function", "function": "x"},
        {"type": "mcp", "server_url": "https://example.org", "cache_control": None},
        {"type": "custom", "name": "grammar"},
        odd(5),
        odd("bare"),
        odd("list", description=["a"], parameters=[]),
        odd("true", parameters={"properties": {"a": True, "b": None}}),
        odd("deep", parameters={"anyOf": 3, "items": [], "$ref": 1, "enum": 7}),
        odd("größe", description="Misst 尺寸 und 🎯", parameters={"$defs": {"a": 1}}),
    ]
)
QUESTIONS = st.sampled_from(
    ["Hi", "weather in Rome", "Book a flight and a hotel", "Refund the payment", "Yes.", "", "天气怎么样", None, [{}]]
)
LIMITS = st.fixed_dictionaries(
    {
        "max_tools": st.integers(1, 12),
        "min_tokens": st.sampled_from([0, 1_000]),
        "schema_level": st.sampled_from(["auto", "full", "light", "strong", "bare"]),
    }
)


def names_of(tools: Sequence[Tool]) -> list[str]:
    return [name for tool in tools if (name := name_of(tool)) is not None]


async def decided(stage: ToolsStage, request: ChatRequest) -> ChatRequest:
    verdict = await stage(request)
    return verdict.request if isinstance(verdict, Change) else request


@settings(max_examples=60, deadline=None)
@given(data=st.data(), limits=LIMITS)
async def test_the_laws_hold_for_any_block(
    data: st.DataObject, limits: dict[str, Any], catalogue: Any, make_stage: Any
) -> None:
    """Never more tools or tokens, order and protected tools kept, the same each time, stable in a second pass."""
    tools = data.draw(st.lists(st.one_of(st.sampled_from(catalogue), ODD), max_size=25))
    called = data.draw(st.lists(st.sampled_from(names_of(tools) or ["gone"]), max_size=4))
    questions = data.draw(st.lists(QUESTIONS, min_size=len(called), max_size=5))
    turns = [[user(text), *calls(*called[n : n + 1])] for n, text in enumerate(questions)]
    request = ask(tools, *(message for turn in turns for message in turn))
    after = await decided(make_stage(**limits), request)
    assert (await decided(make_stage(**limits), request)).tools == after.tools
    assert count_tools(after.tools) <= count_tools(request.tools)
    assert len(after.tools) <= len(request.tools)
    places = iter(names_of(tools))
    assert all(name in places for name in names_of(after.tools))
    assert set(called) & set(names_of(tools)) <= set(names_of(after.tools))
    assert after.left_out_tools == set(names_of(tools)) - set(names_of(after.tools))
    assert after.with_(tools=(), left_out_tools=frozenset()) == request.with_(tools=())
    assert (await decided(make_stage(**limits), after)).tools == after.tools


@settings(max_examples=30, deadline=None)
@given(questions=st.lists(QUESTIONS, min_size=2, max_size=5))
async def test_what_was_decided_before_does_not_matter(questions: list[Any], catalogue: Any, make_stage: Any) -> None:
    """A stage that has seen the earlier turns sends the same as one that starts afresh."""
    warm = make_stage()
    for count in range(1, len(questions) + 1):
        request = ask(catalogue, *map(user, questions[:count]))
        assert await decided(warm, request) == await decided(make_stage(), request)


async def test_changing_one_tool_embeds_just_it(make_stage: Any, catalogue: Any, make_tool: Any) -> None:
    """Vectors are kept by a tool's content: a block with one new tool costs one new text."""

    class Seen:
        name, dimensions = "seen", 4

        def __init__(self) -> None:
            self.texts: list[str] = []

        async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            self.texts += texts
            return np.full((len(texts), 4), 0.5, np.float32)

    seen = Seen()
    stage = make_stage(MemoisedEmbedder(seen, 1_000))
    await stage(ask(catalogue, "weather"))
    assert len(seen.texts) == len(catalogue) + len(HINT_TEXTS) + 1
    changed = (*catalogue[:-1], make_tool("catalogue_of_stars", "Look up a star."))
    await stage(ask(changed, "weather"))
    assert seen.texts[len(catalogue) + len(HINT_TEXTS) + 1 :] == [summary(changed[-1])]


class Told:
    """Tells conversation where a text is one of these."""

    async def classify(self, texts: Sequence[str]) -> list[Intent]:
        talk = {"Hello there!", "How are you doing?", "You are kind."}
        return [Intent({"conversation": 0.99 if text in talk else 0.1, "travel": 0.05}) for text in texts]


HELLO = [user("Hello there!"), {"role": "assistant", "content": "Hello, what can I do?"}]


@pytest.fixture
def talking(embedder: Any) -> Callable[..., ToolsStage]:
    """A stage that knows conversation."""

    def make(**settings: Any) -> ToolsStage:
        chosen = ToolsSettings.model_validate({"max_tools": 6, **settings})
        return ToolsStage(chosen, embedder, intents=Told)

    return make


async def test_plain_conversation_gets_no_tools_but_may_ask(talking: Any, catalogue: Any) -> None:
    """The model is told in one tool what there is, and the offer finds all of them."""
    verdict = await talking()(ask(catalogue, *HELLO, "How are you doing?", own_tools=True))
    assert isinstance(verdict, Change)
    assert verdict.request.tools == ()
    (offer,) = verdict.offers
    assert "as soon as there's something to do" in offer.tool["function"]["description"]
    found = await offer.answer(Asked(original=verdict.request, sent=verdict.request, arguments={"query": "weather"}))
    assert "get_weather" in found.text


@pytest.mark.parametrize("text", ["", "Hello there!"])
async def test_a_picture_is_no_conversation(talking: Any, catalogue: Any, text: str) -> None:
    """Nobody has read what it shows: it may well be what a tool is for."""
    blocks = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    verdict = await talking()(ask(catalogue, {"role": "user", "content": blocks}, own_tools=True))
    assert len(verdict.request.tools) == 6


async def test_thanks_get_none_and_what_the_models_cannot_read_gets_some(talking: Any, catalogue: Any) -> None:
    """Whatever a classifier makes of them: it knows neither all thanks nor all scripts."""
    thanks = await talking()(ask(catalogue, "Thanks, that was great!", own_tools=True))
    assert isinstance(thanks, Change)
    assert thanks.request.tools == ()

    class Fooled:
        async def classify(self, texts: Sequence[str]) -> list[Intent]:
            return [Intent({"conversation": 1.0}) for _ in texts]

    stage = talking()
    stage._make_intents = Fooled
    assert (await stage(ask(catalogue, "ช่วยหาคุณแม่บ้าน", own_tools=True))).request.tools


async def test_words_that_no_tool_has_choose_none(make_stage: Any, catalogue: Any) -> None:
    """Without vectors in time nothing speaks for one tool before another; the model may ask."""
    verdict = await make_stage(Loading())(ask(catalogue, "Hello there!", own_tools=True))
    assert verdict.reason == "selected_by_words"
    assert verdict.request.tools == ()
    assert verdict.offers
    later = await make_stage(Loading())(ask(catalogue, *HELLO, "Refund the payment", own_tools=True))
    assert "refund_payment" in names_of(later.request.tools)


async def test_the_first_question_after_it_chooses_once(talking: Any, catalogue: Any) -> None:
    """Then the tools stay, though it's only conversation again."""
    stage = talking()
    begun = [*HELLO, user("Find flights from Oslo to Rome")]
    first = await stage(ask(catalogue, *begun, own_tools=True))
    assert first.request.tools == (await stage(ask(catalogue, begun[-1], own_tools=True))).request.tools
    later = await stage(ask(catalogue, *begun, *calls("search_flights"), "You are kind.", own_tools=True))
    assert later.request.tools == first.request.tools


@pytest.mark.parametrize(
    ("more", "chosen"),
    [({"own_tools": False}, {}), ({}, {"search": "off"})],
)
async def test_plain_conversation_gets_none_wherever_it_is_asked_from(
    talking: Any, catalogue: Any, more: Any, chosen: Any
) -> None:
    """Be it that the model can't ask for tools: as in library use, where the caller sends what is decided."""
    verdict = await talking(**chosen)(ask(catalogue, *HELLO, "How are you doing?", **{"own_tools": True, **more}))
    assert verdict.request.tools == ()
    assert not verdict.offers
    later = [*HELLO, user("Find flights from Oslo to Rome")]
    asked = await talking(**chosen)(ask(catalogue, *later, **{"own_tools": True, **more}))
    assert "search_flights" in names_of(asked.request.tools)


@pytest.mark.parametrize("choice", ["required", {"type": "any"}])
async def test_tools_are_sent_where_the_model_must_call_one(talking: Any, catalogue: Any, choice: Any) -> None:
    """Plain conversation or not."""
    asked = ask(catalogue, *HELLO, "How are you doing?", own_tools=True, tool_choice=choice)
    assert len((await talking()(asked)).request.tools) == 6


async def test_conversation_defers_all_tools_where_the_provider_searches(talking: Any, catalogue: Any) -> None:
    """The model may search for them: in the context is the search alone, until a turn tells what is wanted."""
    stage, search = talking(search="provider"), {"type": "tool_search"}
    verdict = await stage(ask(catalogue, "Hello there!", provider_search=search))
    assert [tool for tool in verdict.request.tools if not is_deferred(tool)] == [search]
    assert len(verdict.request.tools) == len(catalogue) + 1
    later = await stage(ask(catalogue, *HELLO, "Refund the payment", provider_search=search))
    assert "refund_payment" in names_of([tool for tool in later.request.tools if not is_deferred(tool)])


async def test_conversation_after_calls_keeps_what_was_called(talking: Any, catalogue: Any) -> None:
    """Whatever was said, a call in the history has its tool."""
    messages = (user("Hello there!"), *calls("play_music"), "You are kind.")
    verdict = await talking()(ask(catalogue, *messages, own_tools=True))
    assert "play_music" in names_of(verdict.request.tools)
