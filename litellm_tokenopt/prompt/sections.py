"""Split a prompt into sections by its own structure, without losing a character.

Strong structure is used wherever it stands: markdown headings (``#`` and underlined ones), titles between rulers, and
tags on lines of their own. A text that has none is split at weak structure: bold or ALL-CAPS lines and numbered parts;
and where there's none of that either, at paragraphs; so is what is long under one heading. Code fences are never looked
into.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from .tags import kept_spans
from .words import sentences_of

Kind: TypeAlias = Literal["text", "heading", "tag", "close"]

LONG_TEXT_CHARS = 3_000
"""Text without a heading is cut into pieces when it's longer than this, about 700 tokens."""
PIECE_CHARS = 1_200
LONG_SECTION_CHARS = 12_000
"""Text under a heading is cut, at bold lines and the like or else into pieces, when it's longer than this: about 3,000
tokens, of which a question can't need all."""
LOWEST_LEVEL = 6
OPENING_CHARS = 500
"""The first piece is shorter: it says who the model is, and is sent in any case."""
INNER_TAG_CHARS = 600
"""A tag under a heading, or in a long tag, is a section from this size on; a smaller one is part of the text."""
WRAPPER_SHARE = 0.6
"""A tag round more than this share of a text is looked into."""
TITLE_CHARS = 60
DATA_CHARS = 1_500
"""A longer sentence is none, but data in one line, or a list without end: it's cut where its entries end."""

Spans: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (its line or lines, "" for text without one) and the text up to the next section.

    `title` is the heading in plain words, `parent` the place of the enclosing section among its siblings in the
    list, None at the top. A ``close`` section is a closing tag, whose `parent` is the section that it closes.
    """

    heading: str
    body: str
    title: str
    parent: int | None
    kind: Kind

    @property
    def text(self) -> str:
        return self.heading + self.body


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a section begins: the span of its heading, and the heading's level (1 is the highest)."""

    start: int
    end: int
    level: int
    title: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag on a line of its own: the line's span, the tag's name, and how far it's indented."""

    start: int
    end: int
    name: str
    indent: int


# Lines are searched for by the newline before them, in a text that was given one in front: a literal first
# character is what makes a regular expression fast.
_FENCE = re.compile(r"\n[ \t>]*(?:[-*] )?(`{3,}|~{3,})([^\n]*)")
_ATX = re.compile(r"\n {0,3}(#{1,6})[ \t]+(\S[^\n]*)")
_UNDERLINE = re.compile(r"\n(={3,}|-{3,})[ \t]*(?=\n|\Z)")
_UNDERLINED = re.compile(r"(?:\A|\n[ \t]*\n)(\w(?:[^\n|]{0,98}[^\s|.,:;!?])?)[ \t]*\Z")
_BANNER = re.compile(
    r"\n(?:([=*#~_─━═-])\1{4,}[ \t]*\n[ \t]*(?P<boxed>[^\w\n|{}<>]{0,4}\w[^\n|{}<>]{0,78}[^\s|{}<>.,;!?])[ \t]*\n\1{5,}"
    r"|([=*~─━═-])\3{2,}[ \t]+(?P<inline>\w[^\n|{}<>]{0,78}[^\s|{}<>.,;!?])[ \t]+\3{3,})[ \t]*(?=\n|\Z)"
)
_TAG = re.compile(r"\n([ \t]{0,8})<(/?)([A-Za-z][\w:.-]*)((?:\s[^<>\n]*)?)>[ \t]*(?=\n|\Z)")
_ONE_EXAMPLE = re.compile(r"example[_-]?\d*", re.IGNORECASE)
_HTML = frozenset(
    "html head body div span p a ul ol li table thead tbody tr td section main nav header footer form button script "
    "style svg template details".split()
)
_WEAK = re.compile(
    r"\n\n(?:"
    r"(?P<bold>\*\*[^*\n]{2,80}\*\*:?)"
    r"|(?P<number>\d{1,2}(?:\.\d{1,2})*[.)]?[ \t]+[A-Z][^\n.;,]{1,70}[^\s\n.;,])"
    r"|(?P<caps>[A-Z0-9][A-Z0-9 &/(),':_-]{3,80})"
    r")[ \t]*(?=\n)"
)
_WHOLE = re.compile(r"\A\s*[\[{]|```|~~~|<keep[\s>]|^[ \t]*(?:\||</?[A-Za-z])", re.MULTILINE)
_DATA = re.compile(r"\A\s*[\[{]")
_ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)])[ \t]")
_STOPS = tuple(map(re.compile, (r"[}\]],?\s*|>(?=<)", r"[;\uff1b]\s*", r"[,\uff0c\u3001]\s*", r"\s+")))
"""Where entries end: the strongest sign first."""


