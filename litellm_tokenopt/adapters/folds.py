"""Streams of replies, seen as they pass: calls of our own tools are held back, and all else goes on.

A fold reads the model's stream of one round, and does no I/O. `feed` takes an event and gives those to pass on. Calls
of the caller's tools behind one of ours wait with it; where one has gone to the caller before, ours are dropped. When
the stream has ended, `reply` says what it held, if it called a tool of ours: then `following` reads the next round's
stream; else `rest` gives what was held back. Indices run on from round to round, and the token counts at the end are
those of all rounds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from ..own import is_own
from ..replies import message_from_events
from ..request import field_of
from ..rounds import OTHER_CALLS, added, asking_calls, without_echo, without_own_calls

Json = dict[str, Any]

_DONE = ("response.completed", "response.incomplete", "response.failed")


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


# --- chat completions -----------------------------------------------------------------------------------------


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
        self.usage = _latest(self.usage, _plain(usage))
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


def _latest(one: Any, other: Any) -> Any:
    """Token counts as a stream tells them: a later count replaces an earlier one, unless it's nothing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {key: _latest(one.get(key), other.get(key)) for key in dict.fromkeys((*one, *other))}
    return other or one


# --- server-sent events ---------------------------------------------------------------------------------------


@dataclass
class MessagesFold:
    """The bytes of an Anthropic stream."""

    tail: bytes = b""
    events: list[bytes] = field(default_factory=list)
    held: list[Json] = field(default_factory=list)
    thinking: list[Json] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    ours: dict[int, str] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    dropped: list[str] = field(default_factory=list)
    gone: bool = False
    passed: int = 0
    usage: Json = field(default_factory=dict)
    before: Json | None = None

    def feed(self, event: bytes | str) -> Sequence[bytes]:
        data = self.tail + (event.encode() if isinstance(event, str) else event)
        *frames, self.tail = data.replace(b"\r\n", b"\n").split(b"\n\n")
        return [out for frame in frames for out in self._frame(frame + b"\n\n")]

    def reply(self) -> Json | None:
        return message_from_events(self.events) if self._asks else None

    def following(self) -> Self:
        return type(self)(passed=self.passed, before=added(self.before, self.usage))

    def rest(self) -> Sequence[bytes]:
        held, self.held = self.held, []
        self.dropped += [] if self.gone else self.ours.values()
        events = [*self._released(), *(map(self._as_it_was, held) if self.waiting else map(_ended_without_calls, held))]
        tail, self.tail = self.tail, b""
        return [*map(_frame_of, events), *([tail] if tail.strip() else [])]

    def _frame(self, frame: bytes) -> Iterable[bytes]:
        event = _event_of(frame)
        if event is None:
            return [frame]
        self.events.append(frame)
        changed = [*self._event(event)]
        return [frame if out is event else _frame_of(out) for out in changed]

    def _event(self, event: Json) -> Iterable[Json]:
        kind = event.get("type")
        if kind == "message_start":
            self.usage = dict(event["message"].get("usage") or {})
            return [event] if self.before is None else []
        if kind == "content_block_start":
            return self._opened(event, event["content_block"])
        if kind in ("content_block_delta", "content_block_stop"):
            return self._inside(event)
        if kind not in ("message_delta", "message_stop"):
            return [event]
        self.usage = _latest(self.usage, event.get("usage") or {})
        if self._asks:
            self.held.append(self._total(event))
            return []
        return [*self._released(), self._total(event)]

    @property
    def _asks(self) -> bool:
        """Whether the model called a tool of ours, and no call has gone to the caller."""
        return bool(self.ours) and not self.gone

    def _as_it_was(self, event: Json) -> Json:
        return self._placed(event) if "index" in event else event

    def _opened(self, event: Json, block: Json) -> Iterable[Json]:
        if block.get("type") in ("thinking", "redacted_thinking"):
            self.thinking.append(event)
            return []
        if block.get("type") == "tool_use" and is_own(block.get("name")):
            self.ours[event["index"]] = block["name"]
            self.dropped += [block["name"]] if self.gone else []
            self.thinking = []  # what led to our call is no part of what the caller gets
            return []
        if block.get("type") == "tool_use" and self._asks:
            self.waiting.add(event["index"])
            self.held.append(event)
            return []
        self.gone = self.gone or block.get("type") == "tool_use"
        return [*self._released(), self._placed(event)]

    def _inside(self, event: Json) -> Iterable[Json]:
        if event["index"] in self.ours:
            return []
        if event["index"] in self.waiting:
            self.held.append(event)
            return []
        if any(held["index"] == event["index"] for held in self.thinking):
            self.thinking.append(event)
            return []
        return [self._placed(event)] if event["index"] in self.places else []

    def _released(self) -> list[Json]:
        held, self.thinking = self.thinking, []
        return [self._placed(event) for event in held]

    def _placed(self, event: Json) -> Json:
        """*event* under the index that its block has for the caller."""
        index = event["index"]
        if index not in self.places:
            self.places[index] = self.passed
            self.passed += 1
        return event if self.places[index] == index else {**event, "index": self.places[index]}

    def _total(self, event: Json) -> Json:
        if self.before is None or "usage" not in event:
            return event
        return {**event, "usage": added(self.before, self.usage)}


