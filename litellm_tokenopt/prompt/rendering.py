"""Write out what was chosen: the prompt's texts without the rest, and references for later questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from ..tokens import count_text
from .choice import Picked
from .outline import Outline, Profile, plain_title

LEFT_OUT = "[Sections left out here: "
REFERENCE = "[Reference from the instructions, for the next question]\n"
GAP = "[…]\n"
LIST_TOKENS = 125
NAME_CHARS = 48
IN_PART = " (in part)"


def render(outline: Outline, picked: Picked, document: int | None = None) -> str:
    """The picked blocks in their order, under their headings; of one text of the prompt, or of all."""
    pieces: list[str] = []
    said = _said(outline, picked)
    for i in _shown(outline, picked):
        if document is None or outline.document[i] == document:
            _write(pieces, _section_text(outline, picked, said, i))
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


def has_left_out(text: str) -> bool:
    """Whether *text* ends with the line of `left_out`: it was written by this module."""
    last = text.rstrip().rpartition("\n")[2]
    return last.startswith(LEFT_OUT) and last.endswith("]")


def _shown(outline: Outline, picked: Picked) -> list[int]:
    """Sections to write: those with a picked block, what encloses them, and the closing tags of both."""
    open_ = {step for section, _ in picked for step in outline.paths[section]}
    return [
        i
        for i, section in enumerate(outline.sections)
        if (section.parent in open_ if section.kind == "close" else i in open_)
    ]


def _section_text(outline: Outline, picked: Picked, said: Container[int | None], i: int) -> Iterator[str]:
    found = outline.profiles[i]
    yield found.heading
    chosen = [b for b in range(len(found.blocks)) if (i, b) in picked]
    yield from _lines(found, chosen)
    gone = [(i, b) for b in range(len(found.blocks)) if (i, b) not in picked]
    if chosen and any(outline.repeated.get(place) not in said for place in gone):
        yield GAP


def _lines(found: Profile, chosen: Sequence[int]) -> Iterator[str]:
    """The texts of the *chosen* blocks; sentences of one line stay in one."""
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
    sent = {step for section, _ in picked for step in outline.paths[section]}
    said = _said(outline, picked)
    titles = Counter(plain_title(section.title) for section in outline.sections if section.kind != "close")
    whole = {i for i in range(len(outline.sections)) if i not in sent and outline.sections[i].kind != "close"}
    for i in range(len(outline.sections)):
        count = len(outline.profiles[i].blocks)
        if count and all(outline.repeated.get((i, b)) in said for b in range(count)):
            continue
        if i in whole and not whole.intersection(outline.paths[i][:-1]):
            yield _name(outline, i, titles)
        elif i in sent and any((i, b) not in picked and outline.repeated.get((i, b)) not in said for b in range(count)):
            yield _name(outline, i, titles).removesuffix(IN_PART) + IN_PART


def _name(outline: Outline, i: int, titles: Mapping[str, int]) -> str:
    """What a section is called; one that shares its heading with others is a part of what it stands under."""
    path = outline.paths[i]
    told = next((n for n in reversed(path) if titles[plain_title(outline.sections[n].title)] == 1), i)
    return _short(outline.sections[told].title or "text") + ("" if told == i else IN_PART)


def _said(outline: Outline, picked: Picked) -> Container[int | None]:
    """The groups of repeated blocks of which one is picked."""
    return {group for place, group in outline.repeated.items() if place in picked}


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARS else name[: NAME_CHARS - 1].rstrip() + "…"
