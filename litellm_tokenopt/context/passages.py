"""Split a text into passages that may be left out one by one, and write it again without some of them.

A text is read as JSON, or as fenced code and lines and sentences. Passages are about `PASSAGE_CHARS` long and
verbatim; what is written again keeps their order, closes its code fences, and stays valid JSON if it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

PASSAGE_CHARS = 320
JSON_DEPTH = 8
"""Deeper containers are one passage each."""

Mark: TypeAlias = Callable[[int], str]
Kind: TypeAlias = Literal["text", "fence", "list", "dict", "string"]

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*(?:\n|\Z)|\Z)", re.MULTILINE | re.DOTALL)
_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"')\]]*\s+|[\u3002\uff01\uff1f]+\s*|\Z)", re.DOTALL)
_CHUNK = re.compile(rf".{{1,{PASSAGE_CHARS}}}(?:\s+|\Z)|.{{1,{PASSAGE_CHARS}}}", re.DOTALL)
_BLANK = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a text, verbatim. `number` is its place among the text's passages."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Passages that belong together: a code block, a JSON container, or the whole text.

    `head` goes before the parts if any of them is written, `tail` behind them.
    """

    kind: Kind
    parts: tuple[Passage | Branch, ...]
    head: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A text as passages."""

    root: Branch
    passages: tuple[str, ...]
    chars: int

    def render(self, kept: Collection[int], mark: Mark) -> str:
        """The text with the passages numbered in *kept* alone; ``mark(chars)`` stands for each gap."""
        return _write(self.root, kept, mark)


def read(text: str) -> Document:
    """*text* as passages."""
    reader = _Reader()
    root = reader.json(text) or Branch("text", reader.prose(text))
    return Document(root, tuple(reader.passages), len(text))


class _Reader:
    """Numbers the passages as it finds them."""

    def __init__(self) -> None:
        self.passages: list[str] = []

    def passage(self, text: str) -> Passage:
        self.passages.append(text)
        return Passage(len(self.passages) - 1, text)

    def prose(self, text: str) -> tuple[Passage | Branch, ...]:
        """Fenced code, and what stands between it."""
        parts: list[Passage | Branch] = []
        end = 0
        for match in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
            parts += self.lines(text[end : match.start()])
            parts.append(self.fence(match.group()))
            end = match.end()
        return (*parts, *self.lines(text[end:]))

    def fence(self, block: str) -> Passage | Branch:
        lines = block.splitlines(keepends=True)
        if len(block) <= PASSAGE_CHARS or len(lines) < 3:
            return self.passage(block)
        closed = lines[-1].strip() in ("```", "~~~")
        inner, tail = (lines[1:-1], lines[-1]) if closed else (lines[1:], "")
        return Branch("fence", tuple(self.lines("".join(inner))), lines[0], tail)

    def lines(self, text: str) -> list[Passage]:
        return [self.passage(group) for group in _groups(_pieces(text))]

    def json(self, text: str) -> Branch | None:
        """*text* as JSON; None when it isn't a JSON container, or too short to be worth it."""
        start = _blank(text, 0)
        if len(text) <= PASSAGE_CHARS or text[start : start + 1] not in ("{", "["):
            return None
        try:
            _, end = _decoder.raw_decode(text, start)
            if _blank(text, end) != len(text):
                return None
            node = self.value(text, start, end, "", JSON_DEPTH)
        except (ValueError, RecursionError):
            self.passages.clear()
            return None
        return node if isinstance(node, Branch) else Branch("text", (node,))

    def value(self, text: str, start: int, end: int, key: str, depth: int) -> Passage | Branch:
        """The JSON value at ``text[start:end]``, written behind *key* (``"name": `` or nothing)."""
        first = text[start]
        if end - start <= PASSAGE_CHARS or depth == 0 or first not in '{["':
            return self.passage(key + text[start:end])
        if first == '"':
            return Branch("string", self.prose(json.loads(text[start:end])), key)
        kind: Kind = "dict" if first == "{" else "list"
        members = _members(text, start, kind)
        return Branch(kind, tuple(self.members(text, members, depth - 1)), key + first, text[end - 1])

    def members(self, text: str, members: list[tuple[int, int, int]], depth: int) -> Iterator[Passage | Branch]:
        """Small members side by side share a passage; a large one is a branch of its own."""
        group: tuple[int, int] | None = None
        for start, value, end in members:
            large = end - start > PASSAGE_CHARS
            if group is not None and (large or end - group[0] > PASSAGE_CHARS):
                yield self.passage(text[group[0] : group[1]])
                group = None
            if large:
                yield self.value(text, value, end, text[start:value], depth)
            else:
                group = (group[0] if group else start, end)
        if group is not None:
            yield self.passage(text[group[0] : group[1]])


