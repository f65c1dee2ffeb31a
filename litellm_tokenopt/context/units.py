"""A conversation as units that are kept or left out as a whole or in part, and how much each of them matters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from ..memo import Memo
from ..request import Message, has_cache_control, has_media, text_of, tool_calls
from ..tokens import MESSAGE_OVERHEAD, count_message, count_text
from .kinds import read
from .passages import PASSAGE_CHARS, Document

ARGUMENTS_CHARS = 240
_ROLES = ("user", "assistant", "tool")
_THINKING = ("thinking_blocks", "reasoning_items", "function_call", "audio", "images")
_DEMANDS = (
    "must", "never", "always", "do not", "don't", "under no circumstances", "from now on", "make sure", "no more than",
    "no less than",
)  # fmt: skip
_CONSTRAINT = re.compile(rf"\b(?:{'|'.join(_DEMANDS)})\b")

_documents: Memo[str, Document] = Memo(max_entries=4_000)


class Level(IntEnum):
    """How much a message or unit matters for what comes next."""

    BACKGROUND = 0
    IMPORTANT = 1
    CRITICAL = 2


@dataclass(slots=True)
class Part:
    """One message of a unit: its place in the conversation, its text as passages, numbered from `base`.

    A `fixed` one is never changed: thinking, a cache mark of the caller's own, media but in results. `media`: it holds
    blocks that aren't text, which stay where they are; `text_tokens` are about those of its text. `speaker` tells whose
    text it is where it's quoted; for calls of tools, what was called. A `thought` is one that providers take
    only with what follows it.
    """

    place: int
    message: Message
    tokens: int
    document: Document
    base: int
    numbers: range = field(init=False)
    fixed: bool = field(init=False)
    media: bool = field(init=False)
    text_tokens: int = field(init=False)
    speaker: str = field(init=False)
    thought: bool = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = range(self.base, self.base + len(self.document.passages))
        self.fixed = is_untouchable(self.message)
        self.media = has_media(self.message)
        text = text_of(self.message.get("content")) if self.media else ""
        self.text_tokens = count_text(text) if self.media else self.tokens - MESSAGE_OVERHEAD
        self.speaker = _speaker(self.message)
        self.thought = self.media and _is_thought(self.message)

    @property
    def answers(self) -> bool:
        """Whether it's the result of a call."""
        return self.message.get("role") == "tool"

    @property
    def fixed_tokens(self) -> int:
        """Tokens that stay whatever is left out of its text: of pictures, or all."""
        if self.fixed:
            return self.tokens
        return self.tokens - self.text_tokens if self.media else 0

    def tokens_of(self, chars: int) -> int:
        """About how many tokens *chars* characters of this message's text are."""
        return round(chars * self.text_tokens / max(1, self.document.chars))

    def costs(self) -> Iterator[int]:
        """About how many tokens each passage takes where it is quoted."""
        return (1 + self.tokens_of(size) for size in self.document.sizes())


@dataclass(slots=True)
class Unit:
    """A message, or tool calls and all their results. Calls may be a message each, side by side, behind what the model
    thought; so may a message.

    `fixed` units are never changed: plain messages that are fixed, the caller's pins, forms that we don't know. Of a
    call's results some may be shortened though others, or what the model thought before it, are fixed, or no text:
    then it `stays` in its place. `results` are their places, and what of each may come again. `base` is the number of
    its first passage; `constraints` are the passages, by number, in which a user lays something down.
    """

    parts: list[Part]
    fixed: bool
    pending: Counter[str] = field(default_factory=Counter)
    results: list[tuple[int, set[object]]] = field(default_factory=list)
    role: str = field(init=False)
    calls: bool = field(init=False)
    stays: bool = field(init=False)
    base: int = field(init=False)
    tokens: int = field(init=False)
    constraints: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        first = self.parts[0]
        self.role = str(first.message.get("role"))
        self.calls = bool(first.message.get("tool_calls"))
        self.stays = self.calls and (first.fixed or first.media)
        self.base = first.base
        self.tokens = first.tokens
        self.constraints = tuple(_constraints(first)) if self.role == "user" else ()

    @property
    def begins(self) -> bool:
        """Whether nothing stands in it yet but what the model thought, and calls."""
        return self.parts[-1].thought or (self.calls and not self.parts[-1].answers)

    @property
    def open(self) -> bool:
        """Whether a call still waits for its result."""
        return any(self.pending.values())

    @property
    def places(self) -> Iterator[int]:
        return (part.place for part in self.parts)


def _speaker(message: Message) -> str:
    role, name = str(message.get("role")), message.get("name")
    calls = [f"{tool}({arguments[:ARGUMENTS_CHARS]})" for _, tool, arguments in tool_calls(message)]
    said = f"{role} ({name})" if name else role
    return f"{said} called {', '.join(calls)}" if calls else said


