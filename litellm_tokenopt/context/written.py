"""JSON values as they are written: numbers keep their digits, objects the order and the repeats of their members."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A `Number`, a text, true, false, null, a list of values, or `Members`."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class Members(tuple[tuple[str, Value], ...]):
    """The members of a JSON object, in their order."""

    __slots__ = ()

    @property
    def names(self) -> list[str]:
        return [key for key, _ in self]

    @property
    def is_single(self) -> bool:
        """Whether each key stands there once."""
        return len(set(self.names)) == len(self)


_SURROGATE = re.compile("[\ud800-\udfff]")
_decoder = json.JSONDecoder(object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=Number)
quoted = json.JSONEncoder(ensure_ascii=False).encode
"""A text, true, false or null."""


def parsed(text: str) -> Value:
    return _decoder.decode(text)


def sendable(text: str) -> str:
    """*text* with half characters as escapes: no text that is sent may hold them."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def object_of(members: Iterable[tuple[str, str]]) -> str:
    """An object of (key, text of a value)."""
    return "{" + ",".join(f"{quoted(key)}:{text}" for key, text in members) + "}"


def list_of(texts: Iterable[str]) -> str:
    return "[" + ",".join(texts) + "]"
