"""Lines of a log by template: lines that differ in numbers, times and ids alone are said once, with what varies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile, zip_longest
from typing import Literal, TypeAlias

from .outliers import FEW_VALUES, far_off, rare
from .weighing import ERROR_WEIGHT, HEAD_WEIGHT, REPEAT_WEIGHT, Line, is_command, says_error, warns

LEAST_ALIKE = 3
"""Fewer lines of one template are said one by one."""

NOTED_SLOTS = 6
NOTED_CHARS = 160
NOTED_WORDS_CHARS = 40
NOTED_VALUES = 5
"""Of a column with so few values each is said, with how often it occurs."""

CONTINUED_LINES = 30
"""So many lines behind an error may be its trace."""

SHORT_ALIKE_CHARS = 12

LEAST_WORDS = 4
"""So many templates that differ in one word alone are one."""

MOST_TEMPLATES, MOST_WORDS = 1_000, 60
"""Of more, and in longer ones, no such words are looked for."""

SLOT = "\0"
_WORDS = re.compile(r"\s+|\S+")

# A set of characters at a pattern's begin is what it's quickly searched for by.
_VARYING = re.compile(
    r"([\da-f=#>.\u2500-\u259f\xb7-](?:"
    r"(?<=\d)(?:\d?/[a-z]{3}/\d{4}:\d\d:\d\d:\d\d"
    r"|\d{3}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d\b)?|(?<=0)x[0-9a-f]+)"
    r"|(?<=[0-9a-f])[0-9a-f]{7}-[0-9a-f-]{27,}|(?<=\b[0-9a-f])(?:(?<=\d)|(?=[a-f]*\d))[0-9a-f]{5,}+\b"
    r"|(?<=\d)\d*(?:[.:,/-]\d+)*|(?<=[=#>.\u2500-\u259f\xb7-])[=#>.\u2500-\u259f\xb7 -]{2,}))",
    re.IGNORECASE,
)
"""Numbers, times, ids in hexadecimal, and the bars of progress."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?\Z")
_TIME = re.compile(r"\d+[:/-]\w+[:/-]?")
_NAME = re.compile(r"[^\s\[\](){}\"',;|]*\s?\Z")
_UNIT = re.compile(r" ?(?:[num\u00b5]?s|[KMGTkmgt]?i?[Bb]|min|h|%)(?![A-Za-z])")
_CONTINUES = re.compile(r"\s+\S|(?:Caused by|During handling|The above exception)\b")


@dataclass(frozen=True, slots=True)
class _Template:
    """Lines of one template: their numbers, and by line what stands in the slots between the template's pieces."""

    pieces: tuple[str, ...]
    tone: _Tone
    lines: list[int] = field(default_factory=list)
    values: list[list[str]] = field(default_factory=list)


_Tone: TypeAlias = Literal["command", "error", "warning", ""]
_ButOne: TypeAlias = tuple[int, int, int, _Tone]


def weigh_log(lines: Sequence[str]) -> Iterator[Line]:
    """*lines* of a log or terminal: what went wrong, commands and the ends first; of lines with one template the first,
    with a note, and those that stand out; then the others."""
    templates = _templates(lines)
    weights = [0.0] * len(lines)
    notes: dict[int, str] = {}
    for template in templates:
        first = template.lines[0]
        _weigh(template, lines, weights)
        repeats = len(template.lines) >= LEAST_ALIKE and template.tone != "command"
        if repeats and len(lines[first].strip()) > SHORT_ALIKE_CHARS:
            weights[first] = max(weights[first], HEAD_WEIGHT)
            notes[first] = _note(template)
    written = [number for number, line in enumerate(lines) if line.strip()]
    for end in (*written[:1], *written[-1:]):
        weights[end] = ERROR_WEIGHT
    _continue_errors(lines, weights)
    for number, line in enumerate(lines):
        yield Line(line, weights[number], notes.get(number, ""))


def _templates(lines: Sequence[str]) -> list[_Template]:
    """The templates of *lines*, each with its lines; those that differ in one word are one, whose word is a slot."""
    found: dict[str, _Template] = {}
    for number, line in enumerate(lines):
        parts = _VARYING.split(line.strip().replace(SLOT, " "))
        key = SLOT.join(parts[::2])
        template = found.get(key)
        if template is None:
            template = found[key] = _Template(tuple(parts[::2]), _tone("1".join(parts[::2])))
        template.lines.append(number)
        template.values.append(parts[1::2])
    if not LEAST_WORDS <= len(found) <= MOST_TEMPLATES:
        return list(found.values())
    return _merged(found)


def _merged(found: Mapping[str, _Template]) -> list[_Template]:
    words = {template: _WORDS.findall(template) for template in found}
    keys = {template: _but_one(own, found[template].tone) for template, own in words.items()}
    alike = Counter(chain.from_iterable(keys.values()))
    merged: dict[_ButOne | str, _Template] = {}
    for template, one in found.items():
        best = max(keys[template], key=alike.__getitem__, default=None)
        if best is None or alike[best] < LEAST_WORDS:
            merged[template] = one
            continue
        wide = _widened(one, words[template], best[0])
        into = merged.setdefault(best, _Template(wide.pieces, wide.tone))
        into.lines.extend(wide.lines)
        into.values.extend(wide.values)
    return [template if key in found else _in_order(template) for key, template in merged.items()]


