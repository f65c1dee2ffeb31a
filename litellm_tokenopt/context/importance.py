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
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..lexical import terms
from ..memo import Memo
from ..models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from ..request import Message, has_cache_control, is_system, last_question, text_of, tool_calls, user_turns
from .passages import PASSAGE_CHARS
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

MOST_USED, LEAST_USED = 0.95, 0.6
"""From which chance on a message is critical, and important."""

MARGIN = 1e-3
"""What can't reach a level is so far from the chance that it takes."""

USUALLY = (0.35, 0.2)
"""The share of messages of which anything is used, and of which ids or numbers are, where few are there to tell."""

DRAWN = 2.0
"""So many messages that are used as usual are counted to those of each sort."""

LEAST_WORDS = 3
"""So many rare words of a message that are said again make it used."""

_WORD = re.compile(r"[\w@./:+-]{3,}")
_IS_MARK = re.compile(r"\d|[^\W\d][_./@]\w|[a-z][A-Z]")
"""A digit, a joint inside, or a hump: of such words ids, numbers, paths and addresses are made."""

_LINE = re.compile(r"(?::\d+)+$")
_OF_ONESELF = re.compile(
    r"\b(?:i|my|me|we|our|us|mine|ours|ich|mein\w*|mir|wir|uns\w*|je|mon|ma|mes|nous|notre|nos|yo|mis?|nuestr\w+)\b",
    re.IGNORECASE,
)
_WRITES = re.compile(
    r"(?:^|[_.\-])(?:create|update|delete|remove|add|set|send|book|cancel|modify|change|write|edit|apply|commit|push|"
    r"post|put|patch|refund|return|exchange|transfer|deploy|restart|save|insert|move|rename|close|assign|notify|issue)",
    re.IGNORECASE,
)
Sort: TypeAlias = tuple[str, bool, str]

_marks: Memo[str, frozenset[str]] = Memo(max_entries=20_000)
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


