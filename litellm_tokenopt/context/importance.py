"""How much each message matters for the current question: rules for what is certain, a small trained head for the rest.

The head is trained on what later turns of finished conversations really used (`context.importance_training`). Its
features are read from the request alone, so the levels are a pure function of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..lexical import terms
from ..memo import Memo
from ..models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from ..request import Message, has_cache_control, is_system, last_question, text_of, tool_calls, user_turns
from .kinds import kind_of
from .passages import PASSAGE_CHARS, Kind
from .units import Level, is_untouchable, states_constraint
from .weighing import says_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = WEIGHTS_FOLDER / "message_importance.json"
NAME = "message-importance"
"""What the weights were trained on, in place of an embedder."""

LEAST_CHARS, SHORT_CHARS = 3, 400

LAST_MESSAGES = 6
"""So many messages at the end are critical, whatever they say."""

CONSTRAINT_CHARS = 2_000
"""A user's longer text is a document, whose every "must" is no instruction."""

MOST_USED, LEAST_USED = 0.6, 0.4
"""From which chance on a message is critical, and important."""

LATELY = 8
"""So many messages at the end tell what the model is using."""

LEAST_WORDS = 3
"""So many rare words of a message that are said again make it used."""

_WORD = re.compile(r"[\w@./:+-]{3,}")
_IS_MARK = re.compile(r"\d|[^\W\d][_./@]\w|[a-z][A-Z]")
"""A digit, a joint inside, or a hump: of such words ids, numbers, paths and addresses are made."""

_WRITES = re.compile(
    r"(?:^|[_.\-])(?:create|update|delete|remove|add|set|send|book|cancel|modify|change|write|edit|apply|commit|push|"
    r"post|put|patch|refund|return|exchange|transfer|deploy|restart|save|insert|move|rename|close|assign|notify|issue)",
    re.IGNORECASE,
)
_marks: Memo[str, frozenset[str]] = Memo(max_entries=20_000)
_kinds: Memo[str, Kind] = Memo(max_entries=20_000)
_words: Memo[str, frozenset[str]] = Memo(max_entries=20_000)


@dataclass(frozen=True, slots=True)
class Importance:
    """The level of a message, its score (0 to 1), and the rule that decided it; empty where the head did."""

    level: Level
    score: float
    rule: str = ""


def importance(
    messages: Sequence[Message], question: str | None = None, start: int = 0, pinned: Collection[int] = ()
) -> tuple[Importance, ...]:
    """How much each of *messages* from *start* on matters for *question* (None: the last that a user asks).

    Those at the places *pinned* are critical, as the caller says so.
    """
    rules = ["pinned" if place in pinned else rule for place, rule in enumerate(certain(messages))]
    open_ones = [index for index in range(start, len(messages)) if not rules[index]]
    found = {}
    if open_ones:
        some, much = chances(features(messages, rules, open_ones, question))
        found = {index: judged(float(some[n]), float(much[n])) for n, index in enumerate(open_ones)}
    return tuple(
        found[index] if index in found else Importance(Level.CRITICAL, 1.0, rules[index])
        for index in range(start, len(messages))
    )


def judged(some: float, much: float) -> Importance:
    """The level by the chances that something of a message is used, and that its ids or numbers are."""
    level = Level.CRITICAL if much >= MOST_USED else Level.IMPORTANT if some >= LEAST_USED else Level.BACKGROUND
    return Importance(level, round((min(some, 1.0) + min(much, 1.0)) / 2, 4))


