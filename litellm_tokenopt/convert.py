"""Between the keyword arguments of the three APIs (as LiteLLM takes them) and `ChatRequest`, without loss.

An inner message or tool made from a native one carries its address under `AT`; on the way out whatever is still
the very object that came in gives back its native original, and the rest is rebuilt at its address.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

from . import items
from .caller import HEADER_OPTIONS, headers_of, own_metadata, tenant_of
from .own import is_own
from .request import (
    DEFERRED,
    ChatRequest,
    Controls,
    Message,
    PromptControls,
    Surface,
    Tool,
    is_deferred,
    is_system,
    text_of,
    tool_name,
)

Kwargs: TypeAlias = Mapping[str, Any]
Native: TypeAlias = dict[str, Any]

AT = "_tokenopt_at"
"""Key of an inner message's or tool's address: (index of the native item, index of its block or -1)."""

SYSTEM_AT = -1
_TRANSPORT = frozenset(
    "api_key background cache caching client fallbacks input instructions litellm_metadata max_retries messages "
    "metadata mock_delay mock_response mock_timeout mock_tool_calls model num_retries original_function "
    "prompt_cache_key prompt_cache_retention request_timeout safety_identifier service_tier shared_session store "
    "stream stream_options system timeout tool_choice tools user".split()
)
_SERVER = frozenset({"api_base", "base_url", "api_version", "custom_llm_provider", "organization"})
_MOCKS = ("mock_response", "mock_tool_calls", "mock_timeout")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

PARALLEL = "parallel_tool_calls"
"""What providers refuse, as a choice, where there is no tool to choose from."""

MAX_TAGS, MAX_TAG_CHARS = 32, 128
"""How many tags of a request are read, and how much of each."""


@dataclass(frozen=True, slots=True)
class Border:
    """A request as it came in, in both forms."""

    request: ChatRequest
    natives: Mapping[int, Any]
    native_kwargs: Kwargs

    def outgoing(self, request: ChatRequest) -> dict[str, Any]:
        """The keyword arguments to change, so that *request* is sent in place of the one that came in.

        None stands for what is to go.
        """
        changed: dict[str, Any] = {}
        if request.messages is not self.request.messages:
            changed.update(_OUT[request.surface](self, request.messages))
        if request.tools is not self.request.tools:
            changed["tools"] = _tools_out(self, request.tools)
            if not changed["tools"]:
                changed["tools"] = None
                choices = {"tool_choice": request.tool_choice, PARALLEL: request.options.get(PARALLEL)}
                changed |= {key: None for key, value in choices.items() if value is not None}  # of nothing
        return changed

    def tool(self, tool: Tool, surface: Surface) -> Any:
        """One tool of the request, or one of ours, as *surface* takes it (LiteLLM may answer one API by another)."""
        return _tool_out(self, tool) if surface == self.request.surface else native_tool(surface, tool)

    def native(self, inner: Any) -> Any | None:
        """The native object that *inner* was made from, if *inner* is untouched."""
        return self.natives.get(id(inner))


def border_of(kwargs: Kwargs, surface: Surface) -> Border | None:
    """The request in *kwargs*; None where it isn't one that we understand (LiteLLM is to judge it then)."""
    model = kwargs.get("model")
    messages, natives = _IN[surface](kwargs)
    if not isinstance(model, str) or not messages:
        return None
    tools = _tools_in(kwargs.get("tools"), natives)
    if tools is None:
        return None
    metadata = metadata_of(kwargs)
    request = ChatRequest(
        model=str(metadata.get("model_group") or model),
        messages=tuple(messages),
        tools=tuple(tools),
        tool_choice=kwargs.get("tool_choice"),
        surface=surface,
        tenant=tenant_of(kwargs, metadata, surface),
        metadata=own_metadata(metadata, surface),
        controls=_controls(kwargs, metadata, messages),
        options=_options(kwargs, metadata),
    )
    # Inner objects are kept alive by `request`, so their ids stay theirs for as long as the border lives.
    return Border(request, natives, _native_part(kwargs))


def metadata_key(surface: Surface) -> str:
    """Where LiteLLM keeps its own metadata: the other two APIs have a ``metadata`` that goes to the provider."""
    return "metadata" if surface == "chat" else "litellm_metadata"


def metadata_of(kwargs: Kwargs) -> Mapping[str, Any]:
    """LiteLLM's metadata of a call, from both places where it may stand."""
    merged: dict[str, Any] = {}
    for key in ("metadata", "litellm_metadata"):
        part = kwargs.get(key)
        if isinstance(part, Mapping):
            merged.update(part)
    return merged


def _native_part(kwargs: Kwargs) -> dict[str, Any]:
    names = ("messages", "input", "system", "instructions", "tools")
    return {name: kwargs[name] for name in names if name in kwargs}