def _pieces(text: str) -> Iterator[str]:
    """Lines; of long lines their sentences; of long sentences their words, some at a time."""
    for line in text.splitlines(keepends=True):
        if len(line) <= PASSAGE_CHARS:
            yield line
            continue
        for sentence in _SENTENCE.findall(line):
            if len(sentence) <= PASSAGE_CHARS:
                yield sentence
            else:
                yield from _CHUNK.findall(sentence)


def _groups(pieces: Iterator[str]) -> Iterator[str]:
    """Pieces side by side, joined up to a passage's length."""
    group = ""
    for piece in pieces:
        if group and len(group) + len(piece) > PASSAGE_CHARS:
            yield group
            group = ""
        group += piece
    if group:
        yield group


def _blank(text: str, start: int) -> int:
    match = _BLANK.match(text, start)
    return match.end() if match else start


def _members(text: str, start: int, kind: Kind) -> list[tuple[int, int, int]]:
    """(start, start of the value, end) of each member of the JSON container at *start*."""
    members = []
    place = _blank(text, start + 1)
    while text[place] not in "]}":
        value = place
        if kind == "dict":
            _, end = _decoder.raw_decode(text, place)
            value = _blank(text, _blank(text, end) + 1)
        _, end = _decoder.raw_decode(text, value)
        members.append((place, value, end))
        place = _blank(text, end)
        if text[place] == ",":
            place = _blank(text, place + 1)
    return members


def _write(branch: Branch, kept: Collection[int], mark: Mark) -> str:
    written = list(_parts(branch, kept, mark))
    if branch.kind == "string":
        return branch.head + json.dumps("".join(written), ensure_ascii=False)
    return branch.head + (", " if branch.kind in ("list", "dict") else "").join(written) + branch.tail


def _parts(branch: Branch, kept: Collection[int], mark: Mark) -> Iterator[str]:
    """The parts that are kept, and a mark for each run of others (in a JSON object: one for all)."""
    gap = 0
    for part in branch.parts:
        text = _written(part, kept, mark)
        if text is None:
            gap += _chars(part)
            continue
        if gap and branch.kind != "dict":
            yield _gap(branch.kind, mark(gap)) + ("\n" if branch.kind not in ("list", "dict") else "")
            gap = 0
        yield text
    if gap:
        yield _gap(branch.kind, mark(gap))


def _written(part: Passage | Branch, kept: Collection[int], mark: Mark) -> str | None:
    if isinstance(part, Passage):
        return part.text if part.number in kept else None
    return _write(part, kept, mark) if any(number in kept for number in _numbers(part)) else None


def _gap(kind: Kind, mark: str) -> str:
    if kind == "list":
        return json.dumps(mark, ensure_ascii=False)
    return f'"…": {json.dumps(mark, ensure_ascii=False)}' if kind == "dict" else mark


def _numbers(part: Passage | Branch) -> Iterator[int]:
    if isinstance(part, Passage):
        yield part.number
    else:
        for inner in part.parts:
            yield from _numbers(inner)


def _chars(part: Passage | Branch) -> int:
    return len(part.text) if isinstance(part, Passage) else sum(map(_chars, part.parts))
