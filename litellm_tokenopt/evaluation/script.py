"""What the recording model server answers: scripted replies to known questions, else a digest of the question."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InputError
from ..own import is_own
from ..request import digest
from .bodies import Body, names_of_results, question_of


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A tool call; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One reply of the model: its text, or the tools that it calls."""

    text: str = ""
    calls: tuple[ScriptedCall, ...] = ()


Script: TypeAlias = Mapping[str, Sequence[ScriptedReply]]
"""The replies to each question: tool calls first, then the final answer."""


def reply_to(body: Body, script: Script) -> ScriptedReply:
    """The reply to *body*: the first scripted one whose calls have no results yet after the question.

    Calls of the plugin's own tools are told apart from the caller's: a script that makes none goes on as if there
    were none. Beside a call of the caller's they may get no result.
    """
    question = question_of(body)
    replies = script.get(question) or (ScriptedReply(default_answer(question)),)
    results = Counter(map(is_own, names_of_results(body)))
    for reply in replies[:-1]:
        ours = sum(is_own(call.name) for call in reply.calls)
        theirs = len(reply.calls) - ours
        if results[False] < theirs or (not theirs and results[True] < ours):
            return reply
        results[False] -= theirs
        results[True] = max(0, results[True] - ours)
    return replies[-1]


def default_answer(question: str) -> str:
    """What a question gets that has no script: equal for equal questions, different for others."""
    return f"Answer {digest(question)[:12]} to: {' '.join(question.split())[:120]}"


def script_of(raw: Any) -> dict[str, tuple[ScriptedReply, ...]]:
    """A script from plain data: ``{question: [reply, …]}``.

    A reply is a text, or ``{"content": text, "calls": [{"name": …, "arguments": {…}}]}``. Raises `InputError`.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"script: got {type(raw).__name__}; a mapping from questions to lists of replies is allowed")
    return {str(question).strip(): tuple(map(_reply, _listed(replies))) for question, replies in raw.items()}


def read_script(path: str | Path) -> dict[str, tuple[ScriptedReply, ...]]:
    """A script from a JSON file. Raises `InputError`."""
    try:
        return script_of(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"script {path}: {error}") from None


def _listed(replies: Any) -> Sequence[Any]:
    return replies if isinstance(replies, (list, tuple)) and replies else [replies]


def _reply(raw: Any) -> ScriptedReply:
    if isinstance(raw, ScriptedReply):
        return raw
    if isinstance(raw, str):
        return ScriptedReply(raw)
    if not isinstance(raw, Mapping):
        raise InputError(f"script: a reply is a text or a mapping with content and calls; got {raw!r}")
    return ScriptedReply(str(raw.get("content") or ""), tuple(map(_call, raw.get("calls") or ())))


def _call(raw: Any) -> ScriptedCall:
    if not isinstance(raw, Mapping) or "name" not in raw:
        raise InputError(f"script: a call has a name and arguments; got {raw!r}")
    arguments = raw.get("arguments", {})
    return ScriptedCall(str(raw["name"]), arguments if isinstance(arguments, str) else json.dumps(arguments))
