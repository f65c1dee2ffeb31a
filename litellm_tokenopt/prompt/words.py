"""A text as words that can be left out: where they are, which must stay, and the text without the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""Where a piece of a text begins and ends, in characters."""

_UNIT = (
    r"(?:%|°\s?[CF]?|‰|[€£$¥]|(?:milli|micro|kilo|centi|mega|giga|tera)?(?:met(?:re|er)s?|grams?|lit(?:re|er)s?|watts?|"
    r"hertz|bytes?|seconds?|amperes?|volts?)|(?:[kMGTmµ]?(?:B|Hz|W|Wh|V|m|g|l|s)|km/h|mmHg|cm|mm|min|h|px|pt|dpi|rpm|ppm|"
    r"fps|USD|EUR|GBP|CHF|JPY)\b|(?:tokens?|minutes?|hours?|days?|weeks?|months?|years?|percent|degrees?|euros?|"
    r"dollars?|pounds?|francs?|yen|cents?|m?bar|psi|[hk]Pa|mph|kcal|calories|hectares?|acres?|knots?|gallons?|pints?"
    r"|times?|million|billion|thousand|characters?|words?|rows?|people|a\.m\.|p\.m\.|yards?|feet|inch(?:es)?|miles?"
    r"|tons?|ounces?"
    r")(?!\w))"
)
_MONTH = (
    r"(?:jan(?:uary?|vier)?|enero|feb(?:ruary?|rero)?|février|mar(?:ch|s|zo)?|märz|apr(?:il)?|avril|abril|mai|may|mayo|"
    r"june?|juni|juin|junio|july?|juli|juillet|julio|aug(?:ust)?|août|agosto|sept?(?:embre|ember|iembre)?|"
    r"o[ck]t(?:ober|obre|ubre)?|nov(?:ember|embre|iembre)?|de[cz](?:ember)?|décembre|diciembre)\b"
)
_NUMBER = (
    r"(?<![^\W\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af])"  # scripts without spaces may end right before one
    rf"[-+±~≈<>≤≥]?[€£$¥]?\d[\d.,:/\u2009'-]*(?:(?<=\d)[A-Za-z]{{1,3}}\b)?(?:[ \t]{_MONTH}|(?:\s?{_UNIT})*)"
)
_SPELT = (
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|hundred|thousand|million|billion|half|twice|once)\b"
    rf"(?:[ \t]+(?:hundred|thousand|million|billion|{_UNIT}))*"
)
_FIRM = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot|unless|except|only|must|shall|should|may|might"
    r"|can|could|always|forbidden|prohibited|required|ought|at least|at most)\b|\b\w+n['\u2019]t\b",
    re.IGNORECASE,
)
_LITERAL = re.compile(
    r"(?P<fence>^[ \t]*(?P<mark>```|~~~)[\s\S]*?(?:^[ \t]*(?P=mark)[ \t]*$|\Z))|`[^`\n]+`|\"[^\"\n]{1,200}\""
    r"|\u201c[^\u201d\n]{1,200}\u201d|\u00ab[^\u00bb\n]{1,200}\u00bb|(?P<row>^[ \t]*\|.*\|[ \t]*$)",
    re.MULTILINE,
)
_CODE = re.compile(
    r"[a-z][\w+.-]*://\S+|(?<!\w)@[A-Za-z]\w*|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<!\w)(?:~|\.{0,2})/[\w.@-]+(?:/[\w.@-]*)*|\b[A-Za-z]\w*_\w+\b"
    r"|\b[a-z]+[A-Z]\w*\b|\b\w+(?:\.\w+)*\(\)|(?<!\w)--?[A-Za-z][\w-]+|\b[A-Za-z]+-?\d[\w-]*\b|\b\w+\.(?:py|js|ts|json"
    r"|ya?ml|toml|md|txt|csv|sql|sh|html?|xml|pdf|ini|cfg|log|go|rs|java|env)\b"
)
_ARGUMENTS = re.compile(r"\((?<=[A-Za-z0-9_]\()(?!e?s\))(?:[^()\n]|\([^()\n]{0,80}\)){0,200}\)")
"""Of a call of a function, which its name stands right before; more than the ending of a plural: file(s)."""
_CAPITAL = rf"[{''.join(filter(str.isupper, map(chr, range(0x530))))}][\w\u2019'-]*\w"
"""A word in Latin, Greek or Cyrillic letters."""
_NAME = re.compile(
    r"(?:(?<![.!?:]\s)(?<![.!?:]\s[\"\u201c(])(?<=[^\n])|(?<=\b(?:Dr|Mr|Ms|St)\.\s)|(?<=\b(?:Mrs|Rev)\.\s)"
    rf"|(?<=\bProf\.\s)|(?<=\b[A-Z]\.\s))\b{_CAPITAL}"
    rf"(?:[ \t]+(?:(?:of|de|la|van|von|der|and|&)[ \t]+)?{_CAPITAL})*"
)
_MEASURE = re.compile(f"{_NUMBER}|{_SPELT}", re.IGNORECASE)
_RULE = re.compile(
    r"\b(?:must|never|always|do not|don['\u2019]t|shall|forbidden|prohibited|required|only if|under no)\b",
    re.IGNORECASE,
)
_LIMITS = re.compile(r"\b(?:only|unless|except)\b", re.IGNORECASE)
RULE_CHARS = 400
"""A longer text says more than a rule."""
_STRICT = re.compile(
    r"\b(?:must|never|always|under no circumstances|nunca|siempre|jamais|toujours|niemals|immer|sempre|никогда"
    r"|всегда)\b|必须|禁止|切勿|必ず|(?:^|[.!?:]\s|[-*]\s)[\s*_]*do(?: not|n['\u2019]t)\b"
    r"|(?-i:\bDO NOT\b|\bDON['\u2019]T\b)",
    re.IGNORECASE,
)
_STRICT_SIGNS = (
    "must", "never", "always", "no circumstances", "nunca", "siempre", "jamais", "toujours", "niemals", "immer",
    "sempre", "никогда", "всегда", "必须", "禁止", "切勿", "必ず", "do not", "don't", "don\u2019t",
)  # fmt: skip
_WORD = re.compile(r"\S+")
_END = re.compile(
    r"[ \t](?:(?<=[.!?…][ \t])|(?<=[.!?…][\"'\u201d)\]][ \t]))(?<!\b[A-Z]\.[ \t])"
    r"(?<!\b(?:Dr|Mr|Ms|St|No|vs|cf|Nr|Fr)\.[ \t])(?<!\b(?:Mrs|e\.g|i\.e|etc|Inc|Ltd)\.[ \t])[ \t]*(?=[^\sa-z])"
    r"|(?P<mark>[\u3002\uff01\uff1f])(?=\S)|\n+"
)
"""Begins with what it takes, and looks back from there: a first character is what makes a pattern fast."""