# --- in -------------------------------------------------------------------------------------------------------


def _chat_in(kwargs: Kwargs) -> tuple[list[Message], dict[int, Any]]:
    natives: dict[int, Any] = {}
    return _plain(kwargs.get("messages"), natives), natives


def _plain(messages: Any, natives: MutableMapping[int, Any]) -> list[Message]:
    """Chat messages as mappings (LiteLLM's own message objects are dumped); empty when one is malformed."""
    inner: list[Message] = []
    for native in messages if isinstance(messages, (list, tuple)) else ():
        message = native if isinstance(native, Mapping) else _dumped(native)
        if message is None or not isinstance(message.get("role"), str):
            return []
        if message is not native:
            natives[id(message)] = native
        inner.append(message)
    return inner


def _dumped(value: Any) -> Native | None:
    dump = getattr(value, "model_dump", None)
    dumped = dump(exclude_none=True) if callable(dump) else None
    return dumped if isinstance(dumped, dict) else None


def _messages_in(kwargs: Kwargs) -> tuple[list[Message], dict[int, Any]]:
    natives: dict[int, Any] = {}
    inner: list[Message] = []
    system = kwargs.get("system")
    if system:
        inner.append({"role": "system", "content": system, AT: (SYSTEM_AT, -1)})
    for index, native in enumerate(kwargs.get("messages") or ()):
        if not isinstance(native, Mapping) or not isinstance(native.get("role"), str):
            return [], natives
        content = native.get("content")
        if isinstance(content, list) and all(isinstance(block, Mapping) for block in content):
            inner += _split_blocks(native, content, index)
        else:
            inner.append({**native, AT: (index, -1)})
    natives.update((id(message), message) for message in inner)
    return inner, natives


def _split_blocks(native: Mapping[str, Any], content: Sequence[Mapping[str, Any]], index: int) -> list[Message]:
    """One message of blocks as tool results, each a message, and what remains."""
    results = [(at, block) for at, block in enumerate(content) if block.get("type") == "tool_result"]
    uses = [block for block in content if block.get("type") == "tool_use"]
    rest = [block for block in content if block.get("type") not in ("tool_result", "tool_use")]
    inner: list[Message] = [
        {
            "role": "tool",
            "tool_call_id": str(block.get("tool_use_id")),
            "content": block.get("content"),
            AT: (index, at),
        }
        for at, block in results
    ]
    if rest or uses or not results:
        message: Native = {**native, "content": rest, AT: (index, -1)}
        if uses:
            message["tool_calls"] = [
                items.call_of(use.get("id"), use.get("name"), json.dumps(use.get("input"))) for use in uses
            ]
        inner.append(message)
    return inner


def _responses_in(kwargs: Kwargs) -> tuple[list[Message], dict[int, Any]]:
    natives: dict[int, Any] = {}
    inner: list[Message] = []
    if isinstance(kwargs.get("instructions"), str):
        inner.append({"role": "system", "content": kwargs["instructions"], AT: (SYSTEM_AT, -1)})
    given = kwargs.get("input")
    if isinstance(given, str):
        return [*inner, {"role": "user", "content": given, AT: (0, -1)}], natives
    calls: dict[str, str] = {}
    for index, native in enumerate(given or ()):
        item = native if isinstance(native, Mapping) else _dumped(native)
        if item is None:
            return [], natives
        message = {**items.read(item, calls), AT: (index, -1)}
        natives[id(message)] = native
        inner.append(message)
    return inner, natives


def _tools_in(tools: Any, natives: MutableMapping[int, Any]) -> list[Tool] | None:
    """Tools in chat form, whatever API they came from; None when one is malformed."""
    inner: list[Tool] = []
    for index, native in enumerate(tools if isinstance(tools, (list, tuple)) else ()):
        item = native if isinstance(native, Mapping) else _dumped(native)
        if item is None:
            return None
        tool = _tool_in(item, index)
        natives[id(tool)] = native
        inner.append(tool)
    return inner


def _tool_in(item: Mapping[str, Any], index: int) -> Tool:
    if isinstance(item.get("function"), Mapping) or not isinstance(item.get("name"), str):
        return item
    if "input_schema" in item and item.get("type", "custom") == "custom":
        schema = item["input_schema"]
    elif item.get("type") == "function":
        schema = item.get("parameters")
    else:
        return item
    function: Native = {"name": item["name"]}
    if item.get("description") is not None:
        function["description"] = item["description"]
    if schema is not None:
        function["parameters"] = schema
    if item.get("strict") is not None:
        function["strict"] = item["strict"]
    mark = {DEFERRED: True} if is_deferred(item) else {}
    return {"type": "function", "function": function, AT: index, **mark}


# --- out ------------------------------------------------------------------------------------------------------


