"""Which sections the text of others refers to: by number ("see Section 4.2") or by heading ("see Refund limits")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .sections import Section

_NUMBER = re.compile(
    r"(?:\b(?:sections?|chapters?|parts?|steps? of|rules? of|abschnitt|kapitel|secci[oó]n|sezione|seção)|§+)\s*"
    r"[\"“'*`(]*(\d{1,2}(?:\.\d{1,3})*|[IVX]{1,5}\b)",
    re.IGNORECASE,
)
_DOTTED = re.compile(
    r"\b(?:see|cf\.|follow(?:ing|s)?|according to|siehe|voir|ver|véase)[ \t]+"
    r"[\"“'*`(]*(\d{1,2}(?:\.\d{1,3})+)(?![\d.]*\d)",
    re.IGNORECASE,
)
"""A number by itself that can only be a part's where parts are numbered: "see 4.1"."""
_NAMED_TAG = re.compile(r"<([A-Za-z][\w:.-]*)>")
_OWN_NUMBER = re.compile(r"(?:\w+\s+)?(\d{1,2}(?:\.\d{1,3})*|[IVX]{1,5}\b)[.):\s]")
_POINTS = re.compile(
    r"\b(?:see|under|per|follow(?:ing|s)?|as (?:in|described|set out|defined)|refer(?:s)? to|according to"
    r"|rules (?:of|in)|limits? in|listed in|siehe|ver|voir|véase)\b",
    re.IGNORECASE,
)
_WORD_SPLIT = re.compile(r"[^\w]+")
REACH_CHARS = 90
"""A heading is referred to where it stands so near behind a word that points."""


def references(
    sections: Sequence[Section], texts: Sequence[Sequence[str]]
) -> Mapping[tuple[int, int], tuple[int, ...]]:
    """For each (section, block) that refers to other sections, those; *texts* are each section's blocks."""
    numbers = dict(_numbers(sections))
    tags = {section.title: i for i, section in enumerate(sections) if section.kind == "tag"}
    titles = {plain: i for i, section in enumerate(sections) if len((plain := _plain(section.title)).split()) >= 2}
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for i, blocks in enumerate(texts):
        for b, text in enumerate(blocks):
            to = [numbers[number] for number in _NUMBER.findall(text) if number in numbers]
            to += [numbers[part] for number in _DOTTED.findall(text) if (part := _known(number, numbers))]
            to += [tags[name] for name in _NAMED_TAG.findall(text) if name in tags and f"</{name}>" not in text]
            to += _by_title(text, titles)
            if others := tuple(dict.fromkeys(n for n in to if n != i)):
                found[i, b] = others
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


def _by_title(text: str, titles: Mapping[str, int]) -> list[int]:
    found = []
    for match in _POINTS.finditer(text):
        near = f" {_plain(text[match.end() : match.end() + REACH_CHARS])} "
        found += [i for title, i in titles.items() if f" {title} " in near]
    return found


def _plain(text: str) -> str:
    return " ".join(_WORD_SPLIT.split(text.casefold())).strip()
