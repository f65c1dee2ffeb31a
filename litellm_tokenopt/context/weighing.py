"""What speaks for or against a line, by the kind of text that it stands in.

A weight is added to a passage's score (which is between 0 and about 1): errors, signatures and ends of a log come
first, repeats and blobs last. `logs` weighs lines of logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple


class Line(NamedTuple):
    """A line, and its weight. A `note` tells of the lines like it, where some are left out."""

    text: str
    weight: float
    note: str = ""


ERROR_WEIGHT = 0.3
HEAD_WEIGHT = 0.2
CHANGE_WEIGHT = 0.1
PADDING_WEIGHT = -0.2
REPEAT_WEIGHT = -0.6
BLOB_WEIGHT = -2.0
BLOB_CHARS = 160

LOOKED_AT_CHARS = 400
"""Of a longer line its two ends tell what it is: some of the patterns below take time with a line's square."""

_WARNING = re.compile(r"\bWARN(?:ING)?\b|\b[Ww]arning:|\b(?:level|severity)=warn|\[warn(?:ing)?\]|\bdeprecated\b")
_OF_WARNINGS = ("WARN", "arning:", "=warn", "[warn", "deprecated")
"""Without one of these, which is seen sooner, there is none."""

# These are searched for in lower case: to pass over cases takes a pattern several times as long.
_ERROR = re.compile(
    r"\b(?:err(?:ors?|no)?|fail(?:ed|ure|ures|ing)?|exceptions?|fatal|panic(?:ked)?|critical|traceback|denied|refused|"
    r"timed? ?out|segfault|abort(?:ed)?|unauthori[sz]ed|forbidden|not found|cannot|exit (?:code|status) [1-9]\d*)\b"
    r"|\b[a-z]\w*(?:error|exception)\b|^e {2,}\S"
)
_OF_ERRORS = (
    "err", "fail", "exception", "fatal", "panic", "critical", "traceback", "denied", "refused", "time", "segfault",
    "abort", "unauthori", "forbidden", "not found", "cannot", "exit ",
)  # fmt: skip
"""Without one of these, which is seen sooner, none of them is found but pytest's ``E   ``."""

_NO_ERROR = re.compile(
    r"\b(?:no|0|zero|without) (?:errors?|failures?|exceptions?)\b|\berrors?\W{0,3}(?:0|null|none|false)\b"
)
_BLOB = re.compile(rf"[A-Za-z0-9+/=_-]{{{BLOB_CHARS},}}")
# A set of characters at a pattern's begin is what it's quickly searched for by.
_VARYING = re.compile(
    r"[\da-f\"'](?:(?<=0)x[0-9a-f]+|(?<=[0-9a-f])[0-9a-f]{7}-[0-9a-f-]{27,}"
    r"|(?<=\b[0-9a-f])(?:(?<=\d)|(?=[a-f]*\d))[0-9a-f]{7,}+\b|(?<=\d)\d*(?:[.:,/-]\d+)*"
    r"|(?<=\")[^\"]*\"|(?<=')[^']*')",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"^\s*(?:(?:export|default|public|private|protected|static|final|abstract|async|pub(?:\([^)]*\))?|inline|virtual|"
    r"override|const|extern|unsafe|open|internal|sealed|data|local)\s+)*"
    r"(?:def|class|function\*?|fn|func|fun|struct|enum|interface|trait|impl|type|module|namespace|package|protocol|"
    r"procedure|sub|macro_rules!|create\s+(?:or\s+replace\s+)?(?:table|view|function|index))\b"
    r"|^\s*(?:export\s+)?(?:const|let|var)\s+\w+\s*=\s*(?:async\s*)?(?:\([^)]*\)|\w+)\s*=>"
    r"|^\s*@\w[\w.]*|^\s*(?!(?:return|raise|throw|await|yield|else|new|delete|assert|print)\b)(?:[\w:<>*&\[\],]+\s+)+[\w:~]+\s*\([^;]*\)\s*(?:const\s*)?(?:->\s*\S+\s*)?\{?\s*$",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"^\s*(?:\([\w.-]+\)\s*)?(?:[\w.-]+@[\w.-]+[:~/\w. -]*)?(?:\$|\u276f|\u279c|>>>|PS [A-Z]:\\.*>)\s+\S"
)
_CHANGE = re.compile(r"^[+-]")
_DIFF_HEAD = re.compile(
    r"^(?:diff --git |index [0-9a-f]+\.\.|--- |\+\+\+ |@@ |(?:new|deleted) file mode|rename (?:from|to) )"
)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+\S|^\s*(?:\*\*|__)[^*_]{2,80}(?:\*\*|__):?\s*$")

