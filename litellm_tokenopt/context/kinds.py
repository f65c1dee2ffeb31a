"""What kind of text it is, told by its content alone, and the passages that follow from that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from . import records, weighing
from .markup import is_page, main_text
from .passages import PASSAGE_CHARS, Branch, Document, Kind, Passage, Shelf
from .plain import LOOKED_AT_CHARS, plain_kind, weighed

LEAST_JSON_CHARS = 200
"""Shorter JSON is left as it is."""

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*(?:\n|\Z)|\Z)", re.MULTILINE | re.DOTALL)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_PROGRESS = re.compile(
    r"\d ?%|\d\s?(?:/|of)\s?\d|[=#\u2500-\u259f]{3}|\.{3}|\d ?[kmgt]?i?b\b"
    r"|^\s*[|/\\\u2800-\u28ff-]\s|\s[|/\\\u2800-\u28ff-]\s*$",
    re.IGNORECASE,
)
_PROGRESS_WORD = re.compile(r"(?<![^\W\d_])(?!(?:[kmgt]?i?b|ms|min|sec)(?![^\W\d_]))[^\W\d_]{2,}", re.IGNORECASE)
"""What doesn't change while it goes on: words, but of no unit."""

_OVERWRITES = re.compile(r"\r[^\r\n]")


def kind_of(text: str) -> Kind:
    """The kind of *text*, by its content. Short texts are prose."""
    if len(text) <= PASSAGE_CHARS:
        return "prose"
    if records.is_json(text):
        return "json"
    beginning = text[:LOOKED_AT_CHARS]
    if is_page(beginning):
        return "markup"
    if _has_fences(beginning) and _FENCE.search(beginning):
        return "prose"
    return plain_kind(text)


def condense(text: str) -> str:
    """The same content in fewer characters: JSON without white space and with tables, a terminal's final screen.

    Idempotent. What a program or a person may need verbatim (code, logs, prose) stays as it is.
    """
    if "\x1b" in text or _OVERWRITES.search(text):
        return "\n".join(map(_shown, _unescaped(text).split("\n")))
    if len(text) < LEAST_JSON_CHARS or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return records.condense(text) if records.is_json(text) else records.condense_lines(text)
    except RecursionError:
        return text


def _unescaped(text: str) -> str:
    while (plain := _ESCAPE.sub("", text)) != text:
        text = plain
    return text


def _shown(line: str) -> str:
    """What was written over and over, as lines: of a progress its last state; returns at the end stay."""
    written = line.rstrip("\r")
    states = [state for state in written.split("\r") if state.strip()]
    if len(states) < 2:
        return (states[0] if states else "") + line[len(written) :]
    kept = [state for state, later in pairwise(states) if not _is_overwritten(state, later)]
    return "\n".join((*kept, states[-1])) + line[len(written) :]


def _is_overwritten(state: str, later: str) -> bool:
    """Whether *state* is a progress that *later* goes on with; lines of a log are none."""
    if _PROGRESS.search(state) is None or weighing.begins_as_log(state):
        return False
    return _PROGRESS_WORD.findall(state) == _PROGRESS_WORD.findall(later)


def read(text: str) -> Document:
    """*text* as passages. An HTML page is read as the text that it shows; every other passage is verbatim."""
    kind, shelf = kind_of(text), Shelf()
    if kind == "json":
        try:
            return shelf.document(records.read(text, shelf), len(text), kind)
        except (ArithmeticError, ValueError, RecursionError):
            shelf.clear()
    if kind == "markup":
        return shelf.document(_plain(main_text(text), "prose", shelf), len(text), kind)
    if kind != "prose":
        return shelf.document(_plain(text, kind, shelf), len(text), kind)
    return shelf.document(Branch("text", tuple(_fenced(text, shelf))), len(text), "prose")


def _plain(text: str, kind: Kind, shelf: Shelf) -> Branch:
    return Branch("text", tuple(shelf.lines(weighed(text, kind))), what="lines")


def _fenced(text: str, shelf: Shelf) -> Iterator[Passage | Branch]:
    """Prose, and code fences in it."""
    end = 0
    for match in _FENCE.finditer(text) if _has_fences(text) else ():
        yield from shelf.lines(weighed(text[end : match.start()], "prose"))
        yield _fence(match.group(), shelf)
        end = match.end()
    yield from shelf.lines(weighed(text[end:], "prose"))


def _has_fences(text: str) -> bool:
    """Whether it may have some, which is seen sooner without the pattern."""
    return "```" in text or "~~~" in text


def _fence(block: str, shelf: Shelf) -> Passage | Branch:
    lines = block.splitlines(keepends=True)
    if len(block) <= PASSAGE_CHARS or len(lines) < 3:
        return shelf.put(block)
    closed = lines[-1].strip() in ("```", "~~~")
    inner, tail = ("".join(lines[1:-1]), lines[-1]) if closed else ("".join(lines[1:]), "")
    return Branch("fence", tuple(shelf.lines(weighed(inner, kind_of(inner)))), lines[0], tail, "lines")
