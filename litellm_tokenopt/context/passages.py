"""A text as passages that may be left out one by one, and the text written again without some of them.

Passages are about `PASSAGE_CHARS` long and verbatim; what is written again keeps their order, closes its code fences,
and stays valid JSON if it was. `kinds.read` makes a `Document` of a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .weighing import Line

PASSAGE_CHARS = 320

Form: TypeAlias = Literal["text", "fence", "list", "dict", "string"]
Kind: TypeAlias = Literal["json", "log", "code", "diff", "markup", "shell", "prose"]

# A set of characters at a pattern's begin is what it's quickly searched for by. Stops are tried from the first of a
# run alone: a line of dots would else be read once for each dot.
_SENTENCE_END = re.compile(
    r"[.!?…\u3002\uff01\uff1f](?:(?<=[.!?…])(?<![.!?…].)[.!?…]*+[\"')\]]*+\s+"
    r"|(?<=[\u3002\uff01\uff1f])[\u3002\uff01\uff1f]*\s*)",
    re.DOTALL,
)
_CHUNK = re.compile(rf".{{1,{PASSAGE_CHARS}}}(?:\s+|\Z)|.{{1,{PASSAGE_CHARS}}}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a text, verbatim: its place among the text's passages, and of how many lines or rows it is."""

    number: int
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Branch:
    """Passages that belong together: a code block, a JSON container, or the whole text.

    `head` goes before the parts if any of them is written, `tail` behind them. `what` names the parts in a mark that
    stands for some of them ("rows", "lines"); empty where they have no name.
    """

    form: Form
    parts: tuple[Passage | Branch, ...]
    head: str = ""
    tail: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """What was left out at one place: characters, and how many of *what*."""

    chars: int
    count: int = 0
    what: str = ""


Mark: TypeAlias = Callable[[Gap], str]


@dataclass(frozen=True, slots=True)
class Document:
    """A text as passages.

    `weights` tell of each passage how much its kind speaks for it (errors, signatures) or against it (repeats, blobs);
    0 where it says nothing. `chars` is the length of what came in. `notes` are said behind passages, by number, where
    others are left out: they tell of those.
    """

    root: Branch
    passages: tuple[str, ...]
    weights: tuple[float, ...]
    chars: int
    kind: Kind
    notes: Mapping[int, str]

    def sizes(self) -> Iterator[int]:
        """Characters of each passage, its note included."""
        return (len(passage) + len(self.notes.get(number, "")) for number, passage in enumerate(self.passages))

    def render(self, kept: Collection[int], mark: Mark) -> str:
        """The text with the passages numbered in *kept* alone; ``mark(gap)`` stands for each gap."""
        return _Writing(kept, mark, self.notes if len(set(kept)) < len(self.passages) else {}).write(self.root)


class Shelf:
    """Numbers passages as they are put on it."""

    def __init__(self) -> None:
        self.passages: list[str] = []
        self.weights: list[float] = []
        self.notes: dict[int, str] = {}

    def put(self, text: str, weight: float = 0.0, count: int = 1) -> Passage:
        self.passages.append(text)
        self.weights.append(weight)
        return Passage(len(self.passages) - 1, text, count)

    def clear(self) -> None:
        self.passages.clear()
        self.weights.clear()
        self.notes.clear()

    def document(self, root: Branch, chars: int, kind: Kind) -> Document:
        return Document(root, tuple(self.passages), tuple(self.weights), chars, kind, dict(self.notes))

    def lines(self, lines: Iterable[Line]) -> list[Passage]:
        """Passages of lines side by side, each of one weight and a note at its end; long lines are split."""
        passages = []
        for text, weight, count, note in _groups(lines):
            passages.append(self.put(text, weight, count))
            if note:
                self.notes[passages[-1].number] = note
        return passages


def _groups(lines: Iterable[Line]) -> Iterator[tuple[str, float, int, str]]:
    """(text, weight, lines, note) of what stands side by side and weighs the same, joined up to a passage's length; a
    line with a note stands by itself."""
    group, weight, count, noted = "", 0.0, 0, ""
    for line, weighs, note in lines:
        for piece in _pieces(line):
            if group and (note or noted or weighs != weight or len(group) + len(piece) > PASSAGE_CHARS):
                yield group, weight, count, noted
                group, count, noted = "", 0, ""
            group, weight = group + piece, weighs
        count, noted = count + 1, note
    if group:
        yield group, weight, max(1, count), noted


def _pieces(line: str) -> Iterator[str]:
    """The line; of a long one its sentences; of long sentences their words, some at a time."""
    if len(line) <= PASSAGE_CHARS:
        yield line
        return
    for sentence in _sentences(line):
        if len(sentence) <= PASSAGE_CHARS:
            yield sentence
        else:
            yield from _CHUNK.findall(sentence)


def _sentences(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        found = _SENTENCE_END.search(text, start + 1)
        end = found.end() if found else len(text)
        yield text[start:end]
        start = end


# --- writing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writes a text with the passages *kept* alone."""

    kept: Collection[int]
    mark: Mark
    notes: Mapping[int, str]

    def write(self, branch: Branch) -> str:
        written = list(self._parts(branch))
        if branch.form == "string":
            return branch.head + json.dumps("".join(written), ensure_ascii=False)
        return branch.head + ("," if branch.form in ("list", "dict") else "").join(written) + branch.tail

    def _parts(self, branch: Branch) -> Iterator[str]:
        """The parts that are kept, and a mark for each run of others (in a JSON object: one for all)."""
        chars = count = 0
        for part in branch.parts:
            text = self._part(part)
            if text is None:
                chars, count = chars + _chars(part), count + _count(part)
                continue
            if chars and branch.form != "dict":
                yield self._gap(branch, chars, count) + ("\n" if branch.form not in ("list", "dict") else "")
                chars = count = 0
            yield text
        if chars:
            yield self._gap(branch, chars, count)

    def _part(self, part: Passage | Branch) -> str | None:
        if isinstance(part, Passage):
            return part.text + self.notes.get(part.number, "") if part.number in self.kept else None
        return self.write(part) if any(number in self.kept for number in _numbers(part)) else None

    def _gap(self, branch: Branch, chars: int, count: int) -> str:
        text = self.mark(Gap(chars, count if branch.what else 0, branch.what))
        if branch.form == "list":
            return json.dumps(text, ensure_ascii=False)
        return f'"…":{json.dumps(text, ensure_ascii=False)}' if branch.form == "dict" else text


def _numbers(part: Passage | Branch) -> Iterator[int]:
    if isinstance(part, Passage):
        yield part.number
    else:
        for inner in part.parts:
            yield from _numbers(inner)


def _chars(part: Passage | Branch) -> int:
    return len(part.text) if isinstance(part, Passage) else sum(map(_chars, part.parts))


def _count(part: Passage | Branch) -> int:
    return part.count if isinstance(part, Passage) else 1
