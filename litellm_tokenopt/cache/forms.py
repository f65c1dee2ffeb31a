"""Forms in which a request says the same: brought to one, so that equal requests share an answer.

Only what holds for every provider is listed; where defaults differ between them (a `top_p`, a seed, a limit of tokens
that isn't named), a value that is named and one that isn't are two requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..request import ChatRequest, Message, canonical, is_text_part

NUMBERS = frozenset(
    "candidate_count frequency_penalty max_completion_tokens max_output_tokens max_tokens min_p n presence_penalty "
    "repetition_penalty seed temperature top_k top_logprobs top_p".split()
)
"""Options whose whole numbers may be written with a point: 0 and 0.0."""

OTHER_NAMES: Mapping[str, str] = {"max_completion_tokens": "max_tokens"}
"""Newer and older names of one option of chat completions, of which LiteLLM sends what the model takes."""

DEFAULTS: frozenset[tuple[str, str]] = frozenset(
    {
        ("n", "1"), ("presence_penalty", "0"), ("frequency_penalty", "0"), ("logit_bias", "{}"), ("logprobs", "false"),
        ("stop", "[]"), ("response_format", '{"type":"text"}'), ("extra_body", "{}"),
    }
)  # fmt: skip
"""(option, value as canonical JSON) that say what is so where nothing is said."""

OPENAI_DEFAULTS: frozenset[tuple[str, str]] = frozenset({("temperature", "1"), ("top_p", "1")})
"""The same of OpenAI's own models alone: others have other defaults, and some take them from the model's files."""

OPENAI_MODEL = re.compile(r"(?:openai|azure)/(?:gpt-|chatgpt-|o\d)")
"""Names that say whose model it is. A bare one may be a router's own name for any model."""

MODEL_SERVERS = frozenset({"api_base", "base_url", "custom_llm_provider"})
"""With one of these options a model's name doesn't say whose it is."""

GREEDY_DEFAULTS: frozenset[tuple[str, str]] = frozenset({("top_p", "1")})
"""The same at temperature 0, where the likeliest token is taken: there is nothing for it to cut off."""

TOOL_CHOICES: frozenset[str] = frozenset({'"auto"', '{"type":"auto"}'})
"""What is chosen where tools are sent, and nothing is said."""

NO_TOOL_CHOICES = TOOL_CHOICES | {'"none"', '{"type":"none"}'}
"""What chooses nothing where there are no tools."""

TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
"""Kinds of parts of which one alone says what its text says as a message's whole content."""

MARKS = frozenset({"cache_control"})
"""Keys of messages and their parts that tell a provider's prompt cache something, and the model nothing."""


def options_of(request: ChatRequest) -> dict[str, Any]:
    """The options of *request*, each in one form, without those that say the default."""
    named = {name: _value(name, value) for name, value in request.options.items() if value is not None}
    if request.surface == "chat":
        named = _renamed(named)
    defaults = DEFAULTS | (GREEDY_DEFAULTS if _equal(named.get("temperature"), 0) else frozenset())
    if OPENAI_MODEL.match(request.model) and MODEL_SERVERS.isdisjoint(named):
        defaults |= OPENAI_DEFAULTS
    names = {name for name, _ in defaults}
    return {k: v for k, v in named.items() if k not in names or (k, canonical(v)) not in defaults}


def tool_choice_of(request: ChatRequest) -> Any:
    """The choice of *request*; None where it says the default."""
    usual = TOOL_CHOICES if request.tools else NO_TOOL_CHOICES
    return None if canonical(request.tool_choice) in usual else request.tool_choice


def message_of(message: Message) -> Message:
    """*message* without what says nothing; its content a text where it's one text, with nothing beside it."""
    content = message.get("content")
    if isinstance(content, str) and len(message) == 2:
        return message
    said = _said(message)
    if said.get("type") == "message":
        del said["type"]  # of the Responses API's items it's the usual one
    if isinstance(content, (list, tuple)):
        parts = [_said(part) if isinstance(part, Mapping) else part for part in content]
        said["content"] = parts[0]["text"] if len(parts) == 1 and _is_plain_text(parts[0]) else parts
    return said


def _said(thing: Mapping[str, Any]) -> dict[str, Any]:
    """*thing* without marks, and without what LiteLLM's own messages have at keys that aren't used: None and []."""
    return {name: value for name, value in thing.items() if value is not None and value != [] and name not in MARKS}


def _is_plain_text(part: Any) -> bool:
    return is_text_part(part) and part.keys() == {"type", "text"} and part["type"] in TEXT_PARTS


def _value(name: str, value: Any) -> Any:
    if name in NUMBERS and isinstance(value, float) and value.is_integer():
        return int(value)
    return [value] if name == "stop" and isinstance(value, str) else value


def _renamed(options: Mapping[str, Any]) -> dict[str, Any]:
    """*options* by their older names, where not both are there with different values."""
    found = dict(options)
    for new, old in OTHER_NAMES.items():
        if new in found and (old not in found or _equal(found[old], found[new])):
            found[old] = found.pop(new)
    return found


def _equal(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)
