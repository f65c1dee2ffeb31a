"""Markup and emoji that say nothing: rulers, blank space, breaks, decorative emoji, bold print.

An emoji says something where a text speaks of it ("use 👍 for yes", "🔴 means stop"), where it stands in a key, a
template or data, and where it is a sign by itself (✅, 🚫, 🔴, ☐).
"""

from __future__ import annotations

import re

from ..settings import PromptLevel
from .tags import kept_spans

_SIGNS = "✅✔✖✓✗❌❎⚠⛔❗❓🚫🛑🙅👍👎🔴🟠🟡🟢🔵🟣🟤⚫⚪🟥🟧🟨🟩🟦🟪🟫⬛⬜☐☑☒★☆🔞"
"""Always said for what they mean."""
_ANY = r"[\U0001F300-\U0001F64F\U0001F680-\U0001FAFF\u2600-\u27BF]"
_DECORATIVE = rf"(?:(?![{_SIGNS}]){_ANY}\uFE0F?[ \t]*)+"
_ONE = re.compile(rf"(?![{_SIGNS}]){_ANY}")
_FIRST_EMOJI = re.compile(
    rf"^((?:[ \t]*(?:#{{1,6}}|[-*+•]|\d{{1,3}}[.)])[ \t]+| {{0,3}})(?:\*\*)?)(?P<emoji>{_DECORATIVE})"
    r"(?=[*_]{0,2}[^\W_])",
    re.MULTILINE,
)
_LAST_EMOJI = re.compile(
    rf"(^[ \t]*#{{1,6}}[ \t][^\n]*?[^\W_][*_)]{{0,3}}|[.!][*_)\"']{{0,3}})[ \t]*(?P<emoji>{_DECORATIVE})(?<![ \t])$",
    re.MULTILINE,
)
"""At the end of a heading or behind a sentence; within one it may be what is spoken of ("react with 👍").

What a blank follows stays: a sentence may follow in the line.
"""
_NAMED = re.compile(r"(?:\b(?:with|use|add|emojis?|signs?|symbols?|icons?)[ \t]+|[\"'`“(])\Z", re.IGNORECASE)
_MEANS = re.compile(
    r"[ \t]*(?:=|:|→|->|\u2013|\u2014|(?:means?|stands? for|indicates?|signals?|bedeutet|steht|significa|signifie)\b)"
    rf"|[\"'`”)]|[ \t]*(?:/|,|or|and|oder|und)[ \t]*{_ANY}",
    re.IGNORECASE,
)
_AMIDST, _GOES_ON = re.compile(r"[^\W_][:,]?[ \t]+\Z"), re.compile(r"[ \t,.;:/]*[^\W_]")
_AROUND_CHARS = 24
_OF_SIGNS = re.compile(
    r"\b(?:(?:emojis?|emoticons?|icons?|symbols?|smileys?|legend|colou?r[ -]cod\w*|templates?|vorlagen?|plantillas?"
    r"|modèles?|one of|format|layout)\b"
    r"|(?:begin|start|end|open|close|answer|reply|respond|react|label|mark|tag|prefix|sign)\w*\b"
    r"[^.\n]{0,40}:[*_ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
"""Said in a text whose emoji are a key, or what an answer is to look like."""
_DATA_LINE = re.compile(r"^[ \t]*(?:- )?[a-z_][\w.-]*:(?:[ \t]|$)", re.MULTILINE)
_BOLD = re.compile(r"(?<![\w*\\])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?![\w*])")
_RULER = re.compile(
    r"[ \t]*(?:[-*_=~#─━═]{3,}|(?:[-*_] ){2,}[-*_]|(?:(?:<[bh]r[ \t]*/?>|&nbsp;)[ \t]*)+)[ \t]*", re.IGNORECASE
)
_BANNER = re.compile(r"^([=*#~━═])\1{4,}[ \t]*\n([^\n]*[^\W_][^\n]*)\n\1{5,}[ \t]*$", re.MULTILINE)
_SPACERS = re.compile(r"(?:(?<=[.!?])|^)(?:[ \t]*(?:<br[ \t]*/?>|&nbsp;))+$", re.MULTILINE)
_BLANKS = re.compile(r"\n(?:[ \t]*\n){2,}")
_TRAILING = re.compile(r"[ \t]+(?=\n)")


def spoken_signs(text: str) -> frozenset[str]:
    """The emoji that *text* speaks of."""
    if text.isascii():
        return frozenset()
    return frozenset(match[0] for match in _ONE.finditer(text) if _is_spoken(text, match.start()))


def _is_spoken(text: str, place: int) -> bool:
    before = text[max(0, place - _AROUND_CHARS) : place]
    after = text[place + 1 : place + _AROUND_CHARS].removeprefix("\ufe0f")
    amidst = _AMIDST.search(before) and _GOES_ON.match(after)
    return bool(amidst or _NAMED.search(before) or _MEANS.match(after))


def signs_of(text: str, spoken: frozenset[str]) -> frozenset[str]:
    """The emoji of *text* that say something: all where it is a key or a template, else those that are *spoken* of."""
    if text.isascii():
        return frozenset()
    found = frozenset(_ONE.findall(text))
    return found if found and _OF_SIGNS.search(text) else found & spoken


def clean(block: str, level: PromptLevel = "normal", signs: frozenset[str] = frozenset()) -> str:
    """*block* without markup that says nothing: rulers, spaces and breaks at line ends, blank lines beyond one.

    Above the level ``light`` a line's decorative emoji goes too, but for *signs*, and with ``strong`` what makes text
    bold.
    """
    if all(_RULER.fullmatch(line) for line in block.splitlines() if line.strip()):
        return ""
    if "```" in block or "~~~" in block or is_kept(block):
        return block
    if " \n" in block or "\t\n" in block:
        block = _TRAILING.sub("", block)
    if "<br" in block or "&nbsp;" in block:
        block = _SPACERS.sub("", block)
    if "\n\n\n" in block:
        block = _BLANKS.sub("\n\n", block)
    return _undecorated(_BANNER.sub(r"\2", block), level, signs)


def is_kept(block: str) -> bool:
    """Whether *block* holds text that users marked to be kept as it is."""
    return bool(kept_spans(block))


def _undecorated(text: str, level: PromptLevel, signs: frozenset[str] = frozenset()) -> str:
    """*text* without the emoji and bold print that *level* takes for decoration; *signs* stay."""
    if level != "light" and not text.isascii() and not _DATA_LINE.search(text):

        def plain(match: re.Match[str]) -> str:
            return match[0] if any(sign in match["emoji"] for sign in signs) else match[1]

        text = _LAST_EMOJI.sub(plain, _FIRST_EMOJI.sub(plain, text))
    return _BOLD.sub(r"\1", text) if level == "strong" else text
