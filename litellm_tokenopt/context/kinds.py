"""What kind of text it is, told by its content alone, and the passages that follow from that."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import records
from .markup import is_page, main_text
from .passages import PASSAGE_CHARS, Branch, Document, Kind, Passage, Shelf
from .plain import LOOKED_AT_CHARS, plain_kind, weighed

LEAST_JSON_CHARS = 200
"""Shorter JSON is left as it is."""

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*(?:\n|\Z)|\Z)", re.MULTILINE | re.DOTALL)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
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
    if _FENCE.search(beginning):
        return "prose"
    return plain_kind(text)


def condense(text: str) -> str:
    """The same content in fewer characters: JSON without white space and with tables, a terminal's final screen.

    Idempotent. What a program or a person may need verbatim (code, logs, prose) stays as it is.
    """
    if "\x1b" in text or _OVERWRITES.search(text):
        return "\n".join(map(_last_shown, _ESCAPE.sub("", text).split("\n")))
    if len(text) < LEAST_JSON_CHARS or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return records.condense(text) if records.is_json(text) else records.condense_lines(text)
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
        return shelf.document(_plain(main_text(text), "prose", shelf), len(text), kind)
    if kind != "prose":
        return shelf.document(_plain(text, kind, shelf), len(text), kind)
    return shelf.document(Branch("text", tuple(_fenced(text, shelf))), len(text), "prose")


def _plain(text: str, kind: Kind, shelf: Shelf) -> Branch:
    return Branch("text", tuple(shelf.lines(weighed(text, kind))), what="lines")


def _fenced(text: str, shelf: Shelf) -> Iterator[Passage | Branch]:
    """Prose, and code fences in it."""
    end = 0
    for match in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
        yield from shelf.lines(weighed(text[end : match.start()], "prose"))
        yield _fence(match.group(), shelf)
        end = match.end()
    yield from shelf.lines(weighed(text[end:], "prose"))


def _fence(block: str, shelf: Shelf) -> Passage | Branch:
    lines = block.splitlines(keepends=True)
    if len(block) <= PASSAGE_CHARS or len(lines) < 3:
        return shelf.put(block)
    closed = lines[-1].strip() in ("```", "~~~")
    inner, tail = ("".join(lines[1:-1]), lines[-1]) if closed else ("".join(lines[1:]), "")
    return Branch("fence", tuple(shelf.lines(weighed(inner, kind_of(inner)))), lines[0], tail, "lines")
