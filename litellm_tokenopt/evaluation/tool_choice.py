"""Whether the tools that a request needs are chosen: ``python -m litellm_tokenopt.evaluation.tool_choice``.

Tools of invented agents, many of them look-alikes, and requests of one or several steps that name the tools they need
(`data/tool_choice.yaml`). Each request meets the tools of its own agent, `MIXED` tools of several agents one after
the other, and the same ones shuffled (`WAYS`); plain talk needs none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from ..models.base import Embedder
from ..models.build import build_embedder
from ..models.intents import IntentModel
from ..request import ChatRequest, Tool
from ..settings import Settings
from ..stage import Change
from ..taxonomy import read_taxonomy
from ..tokens import count_tools
from ..tools import ToolsStage
from ..tools.reading import name_of

MIXED = 150
"""Tools in the larger blocks."""

WAYS = ("own", "several", "shuffled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked, of which agent, and the names of the tools that must be there."""

    agent: str
    question: str
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The tools that a case got, in the block's order, and what they cost (tokens)."""

    case: Case
    names: tuple[str, ...]
    tokens: int

    @property
    def missing(self) -> frozenset[str]:
        """What the case wanted and didn't get."""
        return self.case.wanted.difference(self.names)


def read_cases(text: str) -> tuple[dict[str, tuple[Tool, ...]], tuple[Case, ...]]:
    """(agent → its tools, cases) of a file like `data/tool_choice.yaml`."""
    agents: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    tools = {agent: tuple(map(_tool, kept["tools"].splitlines())) for agent, kept in agents.items()}
    cases = (_case(agent, line) for agent, kept in agents.items() for line in kept["requests"].splitlines())
    return tools, tuple(cases)


def packaged() -> str:
    """The text of the file that comes with the package."""
    return (files(__package__) / "data" / "tool_choice.yaml").read_text(encoding="utf-8")


def _tool(line: str) -> Tool:
    name, description, arguments = (field.strip() for field in line.split("|"))
    properties = {argument: {"type": "string"} for argument in arguments.split(", ") if argument}
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _case(agent: str, line: str) -> Case:
    question, _, wanted = line.rpartition("|")
    names = frozenset(name.strip() for name in wanted.split(",") if name.strip())
    return Case(agent=agent, question=question.strip(), wanted=names)


def block_for(case: Case, tools: Mapping[str, Sequence[Tool]], way: str) -> tuple[Tool, ...]:
    """The tools that *case* meets; the same ones for every case of an agent."""
    if way == "own":
        return tuple(tools[case.agent])
    chance = random.Random(case.agent)
    others = chance.sample(sorted(tools.keys() - {case.agent}), len(tools) - 1)
    several = [tool for agent in (case.agent, *others) for tool in tools[agent]][:MIXED]
    turned = several[MIXED // 3 :] + several[: MIXED // 3]
    return tuple(turned if way == "several" else chance.sample(several, len(several)))


async def run(
    cases: Sequence[Case], tools: Mapping[str, Sequence[Tool]], way: str, embedder: Embedder, max_tools: int
) -> list[Found]:
    """What each of *cases* gets."""
    settings = Settings.model_validate({"tools": {"max_tools": max_tools}}).tools
    taxonomy = read_taxonomy(settings.intents)
    stage = ToolsStage(settings, embedder, intents=lambda: IntentModel(embedder, taxonomy))
    return [await _found(stage, case, block_for(case, tools, way)) for case in cases]


async def _found(stage: ToolsStage, case: Case, block: tuple[Tool, ...]) -> Found:
    messages = ({"role": "user", "content": case.question},)
    request = ChatRequest(model="any", messages=messages, tools=block, own_tools=True)
    verdict = await stage(request)
    sent = verdict.request.tools if isinstance(verdict, Change) else request.tools
    names = tuple(name for tool in sent if (name := name_of(tool)))
    return Found(case=case, names=names, tokens=count_tools(sent))


def figures(found: Sequence[Found]) -> dict[str, float]:
    """Shares of the wanted tools and of whole requests that are served, and of talk that gets none; mean sizes."""
    asked = [one for one in found if one.case.wanted]
    several = [one for one in asked if len(one.case.wanted) > 1]
    talk = [one for one in found if not one.case.wanted]
    wanted = sum(len(one.case.wanted) for one in asked)
    return {
        "requests": len(asked),
        "recall": _share(wanted - sum(len(one.missing) for one in asked), wanted),
        "all_wanted": _share(sum(not one.missing for one in asked), len(asked)),
        "several_steps": _share(sum(not one.missing for one in several), len(several)),
        "talk_without": _share(sum(not one.names for one in talk), len(talk)),
        "tools": round(sum(len(one.names) for one in asked) / max(1, len(asked)), 2),
        "tokens": round(sum(one.tokens for one in asked) / max(1, len(asked))),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def missed(found: Sequence[Found]) -> Iterator[str]:
    """A line for each case that lacks a tool."""
    for one in found:
        if one.missing:
            yield f"{one.case.agent}: {one.case.question}\n    lacks {', '.join(sorted(one.missing))}"


async def measure(text: str, max_tools: int) -> dict[str, list[Found]]:
    """What the cases in *text* get, by way (`WAYS`)."""
    tools, cases = read_cases(text)
    embedder = build_embedder(Settings().embedder)
    try:
        return {way: await run(cases, tools, way, embedder, max_tools) for way in WAYS}
    finally:
        embedder.close()


def main(arguments: Sequence[str]) -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.tool_choice", description=__doc__)
    parser.add_argument("--max-tools", type=int, default=10)
    parser.add_argument("--misses", action="store_true", help="also print what is lacking where")
    options = parser.parse_args(arguments)
    found = asyncio.run(measure(packaged(), options.max_tools))
    if options.misses:
        for way, ones in found.items():
            print(f"{way}:", *missed(ones), sep="\n  ")
    told: dict[str, Any] = {way: figures(ones) for way, ones in found.items()}
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
