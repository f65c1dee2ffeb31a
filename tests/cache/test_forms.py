"""Equal requests in other forms share a scope, and no others do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.cache.forms import message_of, options_of, tool_choice_of
from litellm_tokenopt.cache.scope import scope_of
from litellm_tokenopt.convert import border_of
from litellm_tokenopt.request import ChatRequest, canonical
from litellm_tokenopt.settings import CacheSettings

QUESTION = {"role": "user", "content": "How do I renew?"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PLAIN = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, QUESTION]}
WITH_TOOLS = {**PLAIN, "tools": [TOOL]}
SPOKEN = [QUESTION, {"role": "assistant", "content": "Online."}, {"role": "user", "content": "Where?"}]
OPENAI = {**PLAIN, "model": "openai/gpt-4o"}


def parts(text: str, kind: str = "text", **more: Any) -> list[dict[str, Any]]:
    return [{"type": kind, "text": text, **more}]


def scope(kwargs: dict[str, Any], surface: Any = "chat") -> str:
    border = border_of(kwargs, surface)
    assert border is not None
    return scope_of(border.request, CacheSettings(), "e").id


EQUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "zero": ({**PLAIN, "temperature": 0}, {**PLAIN, "temperature": 0.0}),
    "one answer": (PLAIN, {**PLAIN, "n": 1}),
    "none": (PLAIN, {**PLAIN, "seed": None, "stop": None}),
    "penalties": (PLAIN, {**PLAIN, "presence_penalty": 0.0, "frequency_penalty": 0}),
    "nothing biased": (PLAIN, {**PLAIN, "logit_bias": {}, "logprobs": False, "extra_body": {}}),
    "text wanted": (PLAIN, {**PLAIN, "response_format": {"type": "text"}}),
    "one stop": ({**PLAIN, "stop": "END"}, {**PLAIN, "stop": ["END"]}),
    "no stop": (PLAIN, {**PLAIN, "stop": []}),
    "limit": ({**PLAIN, "max_tokens": 9}, {**PLAIN, "max_completion_tokens": 9}),
    "limit twice": ({**PLAIN, "max_tokens": 9}, {**PLAIN, "max_tokens": 9, "max_completion_tokens": 9}),
    "stream": (PLAIN, {**PLAIN, "stream": True, "stream_options": {"include_usage": True}}),
    "not streamed": (PLAIN, {**PLAIN, "stream": False}),
    "no tools": (PLAIN, {**PLAIN, "tools": []}),
    "no tools to choose": (PLAIN, {**PLAIN, "tools": [], "tool_choice": "none"}),
    "auto": (WITH_TOOLS, {**WITH_TOOLS, "tool_choice": "auto"}),
    "greedy": ({**PLAIN, "temperature": 0}, {**PLAIN, "temperature": 0, "top_p": 1.0}),
    "OpenAI's own": (OPENAI, {**OPENAI, "temperature": 1, "top_p": 1.0}),
    "parts": (
        PLAIN,
        {
            **PLAIN,
            "messages": [
                {"role": "system", "content": parts("Be brief.")},
                {"role": "user", "content": parts("How do I renew?")},
            ],
        },
    ),
    "a reply as LiteLLM dumps it": (
        {**PLAIN, "messages": SPOKEN},
        {
            **PLAIN,
            "messages": [
                SPOKEN[0],
                {**SPOKEN[1], "tool_calls": None, "function_call": None, "annotations": []},
                SPOKEN[2],
            ],
        },
    ),
    "prompt cache": (
        PLAIN,
        {
            **PLAIN,
            "messages": [
                {"role": "system", "content": parts("Be brief.", cache_control={"type": "ephemeral"})},
                {**QUESTION, "cache_control": {"type": "ephemeral"}},
            ],
        },
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_forms_share(name: str) -> None:
    """The same request, written otherwise, has the same scope."""
    one, other = EQUAL[name]
    assert scope(one) == scope(other)


DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "top_p, where models differ": (PLAIN, {**PLAIN, "top_p": 1}),
    "temperature, where models differ": (PLAIN, {**PLAIN, "temperature": 1}),
    "a server of one's own": (
        {**OPENAI, "api_base": "http://localhost"},
        {**OPENAI, "api_base": "http://localhost", "top_p": 1},
    ),
    "top_p": ({**OPENAI, "top_p": 1}, {**OPENAI, "top_p": 0.5}),
    "greedy, but cut": ({**PLAIN, "temperature": 0}, {**PLAIN, "temperature": 0, "top_p": 0.5}),
    "true is no number": ({**PLAIN, "seed": 1}, {**PLAIN, "seed": True}),
    "text is no number": ({**PLAIN, "temperature": 0}, {**PLAIN, "temperature": "0"}),
    "two limits": ({**PLAIN, "max_tokens": 9}, {**PLAIN, "max_tokens": 9, "max_completion_tokens": 8}),
    "another limit": ({**PLAIN, "max_tokens": 9}, {**PLAIN, "max_completion_tokens": 8}),
    "no tool": (WITH_TOOLS, {**WITH_TOOLS, "tool_choice": "none"}),
    "some tool": (PLAIN, {**PLAIN, "tool_choice": "required"}),
    "json": (PLAIN, {**PLAIN, "response_format": {"type": "json_object"}}),
    "two parts": ({**PLAIN, "messages": [QUESTION]}, {**PLAIN, "messages": [{**QUESTION, "content": parts("?") * 2}]}),
    "an empty text": (
        {**PLAIN, "messages": [SPOKEN[0], {"role": "assistant", "content": ""}, SPOKEN[2]]},
        {**PLAIN, "messages": [SPOKEN[0], {"role": "assistant", "content": None}, SPOKEN[2]]},
    ),
    "thinking": (
        {**PLAIN, "messages": SPOKEN},
        {**PLAIN, "messages": [SPOKEN[0], {**SPOKEN[1], "reasoning_content": "Hm."}, SPOKEN[2]]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_unequal_requests_do_not_share(name: str) -> None:
    """What any model may take for another request has another scope."""
    one, other = DIFFERENT[name]
    assert scope(one) != scope(other)


@pytest.mark.parametrize(
    ("surface", "one", "other"),
    [
        ("messages", {"messages": [QUESTION]}, {"messages": [{"role": "user", "content": parts("How do I renew?")}]}),
        ("messages", {"system": "Be brief."}, {"system": parts("Be brief.", cache_control={"type": "ephemeral"})}),
        ("messages", {"tools": [TOOL]}, {"tools": [TOOL], "tool_choice": {"type": "auto"}}),
        ("responses", {"input": "Hi?"}, {"input": [{"role": "user", "content": parts("Hi?", "input_text")}]}),
        ("responses", {"input": "Hi?"}, {"input": [{"type": "message", "role": "user", "content": "Hi?"}]}),
    ],
)
def test_the_other_apis_have_such_forms_too(surface: Any, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Short and long forms of messages, system prompts and choices are one."""
    base = {"model": "m", "max_tokens": 9, "messages": [QUESTION], "input": "Hi?"}
    assert scope({**base, **one}, surface) == scope({**base, **other}, surface)


