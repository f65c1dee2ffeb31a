"""Folds of server-sent events, in which a reply comes in parts: Anthropic's blocks, the items of Responses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, TypeAlias

from ..own import is_own
from ..replies import message_from_events
from ..rounds import OTHER_CALLS, added, asking_calls, without_echo, without_own_calls
from .folds import Json, latest

_DONE = ("response.completed", "response.incomplete", "response.failed")

_Kinds: TypeAlias = Mapping[Any, Literal["thought", "call", "other_call"]]


@dataclass
class _PartsFold:
    """What the folds of events share: a reply comes in parts (blocks, items), and each event says the `INDEX` of its.

    `KINDS` are those of parts by their types, where they aren't just said; `first` is the place of the round's first
    part for the caller, `places` those of the parts that passed on. `thinking` is held until it's seen what it led to,
    `asked`: as far as is known, to a call of ours alone. `waiting` are the caller's calls behind one. `gone`: a call
    has gone to the caller.
    """

    INDEX: ClassVar[str]
    KINDS: ClassVar[_Kinds]

    first: int = 0
    places: dict[int, int] = field(default_factory=dict)
    ours: dict[int, str] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    thinking: list[Json] = field(default_factory=list)
    asked: bool = False
    held: list[Json] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    gone: bool = False
    before: Json | None = None

    @property
    def _asks(self) -> bool:
        """Whether the model called a tool of ours, and no call has gone to the caller."""
        return bool(self.ours) and not self.gone

    def _opened(self, event: Json, part: Json) -> Sequence[Json]:
        kind, index = self.KINDS.get(part.get("type")), event[self.INDEX]
        if kind == "thought":
            if self.asked:
                self._thoughts()
            self.thinking.append(event)
            return []
        if kind == "call" and is_own(part.get("name")):
            self.ours[index] = part["name"]
            self.dropped += [part["name"]] if self.gone else []
            self.asked = True
            return []
        if kind == "call" and self._asks:
            self.waiting.add(index)
            self.held += [*self._thoughts(), event]
            return []
        self.gone = self.gone or kind is not None
        return [*self._released(), self._placed(event)]

    def _inside(self, event: Json) -> Sequence[Json]:
        index = event[self.INDEX]
        if index in self.waiting and not self.gone:
            self.held.append(event)
            return []
        if any(held[self.INDEX] == index for held in self.thinking):
            self.thinking.append(event)
            return []
        return [self._placed(event)] if index in self.places else []

    def _thoughts(self) -> list[Json]:
        """What the model thought before a part that the caller gets, or is to get."""
        events, self.thinking, self.asked = self.thinking, [], False
        return events

    def _end(self) -> None:
        """Nothing follows: what was thought last, in a reply that calls ours, is no part of what the caller gets."""
        if self.ours:
            self._thoughts()

    def _released(self) -> list[Json]:
        """The thoughts that were held back, and the calls where no more is asked for."""
        held, self.held = (self.held, []) if self.gone else ([], self.held)
        return [self._placed(event) for event in (*held, *self._thoughts())]

    def _placed(self, event: Json) -> Json:
        """*event* under the index that its part has for the caller."""
        index = event[self.INDEX]
        place = self.places.setdefault(index, self.first + len(self.places))
        return event if place == index else {**event, self.INDEX: place}


@dataclass
class MessagesFold(_PartsFold):
    """The bytes of an Anthropic stream."""

    INDEX = "index"
    KINDS: ClassVar[_Kinds] = {"thinking": "thought", "redacted_thinking": "thought", "tool_use": "call"}

    tail: bytes = b""
    events: list[bytes] = field(default_factory=list)
    usage: Json = field(default_factory=dict)

    def feed(self, event: bytes | str) -> Sequence[bytes]:
        data = self.tail + (event.encode() if isinstance(event, str) else event)
        *frames, self.tail = data.replace(b"\r\n", b"\n").split(b"\n\n")
        return [out for frame in frames for out in self._frame(frame + b"\n\n")]

    def reply(self) -> Json | None:
        return message_from_events(self.events) if self._asks else None

    def following(self) -> Self:
        return type(self)(first=self.first + len(self.places), before=added(self.before, self.usage))

    def rest(self) -> Sequence[bytes]:
        self._end()
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
        self.usage = latest(self.usage, event.get("usage") or {})
        if self._asks:
            self.held.append(self._total(event))
            return []
        self._end()
        return [*self._released(), self._total(event)]

    def _as_it_was(self, event: Json) -> Json:
        return self._placed(event) if "index" in event else event

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
class ResponsesFold(_PartsFold):
    """Events of a Responses stream, each with its JSON in ``data``; `passed` are the items of the rounds before."""

    INDEX = "output_index"
    KINDS: ClassVar[_Kinds] = {
        "reasoning": "thought", "function_call": "call", **dict.fromkeys(OTHER_CALLS, "other_call"),
    }  # fmt: skip

    payload: Json | None = None
    passed: list[Json] = field(default_factory=list)
    number: int = 0

    def feed(self, event: Any) -> Sequence[Any]:
        read = _event_of(f"data:{event.data}".encode())
        if read is None:
            return [event]
        return [event if out is read else SentEvent(json.dumps(out)) for out in map(self._numbered, self._event(read))]

    def reply(self) -> Json | None:
        return self.payload

    def following(self) -> Self:
        payload = self.payload or {"output": []}
        passed = [*self.passed, *(payload["output"][index] for index in sorted(self.places))]
        usage = added(self.before or {}, payload.get("usage") or {})
        return type(self)(first=len(passed), passed=passed, number=self.number, before=usage)

    def rest(self) -> Sequence[Any]:
        payload, self.payload = self.payload, None
        if payload is None:
            return []
        self.gone = True
        self.dropped += self.ours.values()
        self._end()
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

    def _completed(self, event: Json, response: Json) -> Iterable[Json]:
        if event["type"] == "response.completed" and not self.gone and asking_calls("responses", response):
            self.payload = response
            return []
        self.gone = True
        self._end()
        return [*self._released(), {**event, "response": self._whole(response)}]

    def _whole(self, response: Json) -> Json:
        """The finished *response* with what came in the rounds before."""
        shown = without_own_calls("responses", response)
        return {**shown, "output": [*self.passed, *shown["output"]], "usage": added(self.before, shown.get("usage"))}

    def _numbered(self, event: Json) -> Json:
        if "sequence_number" not in event:
            return event
        self.number += 1
        if event["sequence_number"] == self.number - 1:
            return event
        return {**event, "sequence_number": self.number - 1}