def words_of(text: str) -> list[Span]:
    """The words of *text*: what stands between white space; quotes, code, calls, fences and table rows are one word."""
    found = (match.span() for pattern in (_LITERAL, _ARGUMENTS) for match in pattern.finditer(text))
    whole = _joined(sorted(found), text)
    spans = [span for start, end in _between(whole, len(text)) for span in _spans(_WORD, text, start, end)]
    return _joined(sorted(spans + whole), text)


def sentences_of(text: str) -> list[Span]:
    """The sentences of *text*, white space aside; a line break ends one, a code fence or a row of a table is one."""
    whole = [match.span() for match in _LITERAL.finditer(text) if match["fence"] or match["row"]]
    spans = [span for start, end in _between(whole, len(text)) for span in _split(text, start, end)]
    return sorted(spans + whole)


def firm(text: str, words: Sequence[Span]) -> list[bool]:
    """Which of *words* must stay: numbers and units, names, identifiers, code, quotes, negations and modal verbs; all
    of a rule, as without its conditions it's another one."""
    patterns = (_LITERAL, _ARGUMENTS, _CODE, _MEASURE, _FIRM, _NAME)
    found = [span for pattern in patterns for span in _spans(pattern, text, 0, len(text))]
    found += ((start, end) for start, end in sentences_of(text) if is_binding(text[start:end]))
    return list(_touched(words, sorted(found)))


def is_binding(sentence: str) -> bool:
    """Whether *sentence* is a rule, or says to what one is limited."""
    said = is_rule(sentence) or is_strict(sentence) or _LIMITS.search(sentence) is not None
    return said and len(sentence) <= RULE_CHARS


def numbers(text: str) -> list[str]:
    """Numbers with their units, in order."""
    return [match.group().strip().rstrip(".,:/-") for match in _MEASURE.finditer(text)]


def names(text: str) -> list[str]:
    """Capitalised words inside sentences, in order."""
    return [match.group() for match in _NAME.finditer(text)]


def identifiers(text: str) -> list[str]:
    """Inline code, addresses, paths and names of programs, in order."""
    literal = [
        match.group() for match in _LITERAL.finditer(text) if match.group().startswith("`") and not match["fence"]
    ]
    return literal + [match.group() for match in _CODE.finditer(text)]


def is_rule(sentence: str) -> bool:
    """Whether *sentence* says what must or must not be done."""
    return _RULE.search(sentence) is not None


def is_strict(text: str) -> bool:
    """Whether *text* says what must always or never be done."""
    return has_any(text, _STRICT_SIGNS) and _STRICT.search(text) is not None


def has_any(text: str, signs: Iterable[str]) -> bool:
    """Whether one of *signs*, which are in small letters, stands in *text*: far quicker told than a pattern."""
    return any(map(text.casefold().__contains__, signs))


def cut(text: str, kept: Sequence[Span]) -> str:
    """The pieces *kept* of *text*, in order; where something is left out between two, a blank or line breaks."""
    pieces: list[str] = []
    last = None
    for start, end in kept:
        if last is None:
            pieces.append(text[:start] if not text[:start].strip() else "")
        else:
            gap = text[last:start]
            pieces.append(gap if not gap.strip() else _break(gap))
        pieces.append(text[start:end])
        last = end
    return "".join(pieces) + (text[last:] if last is not None and not text[last:].strip() else "")


def _break(gap: str) -> str:
    return "\n\n" if "\n\n" in gap else "\n" if "\n" in gap else " "


def _spans(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Span]:
    return (match.span() for match in pattern.finditer(text, start, end) if match.group().strip())


def _between(whole: Iterable[Span], length: int) -> Iterator[Span]:
    """What *whole* leaves of a text."""
    last = 0
    for start, end in whole:
        yield last, start
        last = end
    yield last, length


def _split(text: str, start: int, end: int) -> Iterator[Span]:
    last = start
    for match in _END.finditer(text, start, end):
        yield from _stripped(text, last, max(match.start(), match.end("mark")))
        last = match.end()
    yield from _stripped(text, last, end)


def _stripped(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    if piece.strip():
        yield start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _joined(spans: Sequence[Span], text: str) -> list[Span]:
    """*spans* with those made one that have no white space between them."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] >= start and not text[start - 1 : start + 1].isspace():
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _touched(words: Sequence[Span], found: Sequence[Span]) -> Iterator[bool]:
    """Of each word whether one of *found* (by their beginnings) lies over it."""
    at, reach = 0, 0
    for start, end in words:
        while at < len(found) and found[at][0] < end:
            reach = max(reach, found[at][1])
            at += 1
        yield reach > start
