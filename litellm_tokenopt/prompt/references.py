"""Which sections the text of others refers to: by number ("see Section 4.2") or by heading ("see Refund limits")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .sections import Section
from .words import has_any

_NUMBER = re.compile(
    r"(?:\b(?:sections?|chapters?|parts?|steps? of|rules? of|abschnitt|kapitel|secci[oó]n|sezione|seção)|§+)\s*"
    r"[\"“'*`(]*(\d{1,2}(?:\.\d{1,3})*|[IVX]{1,5}\b)",
    re.IGNORECASE,
)
_NUMBER_SIGNS = ("section", "chapter", "part", "step", "rule", "abschnitt", "kapitel", "secci", "sezione", "seç", "§")
_DOTTED = re.compile(
    r"\b(?:see|cf\.|follow(?:ing|s)?|according to|siehe|voir|ver|véase)[ \t]+"
    r"[\"“'*`(]*(\d{1,2}(?:\.\d{1,3})+)(?![\d.]*\d)",
    re.IGNORECASE,
)
"""A number by itself that can only be a part's where parts are numbered: "see 4.1"."""
_NAMED_TAG = re.compile(r"<([A-Za-z][\w:.-]*)>")
_OWN_NUMBER = re.compile(r"(?:\w+\s+)?(\d{1,2}(?:\.\d{1,3})*|[IVX]{1,5}\b)[.):\s]")
_HAS_DOTTED = re.compile(r"\d\.\d")
_POINTS = re.compile(
    r"(?:see|under|per|follow(?:ing|s)?|as (?:in|described|set out|defined)|refer(?:s)? to|according to"
    r"|rules (?:of|in)|limits? in|listed in|siehe|ver|voir|véase)\b"
)
"""Looked for in small letters, and taken where a word begins: a first character is what makes a pattern fast."""
_WORD_SPLIT = re.compile(r"[^\w]+")
REACH_CHARS = 90
"""A heading is referred to where it stands so near behind a word that points."""


@dataclass(frozen=True, slots=True)
class Pointers:
    """What in a text may refer to sections: numbers behind a word for a section, numbers with dots, tags; the words
    behind what points."""

    numbers: tuple[str, ...]
    dotted: tuple[str, ...]
    tags: tuple[str, ...]
    near: tuple[str, ...]


def pointers(text: str) -> Pointers | None:
    """What in *text* may refer to sections of whatever prompt it's in; None where nothing does."""
    numbers = tuple(_NUMBER.findall(text)) if has_any(text, _NUMBER_SIGNS) else ()
    dotted = tuple(_DOTTED.findall(text)) if _HAS_DOTTED.search(text) else ()
    tags = tuple(name for name in _NAMED_TAG.findall(text) if f"</{name}>" not in text)
    near = tuple(_near(text.casefold()))
    return Pointers(numbers, dotted, tags, near) if numbers or dotted or tags or near else None


def references(
    sections: Sequence[Section], pointing: Iterable[tuple[tuple[int, int], Pointers]]
) -> Mapping[tuple[int, int], tuple[int, ...]]:
    """For each (section, block) that refers to other sections, those; *pointing* are the blocks that may."""
    numbers = dict(_numbers(sections))
    tags = {section.title: i for i, section in enumerate(sections) if section.kind == "tag"}
    titles = {f" {plain} ": i for i, section in enumerate(sections) if " " in (plain := _plain(section.title))}
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for place, told in pointing:
        to = [numbers[number] for number in told.numbers if number in numbers]
        to += [numbers[part] for number in told.dotted if (part := _known(number, numbers))]
        to += [tags[name] for name in told.tags if name in tags]
        to += [i for near in told.near for title, i in titles.items() if title in near]
        if others := tuple(dict.fromkeys(n for n in to if n != place[0])):
            found[place] = others
    return found


def _numbers(sections: Sequence[Section]) -> Iterator[tuple[str, int]]:
    for i, section in enumerate(sections):
        if match := _OWN_NUMBER.match(section.title + " "):
            yield match[1], i


def _known(number: str, numbers: Mapping[str, int]) -> str:
    """*number*, or the number of the part that it is in, as far as there is a heading of it."""
    while number and number not in numbers:
        number = number.rpartition(".")[0]
    return number


def _near(text: str) -> Iterator[str]:
    """The words behind each one of *text*, in small letters, that points."""
    for match in _POINTS.finditer(text):
        if not (match.start() and (text[match.start() - 1].isalnum() or text[match.start() - 1] == "_")):
            yield f" {_plain(text[match.end() : match.end() + REACH_CHARS])} "


def _plain(text: str) -> str:
    return " ".join(_WORD_SPLIT.split(text.casefold())).strip()
