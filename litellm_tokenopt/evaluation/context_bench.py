"""What shortening a conversation takes: ``python -m litellm_tokenopt.evaluation.context_bench --tokens 60000``.

Times the context stage on generated conversations of about so many tokens, in milliseconds of the clock, of this
process on its processors, and of the event loop's longest wait: cold (a worker that has never seen the conversation)
and warm (one turn later). Three shapes: few long messages, an agent's calls of tools, and many short messages. Their
tokens have been counted before, as the pipeline does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from ..context.stage import ContextStage
from ..request import ChatRequest, Message
from ..settings import ContextSettings
from ..tokens import count_message
from .timing import medians, shown, timed

TIMES = ("cold", "warm")

_WORDS = (
    "order refund parcel courier warehouse invoice ledger deploy rollback latency queue tent footprint seam carton "
    "stock promotion price margin supplier batch signature window bridge kernel socket river engine copper sensor"
).split()


def long_messages(seed: int) -> Iterator[Message]:
    """A conversation in messages of about 2,000 tokens, without end."""
    return _talk(random.Random(seed), range(60, 100), range(60, 100))


def short_messages(seed: int) -> Iterator[Message]:
    """The same in messages of about 90 tokens."""
    return _talk(random.Random(seed), range(1, 3), range(4, 10))


def _talk(chance: random.Random, asked: range, answered: range) -> Iterator[Message]:
    while True:
        question = f"What became of the {chance.choice(_WORDS)} and the {chance.choice(_WORDS)} {_id(chance)}?"
        told = _told(chance, chance.choice(asked))
        yield {"role": "user", "content": f"{told} {question}" if chance.random() < 0.5 else told}
        yield {"role": "assistant", "content": _told(chance, chance.choice(answered))}


def agent_loop(seed: int) -> Iterator[Message]:
    """A task, and calls of tools whose results take about 700 tokens: rows, logs, code, prose."""
    chance = random.Random(seed)
    yield {"role": "user", "content": f"Find out why deploys are late, and mend it. {_told(chance, 2)}"}
    for number in range(sys.maxsize):
        name, result = chance.choice(_RESULTS)
        function = {"name": name, "arguments": json.dumps({"of": _id(chance)})}
        call = {"id": f"call-{number}", "type": "function", "function": function}
        yield {"role": "assistant", "content": _told(chance, 1), "tool_calls": [call]}
        yield {"role": "tool", "tool_call_id": f"call-{number}", "content": result(chance)}


def _id(chance: random.Random) -> str:
    return f"FH-{chance.randrange(10**6):06d}"


def _told(chance: random.Random, sentences: int) -> str:
    return " ".join(
        f"The {' '.join(chance.choices(_WORDS, k=6))} of {_id(chance)} was {chance.choice(_WORDS)} at "
        f"{chance.randrange(500)}.50 GBP."
        for _ in range(sentences)
    )


def _rows(chance: random.Random) -> str:
    return json.dumps(
        [{"id": _id(chance), "of": chance.choice(_WORDS), "note": _told(chance, 1)} for _ in range(16)], indent=1
    )


def _log(chance: random.Random) -> str:
    levels = ("INFO", "INFO", "INFO", "WARN", "ERROR")
    return "\n".join(
        f"2026-05-04 10:{minute:02d}:11 {chance.choice(levels)} {' '.join(chance.choices(_WORDS, k=2))} took "
        f"{chance.randrange(900)} ms for {_id(chance)}"
        for minute in range(24)
    )


def _code(chance: random.Random) -> str:
    return "\n".join(
        f"def {chance.choice(_WORDS)}_{number}(self):\n"
        f"    {chance.choice(_WORDS)} = {chance.choice(_WORDS)}({number})\n    return {chance.choice(_WORDS)}\n"
        for number in range(24)
    )


_RESULTS: Sequence[tuple[str, Callable[[random.Random], str]]] = (
    ("list_orders", _rows),
    ("read_logs", _log),
    ("read_file", _code),
    ("search", lambda chance: _told(chance, 20)),
)
SHAPES: Mapping[str, Callable[[int], Iterator[Message]]] = {
    "long messages": long_messages,
    "agent's tools": agent_loop,
    "short messages": short_messages,
}


def conversation(shape: str, tokens: int, seed: int) -> list[Message]:
    """A conversation of that shape in about *tokens* tokens; every *seed* has another."""
    messages: list[Message] = []
    stream = SHAPES[shape](seed)
    while tokens > 0 or messages[-1]["role"] == "assistant":
        messages += islice(stream, 1)
        tokens -= count_message(messages[-1])
    return messages


def _request(messages: Sequence[Message]) -> ChatRequest:
    return ChatRequest(model="bench", messages=tuple(dict(message) for message in messages))


async def run(tokens: int, rounds: int) -> dict[str, dict[str, Any]]:
    """By shape: how many messages, and by time (`TIMES`) the median milliseconds of all rounds by part (`PARTS`)."""
    found: dict[str, dict[str, Any]] = {}
    for shape in SHAPES:
        took: dict[str, list[dict[str, float]]] = {time: [] for time in TIMES}
        for seed in range(rounds + 1):
            messages = conversation(shape, tokens, seed)
            later = [
                {"role": "assistant", "content": "It arrived."},
                {"role": "user", "content": "And the river sensor?"},
            ]
            stage = ContextStage(ContextSettings())
            for time, sent in zip(TIMES, (messages, [*messages, *later]), strict=True):
                took[time].append(await timed(partial(stage, _request(sent))))
        found[shape] = {"messages": len(messages)} | {
            time: medians(took[time][1:]) for time in TIMES
        }  # the first round has warmed up
    return found


def main(arguments: Sequence[str]) -> int:
    """Time, print."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.context_bench", description=__doc__)
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5, help="conversations of each shape")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = asyncio.run(run(options.tokens, options.rounds))
    rows = {f"{shape} ({of['messages']}), {time}": of[time] for shape, of in found.items() for time in TIMES}
    text = (
        json.dumps({"tokens": options.tokens, **found}) if options.json else shown(f"{options.tokens:,} tokens", rows)
    )
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