def split(text: str) -> tuple[Section, ...]:
    """The sections of *text*, in order; their texts joined are *text*."""
    fences = fences_of(text)
    marks = _strong_marks(text, fences)
    marks = _with_weak_marks(text, marks, fences) if marks else _weak_marks(text, fences)
    return tuple(_sections(text, marks))


def blocks(text: str) -> tuple[str, ...]:
    """*text* cut into paragraphs, list items, tables, code fences and tagged parts; joined they are *text*.

    Blank lines go with the block before them; indented lines with the item or paragraph that they continue; a line
    that announces what follows (it ends with a colon) with the block after it. A table behind a list is none of it.
    """
    fences = fences_of(text)
    pairs = _tag_pairs(text, fences)
    whole = [*fences, *((a.start, b.end) for a, b in pairs)]
    examples = {a.start for a, _ in pairs if _ONE_EXAMPLE.fullmatch(a.name)}
    starts = sorted(examples.union(_block_starts(text)))
    cuts = [0, *(cut for cut in starts if not _inside(cut, whole)), len(text)]
    return tuple(text[a:b] for a, b in itertools.pairwise(cuts) if a < b)


def _block_starts(text: str) -> Iterator[int]:
    margin = len(text) - len(text.lstrip()) - (text[: -len(text.lstrip()) or None].rfind("\n") + 1)
    position, seen, blank, opens, announces, listed = 0, False, False, False, False, False
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if bare:
            outer = len(line) - len(line.lstrip()) <= margin
            item = outer and bool(_ITEM.match(bare))
            begins = item or (bare[0] == bare[-1] == "|" and not opens)
            if outer and seen and (blank or (listed and begins)) and not announces:
                yield position
            opens = bare.rstrip("*_").endswith(":")
            announces = opens and not (item and listed and not blank)
            listed = item or (listed and not outer)
            seen = True
        blank = not bare
        position += len(line)


def path(sections: Sequence[Section], index: int) -> tuple[int, ...]:
    """The places of the sections that enclose *index*, outermost first, *index* last."""
    found = [index]
    while (parent := sections[found[-1]].parent) is not None:
        found.append(parent)
    return tuple(reversed(found))


def fences_of(text: str) -> list[tuple[int, int]]:
    """Spans of code fences, and of what users marked to be kept; one that is never closed is none."""
    spans = []
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer("\n" + text):
        if opened is None:
            opened = match
        elif match[1][0] == opened[1][0] and len(match[1]) >= len(opened[1]):
            if match[2].strip():  # one more begins: the one before was left open
                opened = match
            else:
                spans.append((opened.start(), match.end() - 1))
                opened = None
    return spans + kept_spans(text)


def _inside(position: int, spans: Spans) -> bool:
    return any(start < position < end for start, end in spans)


def _strong_marks(text: str, fences: Spans) -> list[_Mark]:
    found = [mark for mark in (*_headings(text), *_banners(text)) if not _inside(mark.start + 1, fences)]
    marks = list(_apart(sorted(found, key=lambda mark: mark.start)))
    first = min((mark.start for mark in marks), default=len(text))
    for opened, closed in _tag_pairs(text, fences):
        if _is_section(opened, closed, first):
            marks.append(_Mark(opened.start, opened.end, 0, _plain(opened.name), "tag"))
            marks.append(_Mark(closed.start, closed.end, 0, "", "close"))
    return sorted(marks, key=lambda mark: mark.start)


def _headings(text: str) -> Iterator[_Mark]:
    for m in _ATX.finditer("\n" + text):
        yield _Mark(m.start(), _line_end(text, m), len(m[1]), _plain(m[2]), "heading")
    for m in _UNDERLINE.finditer("\n" + text):
        before = text[max(0, m.start() - 103) : max(0, m.start() - 1)]
        title = _UNDERLINED.search(before)
        if title and (m.start() < 104 or title.start() > 0):
            start = m.start() - 1 - len(before) + title.start(1)
            yield _Mark(start, _line_end(text, m), 1 + (m[1][0] == "-"), _plain(title[1]), "heading")


def _apart(marks: Iterable[_Mark]) -> Iterator[_Mark]:
    """*marks*, in order, without those that begin in another: one ruler may seem to belong to two titles."""
    end = 0
    for mark in marks:
        if mark.start >= end:
            yield mark
            end = mark.end


def _banners(text: str) -> Iterator[_Mark]:
    """Titles between two rulers, above and below or before and behind."""
    for m in _BANNER.finditer("\n" + text):
        title = m["boxed"] or m["inline"]
        yield _Mark(m.start(), _line_end(text, m), 1 if m["boxed"] else 2, _plain(title), "heading")


def _line_end(text: str, match: re.Match[str]) -> int:
    """Where the line that *match* (in a text with a newline put in front) ends with is over, its newline included."""
    return min(match.end(), len(text))


