"""Streams of replies, seen as they pass: calls of our own tools are held back, and all else goes on.

A fold reads the model's stream of one round, and does no I/O. `feed` takes an event and gives those to pass on. Calls
of the caller's tools behind one of ours wait with it; where one has gone to the caller before, ours are dropped. When
the stream has ended, `reply` says what it held, if it called a tool of ours: then `following` reads the next round's
stream; else `rest` gives what was held back. Indices run on from round to round, and the token counts at the end are
those of all rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from ..own import is_own
from ..request import field_of
from ..rounds import added

Json = dict[str, Any]


class Fold(Protocol):
    """One round's stream, in one API; `dropped` are the tools of ours that were called and that nobody answers."""

    dropped: list[str]

    def feed(self, event: Any) -> Sequence[Any]:
        """What passes on, now that *event* has come."""
        ...

    def reply(self) -> Json | None:
        """The reply that has ended, in its API's own form, if it asks for something and no call went to the caller."""
        ...

    def following(self) -> Self:
        """The fold for the next round, whose stream goes on for the caller where this one stopped."""
        ...

    def rest(self) -> Sequence[Any]:
        """What is still to pass on, when the model is not asked again."""
        ...


@dataclass
class ChatFold:
    """Chunks of chat completions as LiteLLM's providers give them: objects with choices, or generic dicts."""

    held: list[Any] = field(default_factory=list)
    message: Json = field(default_factory=dict)
    calls: dict[int, Json] = field(default_factory=dict)
    theirs: dict[int, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    gone: bool = False
    usage: Json | None = None
    before: Json | None = None
    parted: bool = False

    def feed(self, event: Any) -> Sequence[Any]:
        event = self._counted(event)
        delta = _delta(event)
        if delta is None:
            return self._passed(event, said=False)
        said = self._read(delta)
        calls = list(field_of(delta, "tool_calls") or ())
        kept = [call for call in calls if self._take(call)]
        if len(kept) != len(calls):
            _set(delta, "tool_calls", kept or None)
            if not kept and not said and not _finish(event):
                return []
        return self._passed(event, said=said)

    def reply(self) -> Json | None:
        if not self.calls or self.gone:
            return None
        calls = [self.calls[index] for index in sorted(self.calls)]
        choice = {"message": {"role": "assistant", **self.message, "tool_calls": calls}, "finish_reason": "tool_calls"}
        return {"choices": [choice], "usage": self.usage}

    def following(self) -> Self:
        said = self.parted or bool(self.message.get("content"))
        return type(self)(before=added(self.before, self.usage), parted=said)

    def rest(self) -> Sequence[Any]:
        rest, self.held = self.held, []
        if not self.gone:
            self.dropped += filter(is_own, (call["function"]["name"] for call in self.calls.values()))
        if not self.theirs:
            for event in rest:
                _end_without_calls(event)
        return rest

    def _passed(self, event: Any, *, said: bool) -> Sequence[Any]:
        """What may go on now: behind a call of ours, what the model says besides, but not how it ends."""
        if self.calls and not self.gone and not said:
            self.held.append(event)
            return []
        return [event]

    def _read(self, delta: Any) -> bool:
        """Note what the model says; whether it says something."""
        text = field_of(delta, "content") or field_of(delta, "text")
        if isinstance(text, str) and text:
            self.message["content"] = self.message.get("content", "") + text
            if self.parted:
                _set(delta, "content" if field_of(delta, "content") else "text", f"\n\n{text}")
                self.parted = False
        thought = field_of(delta, "reasoning_content")
        if isinstance(thought, str) and thought:
            self.message["reasoning_content"] = self.message.get("reasoning_content", "") + thought
        for block in field_of(delta, "thinking_blocks") or ():
            _add_thinking(self.message.setdefault("thinking_blocks", []), _plain(block))
        return bool(text or thought)

    def _take(self, call: Any) -> bool:
        """Note a piece of a call; True for one of the caller's, which is numbered anew behind a call of ours."""
        index, function = field_of(call, "index") or 0, field_of(call, "function")
        name = field_of(function, "name")
        if name and index not in self.calls and index not in self.theirs:
            if is_own(name) or self.calls:
                self.calls[index] = {"type": "function", **_plain(call), "function": {"name": name, "arguments": ""}}
                self.calls[index].pop("index", None)
            else:
                self.gone = True
            if not is_own(name):
                self.theirs[index] = len(self.theirs)
            elif self.gone:
                self.dropped.append(name)
        if index in self.calls:
            self.calls[index]["function"]["arguments"] += field_of(function, "arguments") or ""
        if index in self.calls and index not in self.theirs:
            return False
        if self.calls:
            _set(call, "index", self.theirs.get(index, index))
        return True

    def _counted(self, event: Any) -> Any:
        """*event* with the token counts of the rounds before added."""
        usage = field_of(event, "usage")
        if usage is None:
            return event
        self.usage = latest(self.usage, _plain(usage))
        if self.before is None:
            return event
        total = added(self.before, self.usage)
        made = total if isinstance(usage, Mapping) else type(usage)(**total)
        return _set(event, "usage", made)


def _delta(event: Any) -> Any:
    """What a chunk adds; a generic chunk is its own delta."""
    if isinstance(event, Mapping):
        return None if "choices" in event else _Generic(event)
    choices = getattr(event, "choices", None)
    return choices[0].delta if choices else None


class _Generic:
    """A generic chunk of LiteLLM's (``text``, ``tool_use``), read and written as a delta."""

    def __init__(self, event: Any) -> None:
        self.event = event

    @property
    def text(self) -> Any:
        return self.event.get("text")

    @text.setter
    def text(self, value: str) -> None:
        self.event["text"] = value

    @property
    def tool_calls(self) -> list[Any]:
        return [self.event["tool_use"]] if self.event.get("tool_use") else []

    @tool_calls.setter
    def tool_calls(self, value: list[Any] | None) -> None:
        self.event["tool_use"] = value[0] if value else None


def _finish(event: Any) -> Any:
    if isinstance(event, Mapping):
        return event.get("is_finished") or event.get("finish_reason") or event.get("usage")
    return event.choices[0].finish_reason or getattr(event, "usage", None)


def _end_without_calls(event: Any) -> None:
    place = event if isinstance(event, Mapping) else (getattr(event, "choices", None) or [None])[0]
    if place is not None and field_of(place, "finish_reason") == "tool_calls":
        _set(place, "finish_reason", "stop")


def _add_thinking(blocks: list[Json], piece: Json) -> None:
    """Thinking comes in pieces: text, text, signature."""
    open_block = blocks and blocks[-1].get("type") == "thinking" and not blocks[-1].get("signature")
    if piece.get("type") != "thinking" or not open_block:
        blocks.append(piece)
        return
    blocks[-1]["thinking"] = (blocks[-1].get("thinking") or "") + (piece.get("thinking") or "")
    if piece.get("signature"):
        blocks[-1]["signature"] = piece["signature"]


def _set(value: Any, name: str, new: Any) -> Any:
    if isinstance(value, dict):
        value[name] = new
    else:
        setattr(value, name, new)
    return value


def _plain(value: Any) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    dumped: Json = value.model_dump(exclude_none=True)
    return dumped


def latest(one: Any, other: Any) -> Any:
    """Token counts as a stream tells them: a later count replaces an earlier one, unless it's nothing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: latest(one.get(key), other.get(key)) for key in dict.fromkeys((*one, *other))}
    return other or one
