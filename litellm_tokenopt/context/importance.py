"""How much each message matters for the current question: rules for what is certain, a small trained head for the rest.

The head is trained on what later turns of finished conversations really used (`context.importance_training`). Its
features are read from the request alone, so the levels are a pure function of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..lexical import terms
from ..memo import Memo
from ..models.logistic import WEIGHTS_FOLDER, Logistic, load_logistic
from ..request import Message, has_cache_control, is_system, last_question, text_of, tool_calls
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
    r"\b(?:i|my|me|we|our|us|mine|ours|ich|mein\w*|mir|wir|uns\w*|je|mon|ma|mes|nous|notre|nos|yo|mis?|nuestr\w+)\b"
)
"""In lower case: to pass over cases takes a pattern several times as long."""

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
    messages: Sequence[Message], question: str | None = None, pinned: Collection[int] = ()
) -> tuple[Importance, ...]:
    """How much each of *messages* matters for *question* (None: the last that a user asks).

    Those at the places *pinned* are critical, as the caller says so.
    """
    return importance_of(
        [heard(message) for message in messages],
        last_question(messages) if question is None else question,
        pinned=pinned,
    )


def importance_of(
    messages: Sequence[Heard], question: str, start: int = 0, pinned: Collection[int] = ()
) -> tuple[Importance, ...]:
    """The same of messages that were read before, from *start* on."""
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


def certain(messages: Sequence[Heard]) -> list[str]:
    """For each message the rule that makes it critical; empty where none does."""
    rules = [message.rule for message in messages]
    asked = [index for index, message in enumerate(messages) if message.role == "user"]
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


def _unresolved(messages: Sequence[Heard]) -> set[int]:
    """Messages with calls that have no result yet."""
    answered = {message.answers for message in messages if message.role == "tool"}
    return {
        index
        for index, message in enumerate(messages)
        if any(call_id not in answered for call_id, _, _ in message.calls)
    }


# --- what a message says ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message says, whatever stands around it.

    `text` is all of it, `content` without the calls that it makes (id, name, arguments). `answers` is the id of the
    call whose result it is. `rule` makes it critical wherever it stands. `fails`: it's a short result that tells of an
    error; `of_oneself`: a short text in which users tell something of themselves.
    """

    role: str
    calling: bool
    calls: tuple[tuple[str, str, str], ...]
    answers: str
    content: str
    text: str
    marks: frozenset[str]
    words: frozenset[str]
    rule: str
    fails: bool
    of_oneself: bool


def heard(message: Message) -> Heard:
    role, calls, content = str(message.get("role")), tuple(tool_calls(message)), text_of(message.get("content"))
    text = "\n".join((content, *(f"{name} {arguments}" for _, name, arguments in calls))).strip()
    short = len(text) < SHORT_CHARS
    return Heard(
        role=role, calling=bool(message.get("tool_calls")), calls=calls, answers=str(message.get("tool_call_id") or ""),
        content=content, text=text, marks=marks_of(text), words=words_of(text), rule=_rule(message),
        fails=short and role == "tool" and says_error(text),
        of_oneself=short and role == "user" and _OF_ONESELF.search(text.lower()) is not None,
    )  # fmt: skip


def marks_of(text: str) -> frozenset[str]:
    """Ids, numbers, paths and addresses in *text*: what can't be made up again."""
    return _marks.get_or(text, lambda: frozenset(chain.from_iterable(map(_marks_in, set(_WORD.findall(text))))))


@lru_cache(maxsize=20_000)
def _marks_in(word: str) -> tuple[str, ...]:
    mark = word.strip("._-/:+")
    if len(mark) < LEAST_CHARS or not _IS_MARK.search(mark):
        return ()
    said = mark.lower()
    return (
        (said, *(part for part in _named(said) if part != said and _IS_MARK.search(part))) if "/" in said else (said,)
    )


