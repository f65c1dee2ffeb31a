"""Write out what was chosen: the prompt's texts without the rest, and references for later questions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import chain

from ..tokens import count_text
from .choice import Picked
from .outline import IN_PART, Outline, by_section
from .profiles import Profile

LEFT_OUT = "[Sections left out here: "
GAP = "[…]\n"
LIST_TOKENS = 125
_LISTED, _QUOTES = re.compile(r"[;\n]|, "), " \t\"'`#*[]"
NONE: Set[int] = frozenset()


def render(outline: Outline, picked: Picked, document: int | None = None, gap: str = GAP) -> str:
    """The picked blocks in their order, under their headings; of one text of the prompt, or of all.

    *gap* ends a section that isn't whole.
    """
    pieces: list[str] = []
    chosen, said = by_section(picked), outline.said(picked)
    for i in _shown(outline, chosen):
        if document is None or outline.document[i] == document:
            _write(pieces, _section_text(outline, chosen.get(i, NONE), said, i, gap))
    return "".join(pieces)


def left_out(outline: Outline, picked: Picked) -> str:
    """One line that names what is not sent, at most about 135 tokens; "" when all is."""
    names = list(dict.fromkeys(_left_out_names(outline, picked)))
    if not names:
        return ""
    listed: list[str] = []
    room = LIST_TOKENS - count_text(LEFT_OUT)
    for n, name in enumerate(names):
        room -= count_text(f"; {name}")
        if room < 0:
            listed.append(f"and {len(names) - n} more")
            break
        listed.append(name)
    return f"{LEFT_OUT}{'; '.join(listed)}]"


def named_in(outline: Outline, query: str) -> list[int]:
    """The sections that *query* lists by the names of `left_out`, and those below them; empty where it says more."""
    wanted = {name.removesuffix(IN_PART) for part in _LISTED.split(query) if (name := part.strip(_QUOTES).casefold())}
    names = [name.removesuffix(IN_PART).casefold() for name in outline.names]
    if not wanted <= set(names):
        return []
    found = {i for i, name in enumerate(names) if name in wanted}
    return [i for i, steps in enumerate(outline.paths) if not found.isdisjoint(steps)]


def has_left_out(text: str) -> bool:
    """Whether *text* ends with the line of `left_out`: it was written by this module."""
    found = text.rstrip()
    return found.endswith("]") and found.startswith(LEFT_OUT, found.rfind("\n") + 1)


def _shown(outline: Outline, chosen: Iterable[int]) -> list[int]:
    """Sections to write: the *chosen* ones, what encloses them, and the closing tags of both."""
    open_ = _sent(outline, chosen)
    return [
        i
        for i, section in enumerate(outline.sections)
        if (section.parent in open_ if section.kind == "close" else i in open_)
    ]


def _sent(outline: Outline, chosen: Iterable[int]) -> set[int]:
    """The *chosen* sections and those around them."""
    return set(chain.from_iterable(outline.paths[section] for section in chosen))


def _section_text(outline: Outline, chosen: Set[int], said: Set[int], i: int, gap: str) -> Iterator[str]:
    found = outline.profiles[i]
    yield found.heading
    if chosen:
        yield from _lines(found, sorted(chosen))
        if _lacks(outline, i, chosen, said):
            yield gap


def _lacks(outline: Outline, i: int, chosen: Set[int], said: Set[int]) -> bool:
    """Whether a block of a section is neither *chosen* nor *said* elsewhere."""
    count = len(outline.profiles[i].sizes)
    if len(chosen) == count:
        return False
    groups = outline.repeated.get(i)
    return not groups or any(groups.get(b) not in said for b in range(count) if b not in chosen)


def _lines(found: Profile, chosen: Sequence[int]) -> Iterator[str]:
    """The texts of the *chosen* blocks; sentences of one line stay in one."""
    if not found.runs_on:
        yield from (found.blocks[b].text for b in chosen)
        return
    line, begun = "", 0
    for b in chosen:
        begins = b
        while found.blocks[begins].runs_on:
            begins -= 1
        if line and begins != begun:
            yield line
            line = ""
        line, begun = line + found.blocks[b].text, begins
    if line:
        yield line


def _write(pieces: list[str], texts: Iterator[str]) -> None:
    """Append *texts*, each begun on a line of its own."""
    for text in texts:
        if text and pieces and not pieces[-1].endswith("\n"):
            pieces.append("\n")
        if text:
            pieces.append(text)


def _left_out_names(outline: Outline, picked: Picked) -> Iterator[str]:
    """Headings of sections that are not sent; where nothing under a heading is, that heading alone."""
    chosen, said = by_section(picked), outline.said(picked)
    sent = _sent(outline, chosen)
    for i, section in enumerate(outline.sections):
        if i in sent:
            if _lacks(outline, i, chosen.get(i, NONE), said):
                yield outline.names[i].removesuffix(IN_PART) + IN_PART
        elif (
            section.kind != "close"
            and (section.parent is None or section.parent in sent)
            and (not outline.profiles[i].blocks or _lacks(outline, i, NONE, said))
        ):
            yield outline.names[i]