def _constraints(part: Part) -> Iterator[int]:
    passages = zip(part.numbers, part.document.passages, strict=True)
    return (number for number, passage in passages if states_constraint(passage))


def part_of(message: Message, place: int, base: int) -> Part:
    text = text_of(message.get("content"))
    return Part(place, message, count_message(message), _documents.get_or(text, lambda: read(text)), base)


def open_unit(part: Part) -> Unit:
    """A unit that begins with this message."""
    odd = part.message.get("role") not in _ROLES[:2] or _is_odd(part.message)
    fixed = odd or (part.fixed and not part.message.get("tool_calls"))
    return Unit([part], fixed=fixed, pending=_waiting(part.message))


def _waiting(message: Message) -> Counter[str]:
    return Counter([call_id for call_id, _, _ in tool_calls(message)]) if message.get("tool_calls") else Counter()


def _is_odd(message: Message) -> bool:
    """Whether some of its calls are in a form that we don't know."""
    return sum(1 for _ in tool_calls(message)) != len(message.get("tool_calls") or ())


def _is_thought(message: Message) -> bool:
    content = message.get("content") or ()
    return not message.get("tool_calls") and all(
        isinstance(block, Mapping) and block.get("type") == "reasoning" for block in content
    )


def takes(unit: Unit, message: Message) -> bool:
    """Whether *message* is the result of one of the unit's calls, a call beside them, or follows what was thought."""
    if message.get("role") == "tool":
        return unit.pending[str(message.get("tool_call_id") or "")] > 0
    if message.get("role") != "assistant" or not unit.begins:
        return False
    return unit.parts[-1].thought or bool(message.get("tool_calls")) or _is_thought(message)


def add(unit: Unit, part: Part) -> None:
    """Add what the unit takes."""
    if part.answers:
        unit.results.append((part.place, _what_comes_again(unit, part)))
        unit.pending[str(part.message.get("tool_call_id") or "")] -= 1
    else:
        calls = bool(part.message.get("tool_calls"))
        unit.fixed = (unit.calls and unit.fixed) or _is_odd(part.message) or not (calls or unit.calls)
        unit.calls = unit.calls or calls
        unit.pending.update(_waiting(part.message))
    unit.parts.append(part)
    unit.tokens += part.tokens
    unit.stays = unit.calls and any(one.fixed or one.media for one in unit.parts)


def is_untouchable(message: Message) -> bool:
    """Media (but in results, whose text may be shortened beside it), thinking, a cache mark of the caller's own, or
    content in a form that we don't know."""
    content = message.get("content")
    known = content is None or isinstance(content, (str, list, tuple))
    media = has_media(message) and message.get("role") != "tool"
    return not known or media or has_cache_control(message) or any(message.get(k) for k in _THINKING)


@lru_cache(maxsize=20_000)
def states_constraint(passage: str) -> bool:
    """Whether the user lays something down: must, never, always, …"""
    lower = passage.lower()  # most have none of the words, which is seen sooner without the pattern
    return any(map(lower.__contains__, _DEMANDS)) and _CONSTRAINT.search(lower) is not None


def superseded(units: Sequence[Unit]) -> frozenset[int]:
    """Places of tool results that a later result takes the place of: of the same call again, or with the same text."""
    seen: set[object] = set()
    older: set[int] = set()
    for unit in reversed(units):
        for place, keys in reversed(unit.results):
            if not seen.isdisjoint(keys):
                older.add(place)
            seen |= keys
    return frozenset(older)


def _what_comes_again(unit: Unit, part: Part) -> set[object]:
    """What a later result has in common with this one of *unit* that takes its place: the call, a long text."""
    call_id, text = str(part.message.get("tool_call_id") or ""), text_of(part.message.get("content"))
    made = (call for one in unit.parts for call in tool_calls(one.message))
    calls = [(name, arguments) for made_id, name, arguments in made if made_id == call_id]
    return {*calls[-1:], *([text] if len(text) > PASSAGE_CHARS else [])}


def tail_start(units: Sequence[Unit], keep_turns: int, room_tokens: int) -> int:
    """Where the end that is sent whole begins: *keep_turns* user turns, as far back as *room_tokens* allow.

    The last unit, and calls without a result, belong to it in any case.
    """
    turns = tokens = 0
    start = len(units)
    for index in range(len(units) - 1, -1, -1):
        unit = units[index]
        tokens += unit.tokens
        if turns >= keep_turns or (tokens > room_tokens and start < len(units) and not unit.open):
            break
        start = index
        turns += unit.role == "user"
    return start