def _without_address(message: Message) -> Native:
    return {key: value for key, value in message.items() if key != AT}


def _chat_out(border: Border, messages: Iterable[Message]) -> dict[str, Any]:
    return {"messages": [border.natives.get(id(message), message) for message in messages]}


def _messages_out(border: Border, messages: Sequence[Message]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    groups: list[tuple[int | None, list[Message]]] = []
    for message in messages:
        at = message[AT][0] if AT in message else None
        if at == SYSTEM_AT:
            changed["system"] = message["content"]
        elif groups and at is not None and groups[-1][0] == at:
            groups[-1][1].append(message)
        else:
            groups.append((at, [message]))
    if "system" in border.native_kwargs and "system" not in changed:
        changed["system"] = ""
    natives = border.native_kwargs["messages"]
    sizes = _pieces(border.request.messages)
    changed["messages"] = [
        _rebuilt(border, natives[at], group, sizes[at]) if at is not None else _without_address(group[0])
        for at, group in groups
    ]
    return changed


def _pieces(messages: Iterable[Message]) -> dict[int, int]:
    """How many inner messages each native one became."""
    sizes: dict[int, int] = {}
    for message in messages:
        sizes[message[AT][0]] = sizes.get(message[AT][0], 0) + 1
    return sizes


def _rebuilt(border: Border, native: Mapping[str, Any], group: Sequence[Message], pieces: int) -> Any:
    if len(group) == pieces and all(border.native(message) is message for message in group):
        return native
    content = native.get("content")
    if not isinstance(content, list):
        return {**native, "content": group[0]["content"]}
    blocks: list[Any] = []
    for message in group:
        block_at = message[AT][1]
        if block_at >= 0:
            blocks.append({**content[block_at], "content": message["content"]})
            continue
        kept = {call.get("id") for call in message.get("tool_calls") or ()}
        inner = message.get("content")
        blocks += [{"type": "text", "text": inner}] if isinstance(inner, str) else list(inner or ())
        blocks += [block for block in content if block.get("type") == "tool_use" and block.get("id") in kept]
    return {**native, "content": blocks}


def _responses_out(border: Border, messages: Sequence[Message]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    sent: list[Any] = []
    given = border.native_kwargs.get("input")
    for message in messages:
        at = message[AT][0] if AT in message else None
        if at == SYSTEM_AT:
            changed["instructions"] = message["content"]
        elif at is None or isinstance(given, str):
            sent.append(_without_address(message))
        else:
            sent.append(_item_out(border, given[at], message) if given is not None else _without_address(message))
    if "instructions" in border.native_kwargs and "instructions" not in changed:
        changed["instructions"] = None
    alone = isinstance(given, str) and len(sent) == 1
    changed["input"] = sent[0]["content"] if alone else sent
    return changed


def _item_out(border: Border, native: Any, message: Message) -> Any:
    if border.native(message) is not None:
        return native
    item = native if isinstance(native, Mapping) else _dumped(native) or {}
    return items.written(item, message) or native


def _tools_out(border: Border, tools: Iterable[Tool]) -> list[Any]:
    out = [_tool_out(border, tool) for tool in tools]
    given = border.native_kwargs.get("tools") or ()
    marks = [tool["cache_control"] for tool in given if isinstance(tool, Mapping) and "cache_control" in tool]
    if out and marks and not any("cache_control" in tool for tool in out if isinstance(tool, Mapping)):
        out[-1] = {**out[-1], "cache_control": marks[-1]}  # the caller's cache breakpoint moves with the block's end
    return out


def native_tool(surface: Surface, tool: Tool) -> dict[str, Any]:
    """A function tool in chat form as *surface*'s own API takes it, by what the chat form says alone."""
    function = tool["function"]
    if surface == "chat":
        return {key: value for key, value in tool.items() if key != AT}
    if surface == "responses":
        return {"type": "function", **function}
    shown = {key: function[key] for key in ("name", "description", "strict") if key in function}
    return {**shown, "input_schema": function.get("parameters") or {"type": "object", "properties": {}}}


def _tool_out(border: Border, tool: Tool) -> Any:
    native = border.native(tool)
    if native is not None:
        return native
    if AT not in tool:
        return native_tool(border.request.surface, tool) if is_own(tool_name(tool)) else tool
    native = border.native_kwargs["tools"][tool[AT]]
    item = native if isinstance(native, Mapping) else _dumped(native) or {}
    function = tool["function"]
    schema_key = "input_schema" if "input_schema" in item else "parameters"
    rebuilt = {**item, **({"description": function["description"]} if "description" in function else {})}
    if "parameters" in function:
        rebuilt[schema_key] = function["parameters"]
    return {**rebuilt, DEFERRED: True} if is_deferred(tool) else rebuilt


_IN = {"chat": _chat_in, "messages": _messages_in, "responses": _responses_in}
_OUT: Mapping[Surface, Any] = {"chat": _chat_out, "messages": _messages_out, "responses": _responses_out}


# --- who, and what else ---------------------------------------------------------------------------------------


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def _controls(kwargs: Kwargs, metadata: Mapping[str, Any], messages: Sequence[Message]) -> Controls:
    given = metadata.get("tokenopt")
    own = given if isinstance(given, Mapping) else {}
    asked = kwargs.get("cache")
    cache = asked if isinstance(asked, Mapping) else {}
    age = cache.get("s-maxage", cache.get("s-max-age"))
    off = kwargs.get("caching") is False and "model_group" not in metadata
    return Controls(
        bypass=own.get("bypass") is True,
        mocked=any(kwargs.get(name) for name in _MOCKS),
        no_cache=cache.get("no-cache") is True or off,
        no_store=cache.get("no-store") is True or off,
        use_cache=cache.get("use-cache") is True,
        ttl_seconds=_seconds(cache.get("ttl")),
        namespace=_text(cache.get("namespace")),
        max_age_seconds=_seconds(age),
        tags=_tags(own.get("tags")),
        prompt=_prompt_controls(own.get("prompt")),
        pinned=_pinned(own.get("pin"), messages),
        unread=tuple(_unread(given)),
    )


def _prompt_controls(given: Any) -> PromptControls:
    """What is understood of a caller's wishes for the prompt; the rest is as the settings have it."""
    own = given if isinstance(given, Mapping) else {}
    budget = own.get("budget_tokens")
    return PromptControls(
        enabled=own.get("enabled") is not False,
        budget_tokens=budget if _is_count(budget) else None,
        always_include=_tags(own.get("always_include")),
    )


def _unread(own: Any) -> Iterator[str]:
    """What of a caller's own controls says nothing; None says that nothing is set."""
    if not _is_mapping(own):
        yield from ["tokenopt"] if own is not None else []
        return
    yield from (f"tokenopt.{name}" for name, can in _READABLE.items() if _is_unread(own, name, can))
    prompt = own.get("prompt")
    if _is_mapping(prompt):
        known = _READABLE_OF_PROMPT
        yield from (f"tokenopt.prompt.{name}" for name, can in known.items() if _is_unread(prompt, name, can))
        if not known.keys() >= prompt.keys():
            yield f"tokenopt.prompt: a name other than {', '.join(known)}"


def _is_unread(own: Mapping[str, Any], name: str, can: Callable[[Any], bool]) -> bool:
    return own.get(name) is not None and not can(own[name])


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value)


def _are_pins(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(pin, (str, int)) for pin in value)


_READABLE: Mapping[str, Callable[[Any], bool]] = {
    "bypass": _is_switch, "tags": _are_texts, "pin": _are_pins, "prompt": _is_mapping,
}  # fmt: skip
_READABLE_OF_PROMPT: Mapping[str, Callable[[Any], bool]] = {
    "enabled": _is_switch, "budget_tokens": _is_count, "always_include": _are_texts,
}  # fmt: skip


def _pinned(given: Any, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages that a caller pins: by their index in the request, or by a text that they hold."""
    pins = given if isinstance(given, (list, tuple)) else ()
    indexes = {pin for pin in pins if isinstance(pin, int) and not isinstance(pin, bool)}
    texts = _tags(pins)
    if not indexes and not texts:
        return ()
    return tuple(
        message
        for place, message in enumerate(messages)
        if not is_system(message) and (message.get(AT, (place,))[0] in indexes or _holds(message, texts))
    )


def _holds(message: Message, texts: Iterable[str]) -> bool:
    said = text_of(message.get("content"))
    return any(text in said for text in texts)


def _tags(given: Any) -> tuple[str, ...]:
    """Each text of a list once, in order, without control characters and space at its ends; at most `MAX_TAGS`."""
    texts = [text for text in given if isinstance(text, str)] if isinstance(given, (list, tuple)) else []
    plain = (_CONTROL.sub(" ", text).strip()[:MAX_TAG_CHARS].strip() for text in texts)
    return tuple(dict.fromkeys(filter(None, plain)))[:MAX_TAGS]


def _seconds(value: Any) -> float | None:
    """A time in a caller's controls, which HTTP clients may write as text; 0 and less are no time at all."""
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _options(kwargs: Kwargs, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What else shapes the answer. Outside a router, the address of the model server is part of that."""
    skipped = _TRANSPORT.union(HEADER_OPTIONS)
    options = {name: value for name, value in kwargs.items() if value is not None and name not in skipped}
    if headers := headers_of(kwargs):
        options["headers"] = headers
    if "model_group" in metadata:
        options = {name: value for name, value in options.items() if name not in _SERVER}
    return options