def chances(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each row of `features`: how likely something of it is used, and how likely its ids or numbers are."""
    heads = _heads()
    return heads["some"].probabilities(rows), heads["much"].probabilities(rows)


@lru_cache(maxsize=1)
def _heads() -> Mapping[str, Logistic]:
    return load_logistic(WEIGHTS, NAME)


def certain(messages: Sequence[Message]) -> list[str]:
    """For each message the rule that makes it critical; empty where none does."""
    rules = [_rule(message) for message in messages]
    asked = user_turns(messages)
    waiting = _unresolved(messages)
    start = max(0, len(messages) - LAST_MESSAGES)
    for index in range(len(messages)):
        if not rules[index]:
            recent = "last" if index >= start or (asked and index == asked[-1]) else ""
            rules[index] = "unresolved" if index in waiting else recent
    if asked and not rules[asked[0]]:
        rules[asked[0]] = "task"
    return rules


def _rule(message: Message) -> str:
    if is_system(message):
        return "system"
    if has_cache_control(message):
        return "cache_control"
    if is_untouchable(message):
        return "untouchable"
    text = text_of(message.get("content")) if message.get("role") == "user" else ""
    return "constraint" if text and len(text) <= CONSTRAINT_CHARS and states_constraint(text) else ""


def _unresolved(messages: Sequence[Message]) -> set[int]:
    """Messages with calls that have no result yet."""
    answered = {str(message.get("tool_call_id")) for message in messages if message.get("role") == "tool"}
    return {
        index
        for index, message in enumerate(messages)
        if any(call_id not in answered for call_id, _, _ in tool_calls(message))
    }


# --- what a message says ----------------------------------------------------------------------------------------


def said(message: Message) -> str:
    """All that a message says: its text, and the calls that it makes."""
    calls = (f"{name} {arguments}" for _, name, arguments in tool_calls(message))
    return "\n".join((text_of(message.get("content")), *calls)).strip()


def marks_of(text: str) -> frozenset[str]:
    """Ids, numbers, paths and addresses in *text*: what can't be made up again."""
    return _marks.get_or(text, lambda: frozenset(_found_marks(text)))


def _found_marks(text: str) -> Iterable[str]:
    for word in dict.fromkeys(_WORD.findall(text)):
        mark = word.strip("._-/:+")
        if len(mark) >= LEAST_CHARS and _IS_MARK.search(mark):
            yield mark.lower()


def _kind(text: str) -> Kind:
    return _kinds.get_or(text, lambda: kind_of(text))


def words_of(text: str) -> frozenset[str]:
    """The terms of *text* of four letters or more, as stems."""
    return _words.get_or(text, lambda: frozenset(term for term in terms(text) if len(term) >= 4))


# --- features ---------------------------------------------------------------------------------------------------


class Reading:
    """What stands where in a conversation, up to the message that comes next."""

    def __init__(self, messages: Sequence[Message], rules: Sequence[str]) -> None:
        self.rules = rules
        self.texts = [said(message) for message in messages]
        self.marks = [marks_of(text) for text in self.texts]
        self.words = [words_of(text) for text in self.texts]
        self.rare = max(3, len(messages) // 8)
        lasting = [index for index, rule in enumerate(rules) if rule in ("system", "task")]
        fixed, fixed_words = _all_of(self.marks, lasting), _all_of(self.words, lasting)
        held = Counter(mark for marks in self.marks for mark in marks)
        self.held_words = Counter(word for words in self.words for word in words)
        self.again = _said_again(messages)
        origin: dict[str, int] = {}
        for index, marks in enumerate(self.marks):
            if index not in self.again:
                for mark in marks - fixed:
                    origin.setdefault(mark, index)
        self.own = [frozenset(m for m in marks if origin.get(m) == i) for i, marks in enumerate(self.marks)]
        common = fixed.union(mark for mark, count in held.items() if count > self.rare)
        common_words = fixed_words.union(word for word, count in self.held_words.items() if count > self.rare)
        self.rare_marks = [marks - common for marks in self.marks]
        self.rare_words = [words - common_words for words in self.words]


def _all_of(found: Sequence[frozenset[str]], places: Iterable[int]) -> frozenset[str]:
    return frozenset[str]().union(*(found[place] for place in places))


def features(
    messages: Sequence[Message], rules: Sequence[str], places: Sequence[int], question: str | None = None
) -> NDArray[np.float64]:
    """What tells how much the messages at *places* matter, shape (places, features), as numbers of about one size."""
    import numpy as np

    told = _Features(messages, rules, question)
    return np.array([told.row(place) for place in places], np.float64)


class _Uses(NamedTuple):
    """How many of a message's own marks, rare marks and rare words the model has used since; whether it has used such
    a rare mark lately, and ever."""

    own: int
    marks: int
    words: int
    lately: bool
    ever: bool


class _Features:
    def __init__(self, messages: Sequence[Message], rules: Sequence[str], question: str | None) -> None:
        asked = last_question(messages) if question is None else question
        self._messages = messages
        self._reading = reading = Reading(messages, rules)
        self._question = words_of(asked), marks_of(asked)
        latest = range(max(0, len(messages) - 3), len(messages))
        self._latest = _all_of(reading.words, latest), _all_of(reading.marks, latest)
        self._turn = _turns(messages)
        self._calls = {id_: (name, arguments) for message in messages for id_, name, arguments in tool_calls(message)}
        self._used = self._uses()

    def _uses(self) -> list[_Uses]:
        reading, count = self._reading, len(self._messages)
        models = [index for index in range(count) if self._messages[index].get("role") == "assistant"]
        ever = _all_of(reading.marks, (index for index in models if index))
        lately = _all_of(reading.marks, (index for index in models if index >= count - LATELY))
        marks: set[str] = set()
        words: set[str] = set()
        found: list[_Uses] = []
        for index in range(count - 1, -1, -1):
            rare = reading.rare_marks[index]
            own, rarely = len(reading.own[index] & marks), len(rare & marks)
            recent = count <= LATELY or not lately.isdisjoint(rare)
            found.append(_Uses(own, rarely, len(reading.rare_words[index] & words), recent, not ever.isdisjoint(rare)))
            if self._messages[index].get("role") == "assistant":
                marks |= reading.marks[index]
                words |= reading.words[index]
        return found[::-1]

    def row(self, index: int) -> list[float]:
        message, reading, count = self._messages[index], self._reading, len(self._messages)
        text, role, calls = reading.texts[index], str(message.get("role")), float(bool(message.get("tool_calls")))
        uses, rare = self._used[index], reading.rare_marks[index]
        own, rarely, worded = (
            math.log1p(len(found)) for found in (reading.own[index], rare, reading.rare_words[index])
        )
        asked = self._share(reading.words[index] & self._question[0])
        near = self._share(reading.words[index] & self._latest[0])
        now = math.log1p(len(rare & self._latest[1]))
        result, user = float(role == "tool"), float(role == "user")
        kind = _kind(text_of(message.get("content"))) if result else "prose"
        age = (count - index) / 10
        aged = math.log1p(age)
        turns = self._turn[-1] - self._turn[index]
        this_turn, unused = float(not turns), float(not (uses.own or uses.words or uses.ever))
        return [
            user, calls, result, float(role == "assistant" and not calls),
            min(age, 6) / 3, aged, min(turns, 8) / 4, this_turn, index / count,
            math.log1p(len(text)) / 5, float(bool(result) and len(text) < SHORT_CHARS and says_error(text)),
            float(index in reading.again), float(_WRITES.search(self._tool(message)) is not None),
            float(kind == "json"), float(kind in ("log", "shell")), float(kind == "code"),
            own, float(not own), rarely, float(not rare), worded, float(len(reading.rare_words[index]) < 2),
            math.log1p(uses.own), float(uses.own > 0), float(uses.lately),
            math.log1p(uses.marks), float(uses.marks > 0), math.log1p(uses.words), float(uses.words >= LEAST_WORDS),
            now, math.log1p(len(rare & self._question[1])), math.log1p(len(reading.own[index] & self._latest[1])),
            asked, near, float("?" in text), float(asked > 0),
            result * own, result * asked, result * this_turn, calls * own, this_turn * own, asked * own,
            unused * own, unused * aged, unused * asked, unused * this_turn, near * own, aged * own, aged * asked,
            calls * asked, calls * near, user * asked, aged * rarely, min(len(text), 4_000) / 1_000 * asked,
            result * rarely, result * worded, own**2 / 4, calls * rarely, calls * now,
        ]  # fmt: skip

    def _tool(self, message: Message) -> str:
        """The tool that a message calls, or whose result it is."""
        call = self._calls.get(str(message.get("tool_call_id") or ""))
        return call[0] if call else next((name for _, name, _ in tool_calls(message)), "")

    def _share(self, shared: Iterable[str]) -> float:
        """How much of what makes the question peculiar is in *shared*, 0 to about 2."""
        held, count = self._reading.held_words, len(self._messages)
        return min(2.0, sum(sorted(math.log(1 + count / held[word]) if held[word] else 0.0 for word in shared)) / 6)


def last_uses(messages: Sequence[Message], reading: Reading) -> tuple[dict[str, int], dict[str, int]]:
    """Where the model last says each mark, and each word."""
    marks: dict[str, int] = {}
    words: dict[str, int] = {}
    for index, message in enumerate(messages):
        if message.get("role") == "assistant":
            marks.update(dict.fromkeys(reading.marks[index], index))
            words.update(dict.fromkeys(reading.words[index], index))
    return marks, words


def _turns(messages: Sequence[Message]) -> list[int]:
    """For each message how many user turns have begun."""
    turn, turns = 0, []
    for message in messages:
        turn += message.get("role") == "user"
        turns.append(turn)
    return turns


def _said_again(messages: Sequence[Message]) -> frozenset[int]:
    """Places of results whose call is made again later, or whose text comes again, and of such calls."""
    calls = {call_id: (name, arguments) for message in messages for call_id, name, arguments in tool_calls(message)}
    seen: set[object] = set()
    older: set[int] = set()
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.get("role") == "tool":
            text = text_of(message.get("content"))
            of = calls.get(str(message.get("tool_call_id") or ""))
            keys: set[object] = {of, text if len(text) > PASSAGE_CHARS else None}
        else:
            keys = {("call", name, arguments) for _, name, arguments in tool_calls(message)}
        keys.discard(None)
        if not seen.isdisjoint(keys):
            older.add(index)
        seen |= keys
    return frozenset(older)