def _named(path: str) -> tuple[str, str]:
    """A path without a line's number, and its last part: one says now this, now that."""
    whole = _LINE.sub("", path)
    return whole, whole.rpartition("/")[2]


def words_of(text: str) -> frozenset[str]:
    """The terms of *text* of four letters or more, as stems."""
    return _words.get_or(text, lambda: frozenset(term for term in set(terms(text)) if len(term) >= 4))


# --- features ---------------------------------------------------------------------------------------------------


class Reading:
    """What stands where in a conversation, up to the message that comes next.

    `own` are the marks that a message is the first to say, `rare_marks` and `rare_words` those that few say; all three,
    shape (messages,), without what the task and the system prompt say. `again` are the places of what is said again.
    """

    def __init__(self, messages: Sequence[Heard], rules: Sequence[str]) -> None:
        lasting = [index for index, rule in enumerate(rules) if rule in ("system", "task")]
        marks, words = [message.marks for message in messages], [message.words for message in messages]
        fixed, fixed_words = _all_of(marks, lasting), _all_of(words, lasting)
        rare = max(3, len(messages) // 8)
        self.held_words = Counter(chain.from_iterable(words))
        self.again = _said_again(messages)
        self.own = list(_own(marks, fixed, self.again))
        self.rare_marks = _without(marks, fixed | _common(Counter(chain.from_iterable(marks)), rare))
        self.rare_words = _without(words, fixed_words | _common(self.held_words, rare))

    def most(self, place: int) -> Level:
        """The highest level that a message can come to: an id of its own is critical, rare words are important."""
        if self.own[place]:
            return Level.CRITICAL
        some = self.rare_marks[place] or len(self.rare_words[place]) >= LEAST_WORDS
        return Level.IMPORTANT if some else Level.BACKGROUND


def _own(marks: Sequence[frozenset[str]], fixed: frozenset[str], again: Collection[int]) -> Iterator[frozenset[str]]:
    seen = set(fixed)
    for index, said in enumerate(marks):
        own = frozenset[str]() if index in again else said - seen
        seen |= own
        yield own


def _common(held: Mapping[str, int], rare: int) -> set[str]:
    return {said for said, count in held.items() if count > rare}


def _without(found: Sequence[frozenset[str]], some: frozenset[str]) -> list[frozenset[str]]:
    return [one - some for one in found]


def _all_of(found: Sequence[frozenset[str]], places: Iterable[int]) -> frozenset[str]:
    return frozenset[str]().union(*(found[place] for place in places))


class Weighable(NamedTuple):
    """Messages to be told apart: their `rows` of features, shape (messages, features), and the level that each has at
    `least`, by what the model has used of it already (or a user tells of themselves), and at `most`, by what there is
    to be used, shape (messages,)."""

    rows: NDArray[np.float64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]


def features(messages: Sequence[Heard], rules: Sequence[str], places: Sequence[int], question: str) -> Weighable:
    """What tells how much the messages at *places* matter for *question*, as numbers of about one size."""
    import numpy as np

    told = _Features(messages, rules, question)
    return Weighable(
        np.array([told.row(place) for place in places], np.float64),
        np.array([told.least[place] for place in places], np.int64),
        np.array([told.reading.most(place) for place in places], np.int64),
    )


class _Features:
    def __init__(self, messages: Sequence[Heard], rules: Sequence[str], question: str) -> None:
        self._messages = messages
        self.reading = reading = Reading(messages, rules)
        self._question = words_of(question)
        latest = messages[-3:]
        self._latest_words = frozenset[str]().union(*(message.words for message in latest))
        self._latest_marks = frozenset[str]().union(*(message.marks for message in latest))
        held, count = reading.held_words, len(messages)
        self._peculiar = {
            word: math.log(1 + count / held[word]) if held[word] else 0.0
            for word in self._question | self._latest_words
        }
        self._turn = list(accumulate(message.role == "user" for message in messages))
        self._answers = list(accumulate(float(message.role == "assistant") for message in messages))
        self._calls = {id_: name for message in messages for id_, name, _ in message.calls}
        self._results = {message.answers: message for message in messages if message.role == "tool"}
        self._words_used = [0] * len(messages)
        self.least = self._used()
        self._sorts = [self._sort(message) for message in messages]
        self._held = Counter(chain.from_iterable(self._sorts))
        self._used_of = [self._count(level) for level in (Level.IMPORTANT, Level.CRITICAL)]

    def _used(self) -> list[Level]:
        """Of each message the level that it has by what the model has used of it since, and by what users tell."""
        reading, found = self.reading, list[Level]()
        marks: set[str] = set()
        words: set[str] = set()
        for index in range(len(self._messages) - 1, -1, -1):
            message, own = self._messages[index], reading.own[index]
            self._words_used[index] = worded = len(reading.rare_words[index] & words)
            tells = bool(own) and message.of_oneself
            some = worded >= LEAST_WORDS or tells or not marks.isdisjoint(reading.rare_marks[index])
            least = Level.IMPORTANT if some else Level.BACKGROUND
            found.append(least if marks.isdisjoint(own) else Level.CRITICAL)
            if message.role == "assistant":
                marks |= message.marks
                words |= message.words
        return found[::-1]

    def _sort(self, message: Heard) -> tuple[Sort, Sort]:
        """What messages are like this one: those with its role, and of these those of its tool."""
        role = message.role, message.calling
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
        role, calls = message.role, message.calling
        rare, age = reading.rare_marks[index], (count - index) / 10
        failed = any(self._results[id_].fails for id_, _, _ in message.calls if id_ in self._results)
        turns = self._turn[-1] - self._turn[index]
        return [
            role == "user", calls, role == "tool", role == "assistant" and not calls,
            min(age, 6) / 3, math.log1p(age), math.log1p(self._answers[-1] - self._answers[index]),
            min(turns, 8) / 4, not turns, math.log1p(count) / 5,
            message.fails, failed, index in reading.again, _WRITES.search(self._tool(message)) is not None,
            math.log1p(len(message.text)) / 5, math.log1p(len(reading.own[index])), math.log1p(len(rare)),
            math.log1p(len(reading.rare_words[index])), min(self._words_used[index] / LEAST_WORDS, 1),
            self._share(message.words & self._question), self._share(message.words & self._latest_words),
            math.log1p(len(rare & self._latest_marks)), self._usually(index, 0), self._usually(index, 1),
        ]  # fmt: skip

    def _tool(self, message: Heard) -> str:
        """The tool that a message calls, or whose result it is."""
        return self._calls.get(message.answers) or next((name for _, name, _ in message.calls), "")

    def _share(self, shared: Iterable[str]) -> float:
        """How much of what makes the question peculiar is in *shared*, 0 to about 2."""
        return min(2.0, sum(sorted(self._peculiar[word] for word in shared)) / 6)


def last_uses(messages: Sequence[Heard]) -> tuple[dict[str, int], dict[str, int]]:
    """Where the model last says each mark, and each word."""
    marks: dict[str, int] = {}
    words: dict[str, int] = {}
    for index, message in enumerate(messages):
        if message.role == "assistant":
            marks.update(dict.fromkeys(message.marks, index))
            words.update(dict.fromkeys(message.words, index))
    return marks, words


def _said_again(messages: Sequence[Heard]) -> frozenset[int]:
    """Places of results whose call is made again later, or whose text comes again, and of such calls."""
    calls = {call_id: (name, arguments) for message in messages for call_id, name, arguments in message.calls}
    seen: set[object] = set()
    older: set[int] = set()
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role == "tool":
            keys: set[object] = {
                calls.get(message.answers),
                message.content if len(message.content) > PASSAGE_CHARS else None,
            }
        else:
            keys = {("call", name, arguments) for _, name, arguments in message.calls}
        keys.discard(None)
        if not seen.isdisjoint(keys):
            older.add(index)
        seen |= keys
    return frozenset(older)
