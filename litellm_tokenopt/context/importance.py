"""How much each message matters for the current question: rules for what is certain, a small trained head for the rest.

The head is trained on what later turns of finished conversations really used (`context.importance_training`). Its
features are read from the request alone, so the levels are a pure function of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..lexical import Known, distinct_terms, written
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
    listener = Listener()
    words = listener.words(last_question(messages) if question is None else question)
    return importance_of([listener.heard(message) for message in messages], words, pinned=pinned)


def importance_of(
    messages: Sequence[Heard], question: NDArray[np.intp], start: int = 0, pinned: Collection[int] = ()
) -> tuple[Importance, ...]:
    """The same of messages that were heard before, from *start* on; of the *question* the numbers of its words."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a message says, whatever stands around it.

    `text` is all of it, `content` without the calls that it makes (id, name, arguments). `answers` is the id of the
    call whose result it is. `marks` and `words` are numbers of the listener's. `rule` makes it critical wherever it
    stands. `fails`: it's a short result that tells of an error; `of_oneself`: a short text in which users tell of
    themselves.
    """

    role: str
    calling: bool
    calls: tuple[tuple[str, str, str], ...]
    answers: str
    content: str
    text: str
    marks: NDArray[np.intp]
    words: NDArray[np.intp]
    rule: str
    fails: bool
    of_oneself: bool


class Listener:
    """Hears messages, and numbers what they say as it first comes."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict()
        self._numbers.default_factory = self._numbers.__len__

    def numbers(self, said: Collection[str]) -> NDArray[np.intp]:
        """The number of each."""
        import numpy as np

        return np.fromiter(map(self._numbers.__getitem__, said), np.intp, len(said))

    def words(self, text: str) -> NDArray[np.intp]:
        """The numbers of the terms of *text* of four letters or more, as stems, each once."""
        return self.numbers([term for term in distinct_terms(text) if len(term) >= 4])

    def heard(self, message: Message) -> Heard:
        role, calls, content = str(message.get("role")), tuple(tool_calls(message)), text_of(message.get("content"))
        text = "\n".join((content, *(f"{name} {arguments}" for _, name, arguments in calls))).strip()
        short = len(text) < SHORT_CHARS
        return Heard(
            role=role, calling=bool(message.get("tool_calls")), calls=calls,
            answers=str(message.get("tool_call_id") or ""), content=content, text=text,
            marks=self.numbers(marks_of(text)), words=self.words(text), rule=_rule(message),
            fails=short and role == "tool" and says_error(text),
            of_oneself=short and role == "user" and _OF_ONESELF.search(text.lower()) is not None,
        )  # fmt: skip


def marks_of(text: str) -> frozenset[str]:
    """Ids, numbers, paths and addresses in *text*: what can't be made up again."""
    return frozenset(chain.from_iterable(map(_marks_between_blanks.__getitem__, set(written(text, _WORD)))))


def _read_marks(text: str) -> tuple[str, ...]:
    return tuple(chain.from_iterable(map(_marks_of, _WORD.findall(text)))) if _IS_MARK.search(text) else ()


def _marks_of(word: str) -> tuple[str, ...]:
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


_marks_between_blanks = Known(_read_marks)


# --- features ---------------------------------------------------------------------------------------------------


