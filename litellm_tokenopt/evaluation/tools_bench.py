"""What the choice of tools takes: ``python -m litellm_tokenopt.evaluation.tools_bench --tools 150``.

Times the tools stage on generated blocks of so many tools, in milliseconds of the clock, of this process on its
processors, and of the event loop's longest wait: at first sight of a block, for a new question, for one that was asked
before, and where one tool of the block has changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..models.build import build_embedder
from ..request import ChatRequest, Tool
from ..settings import EmbedderSettings, ToolsSettings
from ..tools import ToolsStage
from .timing import medians, shown, timed

KINDS = ("first sight", "one tool changed", "new question", "warm")

_VERBS = "create update delete list find send export approve schedule merge archive restore".split()
_THINGS = (
    "invoice ticket booking contract playlist recipe voucher shipment lead survey branch payslip sensor photo course"
).split()
_TRAITS = "open late shared internal signed urgent yearly local printed paid".split()


def block(count: int, seed: int = 0) -> tuple[Tool, ...]:
    """*count* tools with three arguments each; every *seed* has others."""
    return tuple(_tool(number, seed) for number in range(count))


def _tool(number: int, seed: int) -> Tool:
    verb, thing = _VERBS[number % len(_VERBS)], _THINGS[(number // len(_VERBS)) % len(_THINGS)]
    trait = _TRAITS[(number + seed) % len(_TRAITS)]
    name = f"{verb}_{trait}_{thing}_{seed}_{number}"
    arguments = {f"{thing}_id": f"Which {thing}, by its number.", "reason": f"Why to {verb} it.", "limit": "At most."}
    properties = {key: {"type": "string", "description": said} for key, said in arguments.items()}
    said = (
        f"{verb.title()} a {trait} {thing} of account {seed}-{number}, and tell whoever looks after it what was done."
    )
    parameters = {"type": "object", "properties": properties, "required": [f"{thing}_id"]}
    return {"type": "function", "function": {"name": name, "description": said, "parameters": parameters}}


def _request(tools: Sequence[Tool], question: str) -> ChatRequest:
    messages = ({"role": "user", "content": question},)
    return ChatRequest(model="bench", messages=messages, tools=tuple(tools), own_tools=True)


async def run(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """The median milliseconds of each kind of request (`KINDS`), by part (`PARTS`), over so many blocks."""
    embedder = build_embedder(EmbedderSettings())
    stage = ToolsStage(ToolsSettings(), embedder)
    await stage(_request(block(count, 999), "Warm up: which invoices are late?"))
    took: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for seed in range(rounds):
        tools = block(count, seed)
        changed = (*tools[:-1], _tool(count, seed + 1_000))
        asked = f"Find the late invoices of customer {seed} and send each a reminder"
        kinds: Mapping[str, ChatRequest] = {
            "first sight": _request(tools, asked),
            "new question": _request(tools, f"Approve the voucher number {seed}, please"),
            "warm": _request(tools, asked),
            "one tool changed": _request(changed, asked),
        }
        for kind, request in kinds.items():
            took[kind].append(await timed(partial(stage, request)))
    embedder.close()
    return {kind: medians(took[kind]) for kind in KINDS}


def main(arguments: Sequence[str]) -> int:
    """Time, print."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.tools_bench", description=__doc__)
    parser.add_argument("--tools", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5, help="blocks")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = asyncio.run(run(options.tools, options.rounds))
    print(json.dumps({"tools": options.tools, **found}) if options.json else shown(f"{options.tools} tools", found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
