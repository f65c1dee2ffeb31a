"""Reads differences as a model is to read them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from support.tables import spread_out

from litellm_tokenopt.context.differences import named
from litellm_tokenopt.context.marks import SAME, SAME_RECORD
from litellm_tokenopt.request import tool_calls

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_HUNK = re.compile(r"@@ -(\d+),(\d+) \+\d+,(\d+) @@")


def undone(base: str, told: str) -> object:
    """What *told* stands for, read as one reads it: the base, but for what is named."""
    if told.startswith(SAME):
        return lines_undone(base, told)
    found, value = json.loads(told), json.loads(base)
    for path, item in found.get("but", {}).items():
        *way, last = steps(path)
        inner = value
        for step in way:
            inner = inner[step]
        if isinstance(inner, list) and last == len(inner):
            inner.append(item)
        else:
            inner[last] = item
    for path in found.get("without", ()):
        *way, last = steps(path)
        inner = value
        for step in way:
            inner = inner[step]
        del inner[last]
    return value


def steps(path: str) -> list[Any]:
    return [int(number) if number else name for number, name in _STEP.findall(path)]


def lines_undone(base: str, told: str) -> str:
    before, after, at = base.split("\n"), list[str](), 0
    lines = iter(told.split("\n")[1:])
    for line in lines:
        start, gone, new = map(int, _HUNK.fullmatch(line).groups())  # type: ignore[union-attr]
        after += before[at : start - 1]
        assert [f"-{one}" for one in before[start - 1 : start - 1 + gone]] == [next(lines) for _ in range(gone)]
        after += [next(lines)[1:] for _ in range(new)]
        at = start - 1 + gone
    return "\n".join(after + before[at:])


def resolved(sent: Sequence[Mapping[str, Any]]) -> list[object]:
    """What the results that are sent say, each that is told by another read with that one, tables as their rows."""
    calls: dict[str, str] = {}
    last: dict[str, str] = {}
    said: list[object] = []
    for message in sent:
        calls.update((id_, named(name, arguments)) for id_, name, arguments in tool_calls(message))
        if message["role"] == "tool":
            call, text = calls[message["tool_call_id"]], message["content"]
            if text.startswith(SAME):
                head = re.search(r"last full result of (\w+\(.*?\))", text)
                assert head
                said.append(undone(last[head[1]], text))
            elif text.startswith(SAME_RECORD):
                said.append(spread_out(undone(last[json.loads(text)["same_as"].removeprefix("last full ")], text)))
            else:
                said.append(plain(text))
                last[call] = text
    return said


def plain(text: str) -> object:
    """*text* as it is, or the JSON container that it is, with tables as their rows."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return spread_out(value) if isinstance(value, (dict, list)) else text
