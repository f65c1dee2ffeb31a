"""What each stage costs on the demonstration's requests: `make bench`.

Cold is the first sight of a session (whose prompt and tools the process has seen), warm the same session a turn later.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from litellm_tokenopt import TokenOptimizer
from litellm_tokenopt.pipeline import Outcome

AGENT = Path(__file__).parent / "agent"


def requests(run: int, turn: int) -> dict[str, Any]:
    """A request of over 50,000 tokens: *run* tells sessions apart, *turn* is how far this one has come."""
    sessions = [json.loads(path.read_text()) for path in sorted((AGENT / "sessions").glob("*.json"))]
    session = sessions[run % len(sessions)]
    prompt = f"{(AGENT / 'system_prompt.md').read_text()}\nSession {run}."
    messages = [{"role": "system", "content": prompt}, *session["history"]]
    for at, asked in enumerate(session["turns"][: turn + 1]):
        messages.append({"role": "user", "content": asked["question"]})
        if at < turn:
            messages.append({"role": "assistant", "content": asked["answer"]})
    return {
        "model": "gpt-4o",
        "user": f"bench-{run}",
        "messages": messages,
        "tools": json.loads((AGENT / "tools.json").read_text()),
    }


async def measure(runs: int, show: bool) -> dict[str, Any]:
    """Milliseconds (median) of the whole and of each stage, at first sight, cold and warm."""
    took: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    async with TokenOptimizer({"redis": {"url": "memory"}, "time_budget_seconds": 600}) as optimizer:

        async def once(kind: str, run: int, turn: int) -> Outcome:
            request = requests(run, turn)
            start = time.perf_counter()
            outcome = await optimizer.before(request)
            assert outcome is not None
            took[kind]["all"].append((time.perf_counter() - start) * 1000)
            for step in outcome.steps:
                took[kind][step.stage].append(step.seconds * 1000)
            return outcome

        await optimizer.before({"model": "m", "messages": [{"role": "user", "content": "hello"}]})
        outcome = await once("first sight", 0, 0)
        for run in track(range(1, runs + 1), description="Measuring", console=Console(stderr=True), disable=not show):
            await once("cold", run, 0)
            await once("warm", run, 1)
    medians = {kind: {k: round(statistics.median(v), 2) for k, v in stages.items()} for kind, stages in took.items()}
    return {"runs": runs, "tokens": outcome.tokens_before, "milliseconds": medians}


def table(figures: dict[str, Any]) -> Table:
    """The same for people."""
    shown = Table(title=f"Milliseconds added (median of {figures['runs']}), {figures['tokens']:,} tokens a request")
    stages = ["all", "cache", "tools", "prompt", "context"]
    for column in ("", *stages):
        shown.add_column(column, justify="right" if column else "left")
    for kind, by_stage in figures["milliseconds"].items():
        shown.add_row(kind, *(f"{by_stage.get(stage, 0):,.1f}" for stage in stages))
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.runs, show=not options.json))
    if options.json:
        print(json.dumps(figures))
    else:
        Console().print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