class Said:
    """Which of some messages say which terms, given as a listener's numbers.

    `terms` and `places`, shape (entries,), go together. A term is called by one of its entries here, so what is told of
    terms has that shape too.
    """

    def __init__(self, found: Sequence[NDArray[np.intp]]) -> None:
        import numpy as np

        self._numbers = np.concatenate(found)
        self._size = int(self._numbers.max(initial=-1)) + 1
        entry = np.empty(self._size, np.intp)
        entry[self._numbers] = np.arange(len(self._numbers))
        self.terms = entry[self._numbers]
        self.places = np.repeat(np.arange(len(found)), [len(one) for one in found])
        self.held = np.bincount(self.terms, minlength=len(self.terms))
        self._messages = len(found)

    def count(self, entries: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of *entries* each message has."""
        import numpy as np

        return np.bincount(self.places[entries], minlength=self._messages)

    def rare(self, lasting: Sequence[int], most: int) -> NDArray[np.bool_]:
        """The entries of terms that no more than *most* messages say, and none of those at *lasting*."""
        few: NDArray[np.bool_] = (self.held <= most) & ~self.said_at(lasting)
        return few[self.terms]

    def first(self, entries: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of *entries* that are the first of their term."""
        import numpy as np

        first = np.full(len(self.terms), self._messages)
        np.minimum.at(first, self.terms[entries], self.places[entries])
        firsts: NDArray[np.bool_] = first[self.terms] == self.places
        return entries & firsts

    def at(self, places: Sequence[int]) -> NDArray[np.bool_]:
        """The entries of the messages at *places*."""
        import numpy as np

        some = np.zeros(self._messages, bool)
        some[list(places)] = True
        return some[self.places]

    def last(self, entries: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The place of the last of *entries* for each term; -1 where it has none."""
        import numpy as np

        last = np.full(len(self.terms), -1)
        np.maximum.at(last, self.terms[entries], self.places[entries])
        return last

    def said_at(self, places: Sequence[int]) -> NDArray[np.bool_]:
        """Of each term whether one of the messages at *places* says it."""
        import numpy as np

        found = np.zeros(len(self.terms), bool)
        found[self.terms[self.at(places)]] = True
        return found

    def among(self, some: NDArray[np.intp]) -> NDArray[np.bool_]:
        """The entries of the terms with *some* numbers."""
        import numpy as np

        found = np.zeros(self._size, bool)
        found[some[some < self._size]] = True
        return found[self._numbers]


class Reading:
    """What stands where in a conversation, up to the message that comes next.

    `own` are the entries of marks that a message is the first to say, `rare_marks` and `rare_words` those of what few
    say; all three without what the task and the system prompt say. `again` are the places of what is said again.
    """

    def __init__(self, messages: Sequence[Heard], rules: Sequence[str]) -> None:
        import numpy as np

        lasting = [index for index, rule in enumerate(rules) if rule in ("system", "task")]
        rare = max(3, len(messages) // 8)
        self.again = _said_again(messages)
        self.marks, self.words = Said([one.marks for one in messages]), Said([one.words for one in messages])
        self.rare_marks, self.rare_words = self.marks.rare(lasting, rare), self.words.rare(lasting, rare)
        anew = np.array([place not in self.again for place in range(len(messages))], bool)
        self.own = self.marks.first(anew[self.marks.places] & ~self.marks.said_at(lasting)[self.marks.terms])
        self.by_model = [place for place, message in enumerate(messages) if message.role == "assistant"]

    def most(self) -> NDArray[np.int64]:
        """The highest level that a message can come to: an id of its own is critical, rare words are important."""
        some = (self.marks.count(self.rare_marks) > 0) | (self.words.count(self.rare_words) >= LEAST_WORDS)
        return _levels(some, self.marks.count(self.own) > 0)

    def words_used(self, last: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many rare words of each message are said after it, each word at *last*."""
        return self.words.count(self.rare_words & (last[self.words.terms] > self.words.places))

    def used(self, marks: NDArray[np.int64], worded: NDArray[np.int64]) -> NDArray[np.int64]:
        """The level of each message by what is said after it: each mark last at *marks*, so many rare words."""
        later = marks[self.marks.terms] > self.marks.places
        some = (self.marks.count(self.rare_marks & later) > 0) | (worded >= LEAST_WORDS)
        return _levels(some, self.marks.count(self.own & later) > 0)


def _levels(important: NDArray[np.bool_], critical: NDArray[np.bool_]) -> NDArray[np.int64]:
    import numpy as np

    return np.where(critical, int(Level.CRITICAL), np.where(important, int(Level.IMPORTANT), int(Level.BACKGROUND)))


class Weighable(NamedTuple):
    """Messages to be told apart: their `rows` of features, shape (messages, features), and the level that each has at
    `least`, by what the model has used of it already (or a user tells of themselves), and at `most`, by what there is
    to be used, shape (messages,)."""

    rows: NDArray[np.float64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]


def features(
    messages: Sequence[Heard], rules: Sequence[str], places: Sequence[int], question: NDArray[np.intp]
) -> Weighable:
    """What tells how much the messages at *places* matter for a question of these words, as numbers of about one
    size."""
    import numpy as np

    told, some = _Features(messages, rules, places, question), list(places)
    return Weighable(told.rows(some), np.array(told.least, np.int64)[some], told.reading.most()[some])


class _Features:
    def __init__(
        self, messages: Sequence[Heard], rules: Sequence[str], places: Sequence[int], question: NDArray[np.intp]
    ) -> None:
        import numpy as np

        self._messages = messages
        self.reading = reading = Reading(messages, rules)
        marks, words, latest = reading.marks, reading.words, range(max(0, len(messages) - 3), len(messages))
        self._turn = np.cumsum([message.role == "user" for message in messages])
        self._answers = np.cumsum([message.role == "assistant" for message in messages])
        self._calls = {id_: name for message in messages for id_, name, _ in message.calls}
        self._results = {message.answers: message for message in messages if message.role == "tool"}
        self._own = marks.count(reading.own)
        self._rare_marks = marks.count(reading.rare_marks)
        self._rare_words = words.count(reading.rare_words)
        asked_for, count = words.at(places), len(messages)
        self._peculiar = np.array([math.log(1 + count / held) for held in range(1, count + 1)])
        self._asked = self._shares(asked_for & words.among(question))
        self._latest_words = self._shares(asked_for & words.said_at(latest)[words.terms])
        self._latest_marks = marks.count(reading.rare_marks & marks.said_at(latest)[marks.terms])
        self._words_used = reading.words_used(words.last(words.at(reading.by_model)))
        self.least = self._used()
        self._tools = list(map(self._tool, messages))
        self._sorts = list(map(self._sort, messages, self._tools))
        self._held = Counter(chain.from_iterable(self._sorts))
        self._used_of = [self._count(level) for level in (Level.IMPORTANT, Level.CRITICAL)]

    def _used(self) -> list[int]:
        """Of each message the level that it has by what the model has used of it since, and by what users tell."""
        import numpy as np

        marks = self.reading.marks
        used = self.reading.used(marks.last(marks.at(self.reading.by_model)), self._words_used)
        told = np.array([message.of_oneself for message in self._messages], bool) & (self._own > 0)
        levels: list[int] = np.where(told, np.maximum(used, int(Level.IMPORTANT)), used).tolist()
        return levels

    def _shares(self, entries: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of each message how much its *entries* have of what makes a question peculiar, 0 to about 2."""
        import numpy as np

        words, count = self.reading.words, len(self._messages)
        worth, places = self._peculiar[words.held[words.terms[entries]] - 1], words.places[entries]
        order = np.argsort(worth, kind="stable")
        return np.minimum(2.0, np.bincount(places[order], worth[order], count) / 6)

    def _sort(self, message: Heard, tool: str) -> tuple[Sort, Sort]:
        """What messages are like this one: those with its role, and of these those of its tool."""
        role = message.role, message.calling
        return (*role, ""), (*role, f"of {tool}")

    def _count(self, level: Level) -> Counter[Sort]:
        """How many messages of each sort have been used to *level*."""
        return Counter(
            key for sort, least in zip(self._sorts, self.least, strict=True) if least >= level for key in sort
        )

    def _usually(self, head: int, places: Sequence[int]) -> list[float]:
        """Of the messages at *places* the share of those like them that have been used."""
        share = cache(partial(self._share, head))
        return [share(self._sorts[place], self.least[place] > head) for place in places]

    def _share(self, head: int, sorts: tuple[Sort, Sort], itself: bool) -> float:
        """The share of messages of these *sorts* that have been used, but one; drawn to the usual where they are
        few."""
        share = USUALLY[head]
        for sort in sorts:
            share = (self._used_of[head][sort] - itself + DRAWN * share) / (self._held[sort] - 1 + DRAWN)
        return share

    def rows(self, places: Sequence[int]) -> NDArray[np.float64]:
        """The features of the messages at *places*, shape (places, features)."""
        import numpy as np

        some, count = np.array(places, np.intp), len(self._messages)
        messages = [self._messages[place] for place in places]
        roles, calls = [message.role for message in messages], np.array([message.calling for message in messages], bool)
        age, turns = (count - some) / 10, self._turn[-1] - self._turn[some]
        columns = [
            [role == "user" for role in roles], calls, [role == "tool" for role in roles],
            np.array([role == "assistant" for role in roles], bool) & ~calls,
            np.minimum(age, 6) / 3, _log1p(age), _log1p(self._answers[-1] - self._answers[some]),
            np.minimum(turns, 8) / 4, turns == 0, [math.log1p(count) / 5] * len(places),
            [message.fails for message in messages], list(map(self._has_failed, messages)),
            [place in self.reading.again for place in places], [_writes(self._tools[place]) for place in places],
            _log1p(np.array([len(message.text) for message in messages])) / 5, _log1p(self._own[some]),
            _log1p(self._rare_marks[some]), _log1p(self._rare_words[some]),
            np.minimum(self._words_used[some] / LEAST_WORDS, 1), self._asked[some], self._latest_words[some],
            _log1p(self._latest_marks[some]), self._usually(0, places), self._usually(1, places),
        ]  # fmt: skip
        return np.array(columns, np.float64).T.copy()

    def _has_failed(self, message: Heard) -> bool:
        """Whether one of its calls has a result that tells of an error."""
        return any(self._results[id_].fails for id_, _, _ in message.calls if id_ in self._results)

    def _tool(self, message: Heard) -> str:
        """The tool that a message calls, or whose result it is."""
        return self._calls.get(message.answers) or next((name for _, name, _ in message.calls), "")


def _log1p(values: NDArray[Any]) -> NDArray[np.float64]:
    """To the last digit the same on any machine, as numpy's isn't."""
    import numpy as np

    return np.array(list(map(math.log1p, values.tolist())))


@lru_cache(maxsize=1_000)
def _writes(tool: str) -> bool:
    return _WRITES.search(tool) is not None


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
