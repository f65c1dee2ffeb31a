"""What kind of text it is, told by its content alone, and the passages that follow from that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import records, weighing
from .markup import is_page, main_text
from .passages import PASSAGE_CHARS, Branch, Document, Kind, Passage, Shelf
from .weighing import Weighed

LOOKED_AT_CHARS = 20_000
"""A text's kind is told by so much of its beginning."""

LEAST_JSON_CHARS = 200
"""Shorter JSON is left as it is."""

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*(?:\n|\Z)|\Z)", re.MULTILINE | re.DOTALL)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_OVERWRITES = re.compile(r"\r[^\r\n]")

_WEIGHING: Mapping[Kind, Callable[[Sequence[str]], Iterator[Weighed]]] = {
    "log": weighing.weigh_log,
    "shell": weighing.weigh_shell,
    "code": weighing.weigh_code,
    "diff": weighing.weigh_diff,
}
_LOOKS: Mapping[Kind, Callable[[Sequence[str]], bool]] = {
    "diff": weighing.looks_like_diff,
    "log": weighing.looks_like_log,
    "code": weighing.looks_like_code,
    "shell": weighing.looks_like_shell,
}


def kind_of(text: str) -> Kind:
    """The kind of *text*, by its content. Short texts are prose."""
    if len(text) <= PASSAGE_CHARS:
        return "prose"
    if records.is_json(text):
        return "json"
    beginning = text[:LOOKED_AT_CHARS]
    if is_page(beginning):
        return "markup"
    if _FENCE.search(beginning):
        return "prose"
    lines = beginning.splitlines()
    return next((kind for kind, looks in _LOOKS.items() if looks(lines)), "prose")


def condense(text: str) -> str:
    """The same content in fewer characters: JSON without white space and with tables, a terminal's final screen.

    Idempotent. What a program or a person may need verbatim (code, logs, prose) stays as it is.
    """
    if "\x1b" in text or _OVERWRITES.search(text):
        return "\n".join(map(_last_shown, _ESCAPE.sub("", text).split("\n")))
    try:
        return records.condense(text) if len(text) >= LEAST_JSON_CHARS and records.is_json(text) else text
    except RecursionError:
        return text


def _last_shown(line: str) -> str:
    """What a terminal shows of a line that was written over and over; returns at its end stay."""
    written = line.rstrip("\r")
    return line[written.rfind("\r") + 1 :]


def read(text: str) -> Document:
    """*text* as passages. An HTML page is read as the text that it shows; every other passage is verbatim."""
    kind, shelf = kind_of(text), Shelf()
    if kind == "json":
        try:
            return shelf.document(records.read(text, shelf), len(text), kind)
        except (ArithmeticError, ValueError, RecursionError):
            shelf.clear()
    if kind == "markup":
        return shelf.document(_plain(main_text(text), weighing.weigh_prose, shelf), len(text), kind)
    if kind in _WEIGHING:
        return shelf.document(_plain(text, _WEIGHING[kind], shelf), len(text), kind)
    return shelf.document(Branch("text", tuple(_fenced(text, shelf))), len(text), "prose")


def _plain(text: str, weigh: Callable[[Sequence[str]], Iterator[Weighed]], shelf: Shelf) -> Branch:
    return Branch("text", tuple(shelf.lines(weigh(text.splitlines(keepends=True)))), what="lines")


def _fenced(text: str, shelf: Shelf) -> Iterator[Passage | Branch]:
    """Prose, and code fences in it."""
    end = 0
    for match in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
        yield from shelf.lines(weighing.weigh_prose(text[end : match.start()].splitlines(keepends=True)))
        yield _fence(match.group(), shelf)
        end = match.end()
    yield from shelf.lines(weighing.weigh_prose(text[end:].splitlines(keepends=True)))


def _fence(block: str, shelf: Shelf) -> Passage | Branch:
    lines = block.splitlines(keepends=True)
    if len(block) <= PASSAGE_CHARS or len(lines) < 3:
        return shelf.put(block)
    closed = lines[-1].strip() in ("```", "~~~")
    inner, tail = (lines[1:-1], lines[-1]) if closed else (lines[1:], "")
    weigh = _WEIGHING.get(kind_of("".join(inner)), weighing.weigh_prose)
    return Branch("fence", tuple(shelf.lines(weigh(inner))), lines[0], tail, "lines")