def _is_section(opened: _Tag, closed: _Tag, first_heading: int) -> bool:
    """Tags before any heading are sections; under a heading the large ones are, but for examples."""
    inner = opened.start > first_heading
    return not inner or (closed.end - opened.start >= INNER_TAG_CHARS and not opened.name.lower().startswith("example"))


def _tag_pairs(text: str, fences: Spans) -> list[tuple[_Tag, _Tag]]:
    """Opening and closing tags that belong together: the outermost, and those right inside a long one or a wrapper.

    An indented tag counts inside another one.
    """
    found: list[tuple[_Tag, _Tag]] = []
    around: list[tuple[int, bool, bool]] = []
    for opened, closed in sorted(_all_pairs(text, fences), key=lambda pair: pair[0].start):
        while around and around[-1][0] <= opened.start:
            around.pop()
        _, is_open, wraps = around[-1] if around else (0, True, True)
        if is_open and (wraps or _is_large(opened, closed)) and (around or not opened.indent):
            found.append((opened, closed))
        wraps = wraps and closed.end - opened.start > WRAPPER_SHARE * len(text)
        around.append((closed.end, wraps or (is_open and closed.end - opened.start > LONG_TEXT_CHARS), wraps))
    return found


def _is_large(opened: _Tag, closed: _Tag) -> bool:
    """Whether a tag inside a long one is a section of its own."""
    return closed.end - opened.start >= INNER_TAG_CHARS and not _ONE_EXAMPLE.fullmatch(opened.name)


def _all_pairs(text: str, fences: Spans) -> list[tuple[_Tag, _Tag]]:
    pairs: list[tuple[_Tag, _Tag]] = []
    opened: list[_Tag] = []
    for closing, tag in _tags(text):
        if _inside(tag.start + 1, fences):
            continue
        if not closing:
            opened.append(tag)
        elif any(o.name == tag.name for o in opened):
            while opened[-1].name != tag.name:
                opened.pop()
            pairs.append((opened.pop(), tag))
    return [(a, b) for a, b in pairs if not (a.indent and a.name.lower() in _HTML)]


def _tags(text: str) -> Iterator[tuple[bool, _Tag]]:
    for m in _TAG.finditer("\n" + text):
        if not m[4].endswith("/"):
            yield bool(m[2]), _Tag(m.start(), _line_end(text, m), m[3], len(m[1]))


def _with_weak_marks(text: str, strong: Sequence[_Mark], fences: Spans) -> list[_Mark]:
    """*strong* marks, and weak ones of the lowest level within what is too long to be one section."""
    found: list[_Mark] = []
    for mark, end in zip(strong, [*(mark.start for mark in strong[1:]), len(text)], strict=True):
        found.append(mark)
        if end - mark.end > LONG_SECTION_CHARS:
            within = [(a - mark.end, b - mark.end) for a, b in fences]
            found += (
                replace(weak, start=weak.start + mark.end, end=weak.end + mark.end, level=weak.level + LOWEST_LEVEL)
                for weak in _weak_marks(text[mark.end : end], within)
            )
    return found


def _weak_marks(text: str, fences: Spans) -> list[_Mark]:
    """Headings without markup: of the first style that makes two sections or more."""
    found: dict[str, list[_Mark]] = {}
    for m in _WEAK.finditer("\n\n" + text):
        style, line = str(m.lastgroup), m[str(m.lastgroup)]
        if not _inside(m.start() + 1, fences) and (style != "caps" or sum(map(str.isalpha, line)) >= 4):
            level = line.split()[0].strip(".)").count(".") + 1 if style == "number" else 1
            mark = _Mark(m.start(), min(m.end() - 1, len(text)), level, _plain(line), "heading")
            found.setdefault(style, []).append(mark)
    return next((found[style] for style in ("caps", "number", "bold") if len(found.get(style, ())) >= 2), [])


def _sections(text: str, marks: Sequence[_Mark]) -> list[Section]:
    starts = [mark.start for mark in marks] + [len(text)]
    found = list(_untitled(text[: starts[0]], None))
    open_: list[tuple[int, _Mark]] = []
    for mark, end in zip(marks, starts[1:], strict=True):
        heading, body = text[mark.start : mark.end], text[mark.end : end]
        if mark.kind == "close":
            opener = _close(open_)
            blank = body[: len(body) - len(body.lstrip())]
            found.append(Section(heading, blank, "", opener, "close"))
            found += _untitled(body[len(blank) :], _innermost(open_))
        else:
            while mark.kind == "heading" and open_ and _ends(open_[-1][1], mark):
                open_.pop()
            first, *rest = _parts(body)
            found.append(Section(heading, first, mark.title, _innermost(open_), mark.kind))
            place = len(found) - 1
            open_.append((place, mark))
            found += [Section("", part, _first_words(part), place, "text") for part in rest]
    return found


