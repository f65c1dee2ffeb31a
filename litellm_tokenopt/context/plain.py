"""Text that is neither JSON nor a page: which kind it is, told by its lines, and what speaks for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from . import weighing
from .logs import weigh_log
from .passages import PASSAGE_CHARS, Kind
from .weighing import Line

LOOKED_AT_CHARS = 20_000
"""A text's kind is told by so much of its beginning."""

Weigh = Callable[[Sequence[str]], Iterator[Line]]

_WEIGHING: Mapping[Kind, Weigh] = {
    "log": weigh_log,
    "shell": weigh_log,
    "code": weighing.weigh_code,
    "diff": weighing.weigh_diff,
}
_LOOKS: Mapping[Kind, Callable[[Sequence[str]], bool]] = {
    "diff": weighing.looks_like_diff,
    "log": weighing.looks_like_log,
    "code": weighing.looks_like_code,
    "shell": weighing.looks_like_shell,
}


def plain_kind(text: str) -> Kind:
    """The kind of a text of lines. Short texts are prose."""
    if len(text) <= PASSAGE_CHARS:
        return "prose"
    lines = text[:LOOKED_AT_CHARS].splitlines()
    return next((kind for kind, looks in _LOOKS.items() if looks(lines)), "prose")


def weighed(text: str, kind: Kind) -> Iterator[Line]:
    """The lines of *text*, weighed as that kind's."""
    return _WEIGHING.get(kind, weighing.weigh_prose)(text.splitlines(keepends=True))