_LOG_LINE = re.compile(
    r"^\s*[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d\d?:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d"
    r"|\d{10,13}[ .]|(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b|[IWEF]\d{4} \d\d:"
    r"|\d{1,3}(?:\.\d{1,3}){3} - |\{\"(?:@?time(?:stamp)?|ts|level|severity|msg|message)\":)"
)
_CODE_LINE = re.compile(
    r"[;{}]\s*$|^\s*(?:import|from|return|if|else|elif|for|while|try|except|catch|with|raise|throw|await|yield|switch|"
    r"case|use|using|#include|package|end|let|const|var|val|self\.|this\.)\b|^\s*(?://|#|/\*|\*)|\w\(.*\)\s*[:;{]?\s*$"
    r"|^\s*[\w.\[\]\"']+\s*(?::\s*+[\w\[\], |.]*+)?\s*[-+*/|&]?=\s*\S|^\s*[\])}]"
)


def says_error(text: str) -> bool:
    """Whether *text* tells of something that went wrong."""
    lower = text.lower()
    if not any(map(lower.__contains__, _OF_ERRORS)) and lower[:3] != "e  ":
        return False
    return _ERROR.search(lower) is not None and _ERROR.search(_NO_ERROR.sub("", lower)) is not None


def warns(text: str) -> bool:
    """Whether *text* is a warning in a log."""
    return any(map(text.__contains__, _OF_WARNINGS)) and _WARNING.search(text) is not None


def is_command(line: str) -> bool:
    """Whether *line* is a terminal's prompt with a command."""
    return _PROMPT.match(_ends(line)) is not None


def is_blob(text: str) -> bool:
    """Whether most of *text* is one string that nobody reads: base64, a key, a hash."""
    found = _BLOB.findall(text) if _runs_on(text) else ()
    return sum(map(len, found)) > len(text) / 2


def _runs_on(text: str) -> bool:
    """Whether so much as a blob stands in *text* without a blank, which is seen sooner than what it's made of."""
    end = 0
    while len(text) - end >= BLOB_CHARS:
        blank = text.rfind(" ", end, end + BLOB_CHARS)
        if blank < 0:
            return True
        end = blank + 1
    return False


def weigh_prose(lines: Sequence[str]) -> Iterator[Line]:
    """Text of no special kind: headings help, blobs don't."""
    for line in lines:
        yield Line(line, HEAD_WEIGHT if _HEADING.match(line) else BLOB_WEIGHT if is_blob(line) else 0.0)


def weigh_code(lines: Sequence[str]) -> Iterator[Line]:
    """Source code: signatures first."""
    for line in lines:
        yield Line(line, HEAD_WEIGHT if _defines(line.rstrip()) else BLOB_WEIGHT if is_blob(line) else 0.0)


def weigh_diff(lines: Sequence[str]) -> Iterator[Line]:
    """A patch: files and hunks, then what changed; unchanged lines last."""
    for line in lines:
        changed = CHANGE_WEIGHT if _CHANGE.match(line) else PADDING_WEIGHT
        yield Line(line, HEAD_WEIGHT if _DIFF_HEAD.match(line) else changed)


def looks_like_code(lines: Sequence[str]) -> bool:
    """Whether most lines are a program's."""
    written = [line.rstrip() for line in lines if line.strip()]
    if len(written) < 5:
        return False
    marks = sum(map(_is_code, written))
    indented = sum(line[:1] in " \t" for line in written)
    defined = any(map(_defines, written))
    return marks >= (0.3 if defined else 0.5) * len(written) and (defined or indented >= 0.3 * len(written))


def begins_as_log(line: str) -> bool:
    """Whether *line* begins with a time or a level."""
    return _LOG_LINE.match(line) is not None


def looks_like_log(lines: Sequence[str]) -> bool:
    """Whether most lines begin with a time or a level."""
    written = [line for line in lines if line.strip()]
    return len(written) >= 6 and sum(map(begins_as_log, written)) >= 0.5 * len(written)


def looks_like_diff(lines: Sequence[str]) -> bool:
    """Whether it's a unified diff: a hunk's head behind a file's."""
    return any(line.startswith("@@ ") for line in lines) and any(
        a.startswith("--- ") and b.startswith("+++ ") for a, b in pairwise(lines)
    )


def looks_like_shell(lines: Sequence[str]) -> bool:
    """Whether it's a terminal's output: prompts with commands, or many lines of one template."""
    written = [line for line in lines if line.strip()]
    if any(map(_PROMPT.match, map(_ends, written))):
        return True
    return len(written) >= 12 and len({_VARYING.sub("#", line.strip()) for line in written}) <= 0.5 * len(written)


def _is_code(line: str) -> bool:
    return _CODE_LINE.search(_ends(line)) is not None or _defines(line)


@lru_cache(maxsize=4_096)
def _defines(line: str) -> bool:
    return _DEFINITION.match(_ends(line)) is not None


def _ends(line: str) -> str:
    half = LOOKED_AT_CHARS // 2
    return line if len(line) <= LOOKED_AT_CHARS else f"{line[:half]} {line[-half:]}"
