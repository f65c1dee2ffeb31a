"""How strictly a text says what must, must not or may be done, in whatever form it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ..memo import Memo
from ..models.commands import packaged_commands
from .wordings import ABSOLUTE, BINDING, COMMANDED, NONE, duty_in
from .words import sentences_of

LEAST_SCORE = 0.85
"""The classifier's: nine in ten of what it takes for rules then are some, and it finds seven in ten."""
LEAST_CHARS = 12
SENTENCE_CHARS = 600
"""A longer sentence says more than a rule."""
TEXT_CHARS = 800

_QUOTED = re.compile(r"\"[^\"\n]{1,300}\"|\u201c[^\u201d\n]{1,300}\u201d|`[^`\n]{1,200}`")
_LEAD = re.compile(
    r"\A[\s>*_#]*(?:(?:[-*+\u2022]|\d{1,3}(?:\.\d{1,3})*[.)]?|[a-z]\)|<[^<>\n]{1,80}>)[\s*_]+|<[^<>\n]{1,80}>)*"
    r"(?:(?:please|kindly|note(?: that)?[:,]?|nota bene:?)\s+)*",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\A[\s*-]*(?:\"[^\"\n]{1,60}\"\s*:\s*\"([^\"\n]+)\",?|\"([^\"\n]+)\",)\s*\Z")
"""A string of JSON, with its key or in a list."""
_SAID = re.compile(r"(?<=[:\[,])\s*\"((?:[^\"\\\n]|\\.){16,})\"(?=\s*[,\]}]|\Z)")
"""A string of JSON that is long enough to be a sentence, behind its key or in a list."""
_EXAMPLE = re.compile(
    r"(?:(?:good |bad )?examples?\b.{0,20}:|for (?:example|instance)\b|e\.g\.|(?:user|customer|caller|input|output"
    r"|q)\s*:)"
)
_CRY = re.compile(r"\b(?:MUST|NEVER|ALWAYS|DO NOT|DON['\u2019]T|FORBIDDEN|PROHIBITED|MANDATORY|CRITICAL|UNDER NO)\b")
_CRIED = frozenset("must never always do don forbidden prohibited mandatory critical under".split())
"""Words, in small letters, without one of which none of these is there."""
_ELSEWHERE = re.compile(
    r"\b(?:nunca|siempre|jamais|toujours|niemals|immer|sempre|никогда|всегда|verboten|untersagt|keinesfalls"
    r"|auf keinen fall|d(?:arf|ürfen) (?:nicht|nie|kein)|strengstens|interdit|en aucun cas|prohibido|en ningún caso"
    r"|proibido|vietato|in nessun caso|запрещено|запрещается|нельзя|nie wolno|zabronion[eya])\b"
    r"|必须|禁止|切勿|必ず|严禁|不得|绝不|绝对不|不准|务必"
    r"|てはいけません|てはならない|しないでください|하지 마|금지|반드시"
)
_FOREIGN = frozenset(
    "nunca siempre jamais toujours niemals immer sempre verboten untersagt keinesfalls keinen darf strengstens interdit"
    " aucun prohibido proibido vietato nessun wolno zabronione zabroniony zabroniona".split()
)
"""The same for these, where all is ASCII."""
_WORD = re.compile(r"[a-z]+")
_BELOW = re.compile(
    r"(?:\b(?:not|never|cannot|no|nothing|nobody|forbidden|prohibited|banned|off[- ]limits|may|must|shall|only)\b"
    r"|n't\b)"
    r"(?!.*\b(?:when|if|for|unless|while|in|steps?|examples?|workflow|order)\W*$)"
)
_A_TOOL = re.compile(
    r"^\s*<(?:function|invoke|parameter|tool|example)|\bthe `?[\w-]+`? tool\b|\bthis tool\b", re.IGNORECASE
)
_BACK = re.compile(
    r"[\W_]*(?:(?:only|never|under no circumstances|but|and|also|even|for|in|to|with|without|all of|none of|each"
    r" of|until"
    r"|unless|before|after)\s+)?(?:it|its|they|them|their|this|these|those(?! who)|that(?! said)|he(?! who)|she"
    r"|him|his|her"
    r"|such|otherwise|the (?:same|latter|former)|doing so|if (?:so|not)|instead|nor|the (?:ones?|first|second|others?)"
    r"|(?:both|either|neither)(?= (?:must|have|has|are|is|needs?|may|can|shall|should|of (?:them|these|those))))\b",
    re.IGNORECASE,
)

_strengths: Memo[str, int] = Memo(max_entries=20_000)


def strength(text: str) -> int:
    """How strictly *text* says what is to be done: that of its strictest sentence, from `NONE` to `ABSOLUTE`.

    `NONE` too for what is about "the … tool".
    """
    if len(text) > TEXT_CHARS or "```" in text or "~~~" in text or _is_of_a_tool(text):
        return NONE
    return _strengths.get_or(text, lambda: max(map(_strength, _sentences(text)), default=NONE))


def binds(text: str) -> bool:
    """Whether *text* says what must, must not or may be done, in whatever words."""
    return strength(text) >= BINDING


def makes_duties(line: str) -> bool:
    """Whether *line*, a heading or what announces a list, makes rules of what stands below it: "You may not:"."""
    plain = line.casefold()
    return _BELOW.search(plain) is not None and binds(plain.rstrip(":*_ "))


def refers_back(text: str) -> bool:
    """Whether *text* is a rule that means nothing without the sentence before it: "It must be signed"."""
    return _BACK.match(text) is not None and binds(text)


def _is_of_a_tool(text: str) -> bool:
    may_be = "tool" in text.lower() or text.lstrip().startswith("<")
    return may_be and _A_TOOL.search(text) is not None


def _sentences(text: str) -> Iterator[str]:
    """The sentences of *text*, the cells of a table's row and what a line of JSON says among them."""
    for start, end in sentences_of(text):
        if text[start] == "|":
            yield from text[start:end].split("|")
        elif text[start] in "{[":
            yield from (match[1] for match in _SAID.finditer(text, start, end))
        else:
            yield text[start:end]


@lru_cache(maxsize=20_000)
def _strength(sentence: str) -> int:
    """Of one sentence; of others' words, examples and questions `NONE`."""
    if len(sentence) > SENTENCE_CHARS:
        return NONE
    if '"' in sentence and (value := _VALUE.match(sentence)):
        sentence = value[1] or value[2]
    plain = _QUOTED.sub("\u2026", _LEAD.sub("", sentence).replace("*", "").replace("__", ""))
    text = plain.casefold().replace("\u2019", "'")
    if _EXAMPLE.match(text) or text.rstrip(" )_").endswith("?"):
        return NONE
    words = frozenset(_WORD.findall(text))
    if not words.isdisjoint(_CRIED) and _CRY.search(plain):
        return ABSOLUTE
    if not (text.isascii() and words.isdisjoint(_FOREIGN)) and _ELSEWHERE.search(text):
        return ABSOLUTE
    duty = duty_in(text, words)
    if duty == NONE and len(sentence) >= LEAST_CHARS and packaged_commands().score(sentence) >= LEAST_SCORE:
        return COMMANDED
    return duty