def _event_of(frame: bytes) -> Json | None:
    data = b"".join(line[5:] for line in frame.splitlines() if line.startswith(b"data:"))
    try:
        event = json.loads(data)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _frame_of(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _ended_without_calls(event: Json) -> Json:
    delta = event.get("delta") or {}
    return {**event, "delta": {**delta, "stop_reason": "end_turn"}} if delta.get("stop_reason") == "tool_use" else event


@dataclass(frozen=True, slots=True)
class SentEvent:
    """A server-sent event, as far as LiteLLM reads it."""

    data: str


@dataclass
class ResponsesFold:
    """Events of a Responses stream, each with its JSON in ``data``."""

    payload: Json | None = None
    thinking: list[Json] = field(default_factory=list)
    held: list[Json] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    ours: dict[int, str] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    dropped: list[str] = field(default_factory=list)
    gone: bool = False
    passed: list[Json] = field(default_factory=list)
    number: int = 0
    before: Json | None = None

    def feed(self, event: Any) -> Sequence[Any]:
        read = _event_of(f"data:{event.data}".encode())
        if read is None:
            return [event]
        return [event if out is read else SentEvent(json.dumps(out)) for out in map(self._numbered, self._event(read))]

    def reply(self) -> Json | None:
        return self.payload

    def following(self) -> Self:
        payload = self.payload or {"output": []}
        passed = [payload["output"][index] for index in sorted(self.places)]
        usage = added(self.before or {}, payload.get("usage") or {})
        return type(self)(passed=[*self.passed, *passed], number=self.number, before=usage)

    def rest(self) -> Sequence[Any]:
        payload, self.payload = self.payload, None
        if payload is None:
            return []
        self.gone = True
        self.dropped += self.ours.values()
        completed = {"type": "response.completed", "response": self._whole(payload), "sequence_number": 0}
        return [SentEvent(json.dumps(self._numbered(event))) for event in (*self._released(), completed)]

    def _event(self, event: Json) -> Iterable[Json]:
        kind = event.get("type")
        if kind in ("response.created", "response.in_progress", "response.queued"):
            return [{**event, "response": without_echo(event["response"])}] if self.before is None else []
        if kind in _DONE:
            return self._completed(event, event["response"])
        if "output_index" not in event:
            return [event]
        if kind == "response.output_item.added":
            return self._opened(event, event["item"])
        return self._inside(event)

    def _opened(self, event: Json, item: Json) -> Iterable[Json]:
        if item.get("type") == "reasoning":
            self.thinking.append(event)
            return []
        if item.get("type") == "function_call" and is_own(item.get("name")):
            self.ours[event["output_index"]] = item["name"]
            self.dropped += [item["name"]] if self.gone else []
            self.thinking = []  # what led to our call is no part of what the caller gets
            return []
        if item.get("type") == "function_call" and self.ours and not self.gone:
            self.waiting.add(event["output_index"])
            self.held.append(event)
            return []
        self.gone = self.gone or item.get("type") in ("function_call", *OTHER_CALLS)
        return [*self._released(), self._placed(event)]

    def _inside(self, event: Json) -> Iterable[Json]:
        index = event["output_index"]
        if index in self.waiting and not self.gone:
            self.held.append(event)
            return []
        if any(held["output_index"] == index for held in self.thinking):
            self.thinking.append(event)
            return []
        if index in self.ours or index not in self.places:
            return []
        return [self._placed(event)]

    def _completed(self, event: Json, response: Json) -> Iterable[Json]:
        if event["type"] == "response.completed" and not self.gone and asking_calls("responses", response):
            self.payload = response
            return []
        self.gone = True
        return [*self._released(), {**event, "response": self._whole(response)}]

    def _whole(self, response: Json) -> Json:
        """The finished *response* with what came in the rounds before."""
        shown = without_own_calls("responses", response)
        return {**shown, "output": [*self.passed, *shown["output"]], "usage": added(self.before, shown.get("usage"))}

    def _released(self) -> list[Json]:
        """The thoughts that were held back, and the calls where no more is asked for."""
        events, self.thinking = self.thinking, []
        if self.gone:
            events, self.held = [*events, *self.held], []
        return [self._placed(event) for event in events]

    def _placed(self, event: Json) -> Json:
        index = event["output_index"]
        if index not in self.places:
            self.places[index] = len(self.passed) + len(self.places)
        place = self.places[index]
        return event if place == index else {**event, "output_index": place}

    def _numbered(self, event: Json) -> Json:
        if "sequence_number" not in event:
            return event
        self.number += 1
        if event["sequence_number"] == self.number - 1:
            return event
        return {**event, "sequence_number": self.number - 1}
