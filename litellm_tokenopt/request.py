"""The value objects that travel through the pipeline, and how to read messages and tools.

One inner form, OpenAI's chat format, stands for all three APIs; `adapters.convert` translates at the border.
Every value is frozen; an untouched message or tool is the very object that came in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias

import orjson

Message: TypeAlias = Mapping[str, Any]
Tool: TypeAlias = Mapping[str, Any]
Surface: TypeAlias = Literal["chat", "messages", "responses"]

OWN_TOOL_PREFIX = "tokenopt_"
_SLOWLY = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr)
SYSTEM_ROLES = ("system", "developer")

DEFERRED = "defer_loading"
"""Marks a tool that a provider keeps out of the context until the model has found it by the provider's search."""


SERVER_STATE = ("previous_response_id", "conversation", "prompt")
"""Options of the Responses API that name what the provider keeps: earlier turns, or a stored prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Whose request it is, as far as LiteLLM knows; None where it doesn't."""

    key: str | None = None
    team: str | None = None
    user: str | None = None
    end_user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptControls:
    """What the caller sets of the prompt's stage for this one request; None where nothing is said."""

    enabled: bool = True
    budget_tokens: int | None = None
    always_include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the caller asked of this one request: LiteLLM's `cache={…}` and `metadata={"tokenopt": {…}}`.

    `mocked`: LiteLLM is to make the answer up (``mock_response`` and its like). `tags` are written on the answer if
    it's cached; answers are found and removed by them. `pinned` are those of the request's messages, the very objects,
    that are to stay as they are however long the conversation grows. `unread` names what was set and can't be read
    (``tokenopt.prompt.budget_tokens``).
    """

    bypass: bool = False
    mocked: bool = False
    no_cache: bool = False
    no_store: bool = False
    use_cache: bool = False
    ttl_seconds: float | None = None
    namespace: str | None = None
    max_age_seconds: float | None = None
    tags: tuple[str, ...] = ()
    prompt: PromptControls = PromptControls()
    pinned: tuple[Message, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request to a model, independent of LiteLLM.

    `messages` and `tools` are in OpenAI's chat form (`tools` may hold provider-side tools, which have no
    ``function``). `options` holds every other argument that shapes the answer (temperature, response_format, …);
    its ``headers`` are digests. `metadata` is what the caller wrote there about itself. `own_tools`: the model may get
    tools of this package, by which it can ask for what a stage leaves out; `keeps_own_tools`: they may stand there, so
    that the tool block is that of other turns, though in this one the model can't call them. `left_out_tools` are the
    names of tools that the request came with, and that a stage left out. `provider_search` is the provider's own tool
    for finding deferred tools, where the model has one. `priced_as` names the models whose prices hold, where
    `model` is a name for several.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: Any = None
    surface: Surface = "chat"
    tenant: Tenant = Tenant()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    controls: Controls = Controls()
    options: Mapping[str, Any] = field(default_factory=dict)
    own_tools: bool = False
    keeps_own_tools: bool = False
    left_out_tools: frozenset[str] = frozenset()
    provider_search: Tool | None = None
    priced_as: tuple[str, ...] = ()

    @property
    def priced_models(self) -> tuple[str, ...]:
        """The models whose prices hold; at least one."""
        return self.priced_as or (self.model,)

    @property
    def server_state(self) -> bool:
        """Whether part of the conversation or prompt is kept at the provider: what we hold isn't all of it."""
        extra = self.options.get("extra_body")
        given = {**self.options, **extra} if isinstance(extra, Mapping) else self.options
        return any(given.get(name) for name in SERVER_STATE)

    def with_(self, **changes: Any) -> Self:
        """Return a copy with *changes* applied."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A finished answer: its text, why it ended, and the surface's own payload to give to a caller again.

    `finish` is OpenAI's word (stop, length, tool_calls, content_filter); `has_tool_calls` is true where the
    model asked for a tool.
    """

    text: str
    finish: str | None
    has_tool_calls: bool
    payload: Mapping[str, Any]


def text_of(content: Any) -> str:
    """The text of a message's ``content``: a string, None, or a list of blocks (joined by newlines)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    return "\n".join(part["text"] for part in content if is_text_part(part))


def is_text_part(part: Any) -> bool:
    """Whether a content block holds text (``text``, ``input_text``, ``output_text``)."""
    return (
        isinstance(part, Mapping)
        and isinstance(part.get("text"), str)
        and str(part.get("type", "text")).endswith("text")
    )


def has_cache_control(message: Message) -> bool:
    """Whether a message or one of its blocks carries the caller's own ``cache_control`` mark."""
    content = message.get("content")
    blocks = content if isinstance(content, (list, tuple)) else ()
    return "cache_control" in message or any(isinstance(b, Mapping) and "cache_control" in b for b in blocks)


def has_media(message: Message) -> bool:
    """Whether a message holds blocks that are not text (images, audio, files, thinking, …)."""
    content = message.get("content")
    return isinstance(content, (list, tuple)) and not all(is_text_part(part) for part in content)


def is_system(message: Message) -> bool:
    return message.get("role") in SYSTEM_ROLES


def user_turns(messages: Sequence[Message]) -> tuple[int, ...]:
    """Indices of the user's messages, oldest first."""
    return tuple(i for i, message in enumerate(messages) if message.get("role") == "user")


def last_question(messages: Sequence[Message]) -> str:
    """The text of the last user message; empty when there is none."""
    turns = user_turns(messages)
    return text_of(messages[turns[-1]].get("content")) if turns else ""


def tool_calls(message: Message) -> Iterator[tuple[str, str, str]]:
    """The (id, name, arguments) of each call that an assistant message makes; of a custom tool's, its text."""
    for call in message.get("tool_calls") or ():
        made = (call.get("function") or call.get("custom")) if isinstance(call, Mapping) else None
        if isinstance(made, Mapping):
            said = made.get("arguments") or made.get("input") or ""
            yield str(call.get("id") or ""), str(made.get("name") or ""), str(said)


def field_of(value: Any, name: str) -> Any:
    """What a mapping or an object has under *name*; None where it has nothing."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def tool_name(tool: Tool) -> str | None:
    """The name of a function tool; None for a provider-side tool (web search, code interpreter, MCP, …)."""
    function = tool.get("function")
    if isinstance(function, Mapping) and isinstance(function.get("name"), str):
        return str(function["name"])
    return None


def is_deferred(tool: Tool) -> bool:
    """Whether a tool isn't in the context until the model has found it."""
    function = tool.get("function")
    return tool.get(DEFERRED) is True or (isinstance(function, Mapping) and function.get(DEFERRED) is True)


def forced_tool(tool_choice: Any) -> str | None:
    """The tool that `tool_choice` names, if it names one."""
    if not isinstance(tool_choice, Mapping):
        return None
    function = tool_choice.get("function")
    name = function.get("name") if isinstance(function, Mapping) else tool_choice.get("name")
    return str(name) if name else None


def choice_kind(tool_choice: Any) -> str:
    """What the model may call: ``auto`` (also where nothing is said), ``none``, ``required``, or another."""
    kind = tool_choice.get("type") if isinstance(tool_choice, Mapping) else tool_choice
    return "auto" if kind is None else str(kind)


def canonical(value: Any) -> str:
    """*value* as compact JSON with sorted keys: equal values give equal text, whatever their key order."""
    try:
        return orjson.dumps(value, repr, orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # lone surrogates, numbers beyond 64 bits, keys that aren't text
        return _SLOWLY.encode(value)


def digest(*parts: str) -> str:
    """A 128-bit hex digest of *parts*, unambiguous at their borders."""
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()