def chances(found: Weighable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each message: how likely something of it is used, and how likely its ids or numbers are.

    What has been used is as likely as its level demands, at least; what can't be is less so.
    """
    heads = _heads()
    return (
        _bounded(heads["some"].probabilities(found.rows), found, Level.IMPORTANT, LEAST_USED),
        _bounded(heads["much"].probabilities(found.rows), found, Level.CRITICAL, MOST_USED),
    )


def _bounded(chance: NDArray[np.float64], found: Weighable, level: Level, bound: float) -> NDArray[np.float64]:
    surely, never = found.least >= level, found.most < level
    return chance.clip(bound * surely, 1 - (1 - bound + MARGIN) * never)


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
            if "/" in mark:
                yield from (part for part in _named(mark.lower()) if part != mark.lower() and _IS_MARK.search(part))


def _named(path: str) -> tuple[str, str]:
    """A path without a line's number, and its last part: one says now this, now that."""
    whole = _LINE.sub("", path)
    return whole, whole.rpartition("/")[2]


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

    def most(self, place: int) -> Level:
        """The highest level that a message can come to: an id of its own is critical, rare words are important."""
        if self.own[place]:
            return Level.CRITICAL
        some = self.rare_marks[place] or len(self.rare_words[place]) >= LEAST_WORDS
        return Level.IMPORTANT if some else Level.BACKGROUND


def _all_of(found: Sequence[frozenset[str]], places: Iterable[int]) -> frozenset[str]:
    return frozenset[str]().union(*(found[place] for place in places))


class Weighable(NamedTuple):
    """Messages to be told apart: their `rows` of features, shape (messages, features), and the level that each has at
    `least`, by what the model has used of it already (or a user tells of themselves), and at `most`, by what there is
    to be used, shape (messages,)."""

    rows: NDArray[np.float64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]


def features(
    messages: Sequence[Message], rules: Sequence[str], places: Sequence[int], question: str | None = None
) -> Weighable:
    """What tells how much the messages at *places* matter, as numbers of about one size."""
    import numpy as np

    told = _Features(messages, rules, question)
    return Weighable(
        np.array([told.row(place) for place in places], np.float64),
        np.array([told.least[place] for place in places], np.int64),
        np.array([told.reading.most(place) for place in places], np.int64),
    )


class _Features:
    def __init__(self, messages: Sequence[Message], rules: Sequence[str], question: str | None) -> None:
        asked = last_question(messages) if question is None else question
        self._messages = messages
        self.reading = reading = Reading(messages, rules)
        self._question = words_of(asked)
        latest = range(max(0, len(messages) - 3), len(messages))
        self._latest = _all_of(reading.words, latest), _all_of(reading.marks, latest)
        self._turn = _turns(messages)
        self._answers = list(accumulate(float(message.get("role") == "assistant") for message in messages))
        self._calls = {id_: name for message in messages for id_, name, _ in tool_calls(message)}
        self._results = {str(m.get("tool_call_id")): i for i, m in enumerate(messages) if m.get("role") == "tool"}
        self._words_used = [0] * len(messages)
        self.least = self._used()
        self._sorts = [self._sort(index) for index in range(len(messages))]
        self._held = Counter(key for sort in self._sorts for key in sort)
        self._used_of = [self._count(level) for level in (Level.IMPORTANT, Level.CRITICAL)]

    def _used(self) -> list[Level]:
        """Of each message the level that it has by what the model has used of it since, and by what users tell."""
        reading, found = self.reading, list[Level]()
        marks: set[str] = set()
        words: set[str] = set()
        for index in range(len(self._messages) - 1, -1, -1):
            self._words_used[index] = worded = len(reading.rare_words[index] & words)
            own = not marks.isdisjoint(reading.own[index])
            some = worded >= LEAST_WORDS or not marks.isdisjoint(reading.rare_marks[index]) or self._tells(index)
            found.append(Level.CRITICAL if own else Level.IMPORTANT if some else Level.BACKGROUND)
            if self._messages[index].get("role") == "assistant":
                marks |= reading.marks[index]
                words |= reading.words[index]
        return found[::-1]

    def _tells(self, index: int) -> bool:
        """Whether the user tells something of themselves that is said nowhere before: a name, a number, a date."""
        text = self.reading.texts[index]
        told = self._messages[index].get("role") == "user" and self.reading.own[index] and len(text) < SHORT_CHARS
        return bool(told) and _OF_ONESELF.search(text) is not None

    def _fails(self, index: int) -> bool:
        text = self.reading.texts[index]
        return self._messages[index].get("role") == "tool" and len(text) < SHORT_CHARS and says_error(text)

    def _sort(self, index: int) -> tuple[Sort, Sort]:
        """What messages are like the one at *index*: those with its role, and of these those of its tool."""
        message = self._messages[index]
        role = str(message.get("role")), bool(message.get("tool_calls"))
        return (*role, ""), (*role, f"of {self._tool(message)}")

    def _count(self, level: Level) -> Counter[Sort]:
        """How many messages of each sort have been used to *level*."""
        return Counter(
            key for sort, least in zip(self._sorts, self.least, strict=True) if least >= level for key in sort
        )

    def _usually(self, index: int, head: int) -> float:
        """The share of messages like the one at *index* that have been used, drawn to the usual where they are few."""
        share = USUALLY[head]
        used, itself = self._used_of[head], self.least[index] > head
        for sort in self._sorts[index]:
            share = (used[sort] - itself + DRAWN * share) / (self._held[sort] - 1 + DRAWN)
        return share

    def row(self, index: int) -> list[float]:
        message, reading, count = self._messages[index], self.reading, len(self._messages)
        text, role, calls = reading.texts[index], message.get("role"), bool(message.get("tool_calls"))
        rare, age = reading.rare_marks[index], (count - index) / 10
        failed = any(self._fails(self._results[id_]) for id_, _, _ in tool_calls(message) if id_ in self._results)
        turns = self._turn[-1] - self._turn[index]
        return [
            role == "user", calls, role == "tool", role == "assistant" and not calls,
            min(age, 6) / 3, math.log1p(age), math.log1p(self._answers[-1] - self._answers[index]),
            min(turns, 8) / 4, not turns, math.log1p(count) / 5,
            self._fails(index), failed, index in reading.again, _WRITES.search(self._tool(message)) is not None,
            math.log1p(len(text)) / 5, math.log1p(len(reading.own[index])), math.log1p(len(rare)),
            math.log1p(len(reading.rare_words[index])), min(self._words_used[index] / LEAST_WORDS, 1),
            self._share(reading.words[index] & self._question), self._share(reading.words[index] & self._latest[0]),
            math.log1p(len(rare & self._latest[1])), self._usually(index, 0), self._usually(index, 1),
        ]  # fmt: skip

    def _tool(self, message: Message) -> str:
        """The tool that a message calls, or whose result it is."""
        call = self._calls.get(str(message.get("tool_call_id") or ""))
        return call or next((name for _, name, _ in tool_calls(message)), "")

    def _share(self, shared: Iterable[str]) -> float:
        """How much of what makes the question peculiar is in *shared*, 0 to about 2."""
        held, count = self.reading.held_words, len(self._messages)
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