def _ends(before: _Mark, heading: _Mark) -> bool:
    """Whether *heading* ends the section that *before* began."""
    return before.kind == "heading" and before.level >= heading.level


def _close(open_: list[tuple[int, _Mark]]) -> int | None:
    """End the innermost tag and all in it; its place."""
    while open_:
        place, mark = open_.pop()
        if mark.kind == "tag":
            return place
    return None


def _innermost(open_: Sequence[tuple[int, _Mark]]) -> int | None:
    return open_[-1][0] if open_ else None


def _untitled(text: str, parent: int | None) -> Iterator[Section]:
    """Text without a heading, in pieces of some paragraphs when it's long; later pieces are named by their start."""
    if not text:
        return
    if len(text) <= LONG_TEXT_CHARS:
        yield Section("", text, "", parent, "text")
        return
    for n, piece in enumerate(_pieces(_cut_long(blocks(text)), OPENING_CHARS)):
        yield Section("", piece, _first_words(piece) if n else "", parent, "text")


def _first_words(piece: str) -> str:
    return _plain(" ".join(_ITEM.sub("", piece[:200].lstrip(), count=1).split()[:7]))


def _parts(body: str) -> list[str]:
    """The body of a section, cut when it is long; a list stays with the line that announces it."""
    if len(body) <= LONG_SECTION_CHARS:
        return [body]
    return list(_pieces(_announced(_cut_long(blocks(body))), PIECE_CHARS))


def _announced(parts: Iterable[str]) -> Iterator[str]:
    """*parts*, those of a list one with the line that announces it."""
    held, announced = "", False
    for part in parts:
        is_item = _ITEM.match(part.lstrip()) is not None
        if held and not (announced and is_item):
            yield held
            held = ""
        announced = announced if is_item else any(line.rstrip("*_ ").endswith(":") for line in part.splitlines())
        held += part
    if held:
        yield held


def _cut_long(parts: Iterable[str]) -> Iterator[str]:
    """*parts*, long ones cut into their lines, and long lines into their sentences; code, tables, data stay whole.

    Data longer than a long section is cut into its records.
    """
    for part in parts:
        if len(part) > LONG_SECTION_CHARS and _DATA.match(part):
            for record in _records(part):
                yield from chopped(record) if len(record) > LONG_TEXT_CHARS else (record,)
        elif len(part) <= LONG_TEXT_CHARS or (_WHOLE.search(part) and not _is_one_line(part)):
            yield part
        else:
            for line in part.splitlines(keepends=True):
                starts = [start for start, _ in sentences_of(line)[1:]] if len(line) > PIECE_CHARS else []
                for a, b in itertools.pairwise([0, *starts, len(line)]):
                    yield from chopped(line[a:b])


def _is_one_line(part: str) -> bool:
    """Whether *part* is as good as one line, so that lines are nothing to keep together."""
    longest = max(map(len, part.splitlines()))
    return longest > LONG_SECTION_CHARS and not any(mark in part for mark in ("```", "~~~", "<keep"))


def _records(data: str) -> Iterator[str]:
    """*data* cut before each line that is indented least, the first one and closing brackets aside."""
    lines = data.splitlines(keepends=True)
    indents = [len(line) - len(line.lstrip()) for line in lines]
    least = min((indent for indent in indents if indent), default=0)
    record = ""
    for line, indent in zip(lines, indents, strict=True):
        if record and indent == least and line.strip()[:1] not in ("}", "]", ""):
            yield record
            record = ""
        record += line
    yield record


def chopped(text: str) -> Iterator[str]:
    """*text*; longer than `DATA_CHARS` in pieces of at most `PIECE_CHARS`, each cut where an entry ends."""
    start = 0
    while len(text) - start > DATA_CHARS:
        end = start + PIECE_CHARS
        found = (list(stop.finditer(text, start + PIECE_CHARS // 2, end)) for stop in _STOPS)
        cut = next((matches[-1].end() for matches in found if matches), end)
        yield text[start:cut]
        start = cut
    yield text[start:]


def _pieces(parts: Iterable[str], limit: int) -> Iterator[str]:
    """*parts* put together to some of at most *limit* characters, after the first of `PIECE_CHARS`."""
    piece = ""
    for part in parts:
        if piece and len(piece) + len(part) > limit:
            yield piece
            piece, limit = "", PIECE_CHARS
        piece += part
    yield piece


def _plain(heading: str) -> str:
    """A heading without its markup, shortened."""
    words = re.sub(r"[*_`#]{1,}(?=\W|$)|(?<!\w)[*_`]+", "", heading).strip().rstrip(":#").strip()
    return words if len(words) <= TITLE_CHARS else words[: TITLE_CHARS - 1].rstrip() + "…"
