"""An agent's content: its system prompt and tools, and scripted sessions of its users."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..request import Message, Tool
from .script import ScriptedCall, ScriptedReply


@dataclass(frozen=True, slots=True)
class ScriptedTool:
    """A tool call that the agent makes, and what the tool gives."""

    name: str
    arguments: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A user's question with the agent's calls and answer.

    `evidence` are strings that the answer rests on, `tools` those that it needs at hand, `reworded` other ways to
    ask, and `lookalikes` (question, answer) pairs that look alike and mean something else.
    """

    question: str
    answer: str
    calls: tuple[ScriptedTool, ...] = ()
    evidence: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    reworded: tuple[str, ...] = ()
    lookalikes: tuple[tuple[str, str], ...] = ()

    def asked(self, question: str, answer: str | None = None) -> Turn:
        """The same turn in other words; with another *answer*, one of which nothing more is known."""
        if answer is None:
            return Turn(
                question=question, answer=self.answer, calls=self.calls, evidence=self.evidence, tools=self.tools
            )
        return Turn(question=question, answer=answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A user's conversation so far, its next turns, and standing questions that need no tools."""

    id: str
    user: str
    history: tuple[Message, ...]
    turns: tuple[Turn, ...]
    questions: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The system prompt, the tools and the sessions."""

    system_prompt: str
    tools: tuple[Tool, ...]
    sessions: tuple[Session, ...]

    def script(self) -> dict[str, tuple[ScriptedReply, ...]]:
        """What the model says to every question, in every wording: one tool call a reply, then the answer."""
        return {turn.question.strip(): _replies(turn) for turn in self._asked()}

    def _asked(self) -> Iterable[Turn]:
        for session in self.sessions:
            for turn in (*session.turns, *session.questions):
                yield turn
                yield from map(turn.asked, turn.reworded)
                yield from (turn.asked(question, answer) for question, answer in turn.lookalikes)


def load_agent(folder: str | Path) -> Agent:
    """Read ``system_prompt.md``, ``tools.json``, ``questions.json`` and ``sessions/*.json``. Raises `InputError`."""
    root = Path(folder)
    try:
        questions = json.loads((root / "questions.json").read_text(encoding="utf-8"))
        paths = sorted((root / "sessions").glob("*.json"))
        return Agent(
            system_prompt=(root / "system_prompt.md").read_text(encoding="utf-8"),
            tools=tuple(json.loads((root / "tools.json").read_text(encoding="utf-8"))),
            sessions=tuple(_session(json.loads(path.read_text(encoding="utf-8")), questions) for path in paths),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{root}: not an agent's folder: {type(error).__name__}: {error}") from None


def _replies(turn: Turn) -> tuple[ScriptedReply, ...]:
    calls = (ScriptedReply(calls=(ScriptedCall(call.name, call.arguments),)) for call in turn.calls)
    return (*calls, ScriptedReply(turn.answer))


def _session(raw: Mapping[str, Any], questions: Iterable[Mapping[str, Any]]) -> Session:
    return Session(
        id=raw["id"],
        user=raw["user"],
        history=tuple(raw["history"]),
        turns=tuple(map(_turn, raw["turns"])),
        questions=tuple(_turn(question) for question in questions if question["session"] == raw["id"]),
    )


def _turn(raw: Mapping[str, Any]) -> Turn:
    lookalike = raw.get("lookalike")
    return Turn(
        question=raw["question"],
        answer=raw["answer"],
        calls=tuple(map(_call, raw.get("calls", ()))),
        evidence=tuple(raw.get("evidence", ())),
        tools=tuple(raw.get("tools", ())),
        reworded=tuple(raw.get("reworded", ())),
        lookalikes=((lookalike["question"], lookalike["answer"]),) if lookalike else (),
    )


def _call(raw: Mapping[str, Any]) -> ScriptedTool:
    return ScriptedTool(raw["name"], json.dumps(raw["arguments"], ensure_ascii=False), raw["result"])
