"""Tools of our own: by calling one, the model asks for what a stage has left out.

A stage that leaves something out offers a tool with its `Change` (``offers=(…,)``), if `ChatRequest.own_tools` says
that the model may get one. The pipeline puts the offered tools behind the caller's. A call of one is answered from
the request as it came in, and the model is asked again (`rounds.Rounds`); callers see neither the call nor its result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .request import OWN_TOOL_PREFIX, ChatRequest, Tool, choice_kind, tool_name

_FREE_CHOICES = ("auto", "required", "any")
_BOUND_CHOICES = ("none", "function", "tool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call of one of our tools.

    `original` is the request as it came in; `sent` what was sent of it, with the tools that were found since.
    """

    original: ChatRequest
    sent: ChatRequest
    arguments: Mapping[str, Any]

    def text(self, name: str) -> str:
        """The text argument *name*, be it that the model gave a number or a list; empty where it gave none."""
        value = self.arguments.get(name)
        given = value if isinstance(value, list) else [value]
        return ", ".join(str(one).strip() for one in given if isinstance(one, (str, int)))


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a call: a text for the model, and tools to send from now on."""

    text: str
    tools: tuple[Tool, ...] = ()


class OwnTool(Protocol):
    """A tool that a stage offers; its name begins with `OWN_TOOL_PREFIX`.

    Two stages may offer tools of one name: the model gets the first stage's, and what they all answer.
    """

    @property
    def tool(self) -> Tool:
        """The tool in chat form: the very same object each time, and equal in turns that leave out the same."""
        ...

    async def answer(self, asked: Asked) -> Found | None:
        """What is found, by *asked* alone; None where this offer has nothing to do with the call."""
        ...

    async def about(self, names: Sequence[str]) -> str:
        """What was left out about the tools of these *names*, which are found and sent from now on; may be empty."""
        ...


def is_own(name: str | None) -> bool:
    """Whether a tool's name is one of ours."""
    return name is not None and name.startswith(OWN_TOOL_PREFIX)


def tools_of(offers: Iterable[OwnTool]) -> tuple[Tool, ...]:
    """The offered tools, one of each name, in their order."""
    return tuple({tool_name(tool): tool for tool in reversed([offer.tool for offer in offers])}.values())[::-1]


def may_offer(request: ChatRequest) -> bool:
    """Whether *request* lets the model call a tool of its own choice, and wants one answer."""
    return choice_kind(request.tool_choice) in _FREE_CHOICES and _has_room(request)


def may_keep(request: ChatRequest) -> bool:
    """Whether a tool of ours may stand in *request*, as in its session's other turns: be it that none may be called."""
    return choice_kind(request.tool_choice) in (*_FREE_CHOICES, *_BOUND_CHOICES) and _has_room(request)


def _has_room(request: ChatRequest) -> bool:
    """Whether one answer is wanted, in a form in which our tools can be answered."""
    return (
        request.options.get("n") in (None, 1) and not request.options.get("functions") and not request.controls.mocked
    )


def read_arguments(text: str) -> Mapping[str, Any]:
    """A call's arguments; empty where the model wrote something that is no JSON object."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
