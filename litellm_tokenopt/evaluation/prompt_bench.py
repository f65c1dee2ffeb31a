"""What the choice of a prompt's sections takes: ``python -m litellm_tokenopt.evaluation.prompt_bench --tokens 24000``.

Times the prompt stage on generated prompts of so many tokens, or on *--prompt FILE* with every fourth word exchanged,
in milliseconds of the clock, of this process on its processors, and of the event loop's longest wait: at first sight of
a prompt, where one line of a known one has changed, for a new question, for one whose vector another stage has made
already, and for one that was asked before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..models.build import build_embedder
from ..prompt import PromptStage
from ..request import ChatRequest
from ..settings import EmbedderSettings, PromptSettings
from ..tokens import count_text
from .timing import medians, shown, timed

KINDS = ("first sight", "one line changed", "new question", "embedded question", "warm")
CHANGED_SHARE = 0.25

_TOPICS = (
    "refunds couriers invoices warranty bookings payroll incidents suppliers contracts translation charts meetings "
    "vouchers recipes trains playlists surveys archives permits branches"
).split()
_ACTORS = "the clerk,a team lead,the planner,whoever is on call,the night shift,a second agent".split(",")
_DOES = "checks,signs,books,moves,closes,prints,counts,returns,files,approves".split(",")
_THINGS = (
    "the order of the day,an open case,each late parcel,the yellow form,a customer's request,the weekly list,"
    "every entry above the limit,the copy for the archive"
).split(",")
_WHEN = (
    "before noon,within {n} days,if the sum exceeds {n} EUR,after {n} reminders,once a month,in branch {n},"
    "unless form {n}-B says otherwise,as described under {topic}"
).split(",")
_RULES = ("Never close {topic} case {n} without a note.", "Always name the branch when {topic} of group {n} are meant.")
_WORD = re.compile(r"\b[a-z]{4,}\b")


def prompt_of(tokens: int, seed: int = 0) -> str:
    """A system prompt of about so many tokens: headings, paragraphs, lists, tables; every *seed* has another."""
    draw = random.Random(seed)
    parts = [f"You are the assistant of office {seed}.\n\n## Safety rules\n\nNever give out a card number.\n\n"]
    size = count_text(parts[0])
    while size < tokens:
        parts.append(_section(draw, len(parts)))
        size += count_text(parts[-1])
    return "".join(parts)


def _section(draw: random.Random, number: int) -> str:
    topic = draw.choice(_TOPICS)
    title = f"{'#' * draw.choice((2, 2, 3))} {topic.title()} of group {number}\n\n"
    prose = "\n\n".join(" ".join(_sentence(draw) for _ in range(draw.randint(2, 5))) for _ in range(draw.randint(1, 3)))
    items = "\n".join(f"- {_sentence(draw)}" for _ in range(draw.randint(3, 9)))
    rows = "\n".join(f"| {draw.choice(_TOPICS)} | {draw.randint(1, 999)} EUR |" for _ in range(draw.choice((0, 0, 4))))
    table = f"| what | limit |\n|---|---|\n{rows}\n\n" if rows else ""
    rule = draw.choice(_RULES).format(topic=topic, n=draw.randint(1, 999))
    return f"{title}{prose}\n\nSteps for {topic}:\n\n{items}\n\n{rule}\n\n{table}"


def _sentence(draw: random.Random) -> str:
    when = draw.choice(_WHEN).format(n=draw.randint(2, 900), topic=draw.choice(_TOPICS))
    said = f"{draw.choice(_ACTORS)} {draw.choice(_DOES)} {draw.choice(_THINGS)} {when}"
    return f"{said[0].upper()}{said[1:]}, and tells desk {draw.randint(2, 900)} what came of it."


def exchanged(text: str, seed: int) -> str:
    """*text* with every fourth word or so exchanged for another one of it; every *seed* exchanges others."""
    draw = random.Random(seed)
    words = sorted(set(_WORD.findall(text)))
    return _WORD.sub(lambda match: draw.choice(words) if draw.random() < CHANGED_SHARE else match[0], text)


def _request(prompt: str, question: str) -> ChatRequest:
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
    return ChatRequest(model="bench", messages=messages)


async def run(prompts: Sequence[str]) -> dict[str, dict[str, float]]:
    """The median milliseconds of each kind of request (`KINDS`), by part (`PARTS`), over *prompts* but the first."""
    embedder = build_embedder(EmbedderSettings())
    stage = PromptStage(PromptSettings(), embedder)
    await stage(_request(prompts[0], "Warm up: who signs an invoice above the limit?"))
    took: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for seed, prompt in enumerate(prompts[1:]):
        asked = f"Which parcels does the planner have to book for customer {seed}?"
        embedded = f"How many reminders go out before case {seed} is closed?"
        await embedder.embed([embedded])
        kinds: Mapping[str, ChatRequest] = {
            "first sight": _request(prompt, asked),
            "one line changed": _request(f"{prompt}\nToday is day {seed} of the year.", asked),
            "new question": _request(prompt, f"Who approves the payroll of branch {seed} this month?"),
            "embedded question": _request(prompt, embedded),
            "warm": _request(prompt, asked),
        }
        for kind, request in kinds.items():
            took[kind].append(await timed(partial(stage, request)))
    embedder.close()
    return {kind: medians(took[kind]) for kind in KINDS}


def main(arguments: Sequence[str]) -> int:
    """Time, print."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.prompt_bench", description=__doc__)
    parser.add_argument("--tokens", type=int, default=24_000, help="of a generated prompt")
    parser.add_argument("--prompt", type=Path, metavar="FILE", help="a prompt of your own instead")
    parser.add_argument("--rounds", type=int, default=9, help="prompts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    own = options.prompt.read_text(encoding="utf-8") if options.prompt else None
    seeds = range(options.rounds + 1)
    prompts = [exchanged(own, seed) if own else prompt_of(options.tokens, seed) for seed in seeds]
    found: dict[str, Any] = asyncio.run(run(prompts))
    tokens = round(statistics.median(map(count_text, prompts)))
    print(json.dumps({"tokens": tokens, **found}) if options.json else shown(f"{tokens:,} tokens", found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