def test_limits_of_the_other_apis_keep_their_names() -> None:
    """What is one option of chat completions may be two elsewhere."""
    base = {"model": "m", "input": "Hi?"}
    assert scope({**base, "max_tokens": 9}, "responses") != scope({**base, "max_completion_tokens": 9}, "responses")


VALUES: dict[str, list[Any]] = {
    "temperature": [None, 0, 0.0, 0.5, 1, 1.0],
    "top_p": [None, 0.5, 1, 1.0],
    "n": [None, 1, 1.0],
    "presence_penalty": [None, 0, 0.0, -0.0, 0.5],
    "frequency_penalty": [None, 0.0, 2, 2.0],
    "max_tokens": [None, 8, 8.0, 9],
    "stop": [None, [], "a", ["a"], ["a", "b"]],
    "response_format": [None, {"type": "text"}, {"type": "json_object"}],
    "logit_bias": [None, {}, {"7": 1}],
}
OPTIONS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})


def meaning(options: dict[str, Any]) -> list[Any]:
    """What a provider makes of *options*, told the other way round: every default is filled in."""
    unsaid = {"n": 1, "presence_penalty": 0, "frequency_penalty": 0, "stop": [], "logit_bias": {}}
    unsaid["response_format"] = {"type": "text"}
    if options["temperature"] == 0:
        unsaid["top_p"] = 1
    full = {name: unsaid.get(name) if value is None else value for name, value in options.items()}
    full["stop"] = [full["stop"]] if isinstance(full["stop"], str) else full["stop"]
    return [full[name] for name in sorted(full)]


@given(one=OPTIONS, other=OPTIONS)
def test_options_share_just_where_they_mean_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two sets of options have one scope if, and only if, the same is left when all defaults are filled in."""
    assert (scope({**PLAIN, **one}) == scope({**PLAIN, **other})) == (meaning(one) == meaning(other))


TEXTS = st.sampled_from(["", "a", "b"])
PARTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "image_url", "thinking_text"]), "text": TEXTS},
        optional={"cache_control": st.just({"type": "ephemeral"}), "citations": st.sampled_from([None, [], [1]])},
    ),
    max_size=2,
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"])},
    optional={
        "content": st.none() | TEXTS | PARTS,
        "name": st.none() | TEXTS,
        "tool_calls": st.sampled_from([None, []]),
    },
)


@given(message=MESSAGES, options=OPTIONS, choice=st.sampled_from([None, "auto", "none", "required", {"type": "auto"}]))
def test_one_form_is_its_own_form(message: dict[str, Any], options: dict[str, Any], choice: Any) -> None:
    """Bringing to one form twice does what doing it once does."""
    request = ChatRequest(model="m", messages=(message,), options=options, tool_choice=choice)
    again = request.with_(options=options_of(request), tool_choice=tool_choice_of(request))
    assert options_of(again) == again.options
    assert tool_choice_of(again) == again.tool_choice
    assert canonical(message_of(message_of(message))) == canonical(message_of(message))


@given(one=MESSAGES, other=MESSAGES)
def test_messages_share_just_where_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Roles, names, texts and parts tell messages apart; None, [], marks, and one text alone in a list don't."""
    assert (canonical(message_of(one)) == canonical(message_of(other))) == (_says(one) == _says(other))


def _says(message: dict[str, Any]) -> list[Any]:
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if isinstance(content, list):
        content = [(part["type"], part["text"], part.get("citations") or None) for part in content]
    return [message["role"], message.get("name"), content]