def _but_one(words: Sequence[str], tone: _Tone) -> list[_ButOne]:
    """For each of *words* (blanks are some, too) a key that templates share which differ in it alone."""
    hashes = list(map(hash, enumerate(words))) if len(words) <= MOST_WORDS else []
    whole = sum(hashes)
    return [(at, len(words), whole - one, tone) for at, one in enumerate(hashes) if words[at].strip()]


def _widened(template: _Template, words: Sequence[str], at: int) -> _Template:
    """*template* with a slot in place of its word *at*."""
    pieces = "".join((*words[:at], SLOT, *words[at + 1 :])).split(SLOT)
    before, inner = "".join(words[:at]).count(SLOT), words[at].split(SLOT)
    behind = before + len(inner) - 1
    values = [
        [
            *row[:before],
            "".join(chain.from_iterable(zip_longest(inner, row[before:behind], fillvalue=""))),
            *row[behind:],
        ]
        for row in template.values
    ]
    return _Template(tuple(pieces), template.tone, template.lines, values)


def _in_order(template: _Template) -> _Template:
    rows = sorted(zip(template.lines, template.values, strict=True))
    return _Template(template.pieces, template.tone, [number for number, _ in rows], [values for _, values in rows])


def _tone(usual: str) -> _Tone:
    """What a line is, by its template with ones in the slots."""
    if is_command(usual):
        return "command"
    return "error" if says_error(usual) else "warning" if warns(usual) else ""


def _weigh(template: _Template, lines: Sequence[str], weights: list[float]) -> None:
    """Weigh the lines of one template: they say alike whether something went wrong, but for numbers ("0 errors")."""
    odd = _odd(template) if len(template.lines) > LEAST_ALIKE else set()
    for row, number in enumerate(template.lines):
        if template.tone == "command":
            weights[number] = HEAD_WEIGHT
        elif template.tone == "error" and says_error(lines[number]):
            weights[number] = ERROR_WEIGHT / (1 if not row else 2)
        elif template.tone == "warning":
            weights[number] = HEAD_WEIGHT if not row else 0.0
        elif row in odd:
            weights[number] = ERROR_WEIGHT / 2
        elif row:
            weights[number] = REPEAT_WEIGHT


def _columns(template: _Template) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The slots that vary, by number."""
    for slot, column in enumerate(zip(*template.values, strict=True)):
        if any(value != column[0] for value in column):
            yield slot, column


def _odd(template: _Template) -> set[int]:
    """Rows of a template's lines with a number far off, or a rare value among few."""
    odd: set[int] = set()
    for _, column in _columns(template):
        few: dict[int, Hashable] = dict(enumerate(column))
        if len(set(column)) <= FEW_VALUES:
            odd |= rare(few)
        elif all(map(_NUMBER.match, column)):
            odd |= far_off({row: float(value) for row, value in enumerate(column)})
    return odd


def _note(template: _Template) -> str:
    """How many lines have this template, and what varies in them."""
    said: list[str] = []
    until = ""
    for slot, column in _columns(template):
        piece = template.pieces[slot]
        if not until and not said and _TIME.match(column[-1]):
            until = f", until {column[-1]}"
        elif len(said) < NOTED_SLOTS and (values := _values(column)):
            unit = _UNIT.match(template.pieces[slot + 1])
            said.append(f"{_name(piece)}{values}{unit[0] if unit else ''}")
    fitting = list(takewhile(lambda n: len(", ".join(said[:n])) <= NOTED_CHARS, range(1, len(said) + 1)))
    listed = f": {', '.join(said[: len(fitting)])}" if fitting else ""
    return f"[{len(template.lines):,} lines like this{until}{listed}]\n"


def _name(piece: str) -> str:
    """What stands before a value: ``rows=`` or ``parcel ``."""
    found = _NAME.search(piece)
    return found[0].lstrip() if found else ""


def _values(column: Sequence[str]) -> str:
    """The values of a slot in few words; empty where they say nothing, as ids do."""
    distinct = list(dict.fromkeys(column))
    if len(distinct) <= NOTED_VALUES and len(column) > 2 * len(distinct):
        return " / ".join(f"{value} x{column.count(value):,}" for value in distinct)
    if not all(map(_NUMBER.match, column)):
        return " / ".join(distinct) if sum(map(len, distinct)) <= NOTED_WORDS_CHARS else ""
    return f"{min(column, key=float)}…{max(column, key=float)}"


def _continue_errors(lines: Sequence[str], weights: list[float]) -> None:
    """Lines of a trace behind an error weigh as much as it does, but where they are repeats."""
    left, weight = 0, 0.0
    for number, line in enumerate(lines):
        if weights[number] >= ERROR_WEIGHT / 2 and not _CONTINUES.match(line):
            left, weight = CONTINUED_LINES, weights[number]
        elif left and _CONTINUES.match(line):
            left -= 1
            weights[number] = max(weights[number], weight if weights[number] >= 0 else weights[number])
        else:
            left = 0
