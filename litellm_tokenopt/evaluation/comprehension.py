"""What a model answers from compressed contexts: ``python -m litellm_tokenopt.evaluation.comprehension [FILE …]``.

The questions of `evaluation.answers` are asked of a model, with the whole context and with what a compressor leaves of
it. An answer is right where the words that were wanted stand in it. *Kept* is the share of the accuracy that is left.
The default model is a small one that comes in a package (`small_model`); ``--model`` takes any of LiteLLM's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, variance
from typing import TypeAlias

from ..errors import InputError, ModelUnavailable
from ..tokens import count_text
from .answers import DATA, RATIOS, Asked, Method, Progress, methods, read_asked, some, survives
from .small_model import packaged_model

Ask: TypeAlias = Callable[[str, str], str]
"""The model's answer to (context, question)."""

METHODS = ("extractive", "tokens", "sentences by BM25", "random words")
"""Those that are asked about, with the question where they read it."""

ANSWER_TOKENS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """The share of right answers with one method's contexts, of the whole ones' share, each with its standard error."""

    method: str
    ratio: float
    accuracy: float
    error: float
    kept: float
    kept_error: float
    tokens_left: float


def asking(model: str) -> Ask:
    """Asks *model* through LiteLLM, with temperature 0."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    def ask(context: str, question: str) -> str:
        prompt = f"{context}\n\nQuestion: {question}\nAnswer from the text above, in a few words."
        messages = [{"role": "user", "content": prompt}]
        reply = litellm.completion(model=model, messages=messages, temperature=0, max_tokens=ANSWER_TOKENS)
        return str(reply.choices[0].message.content or "")

    return ask


async def understand(
    asked: Sequence[Asked],
    found: Mapping[str, tuple[Method, bool]],
    ask: Ask,
    ratios: Sequence[float] = RATIOS,
    progress: Progress = lambda done, total: None,
) -> list[Understood]:
    """Each of *found* (a method, and whether it reads the question) at each ratio, after the whole contexts.

    *progress* is told (done, total), in questions. Raises `ModelUnavailable`, and what *ask* raises.
    """
    runs = [(name, ratio) for name in found for ratio in ratios]
    right = _marked(ask, progress, (1 + len(runs)) * len(asked))
    whole = [right(one, one.context) for one in asked]
    rows = [_compared("whole context", 1.0, whole, whole, 1.0)]
    for name, ratio in runs:
        method, reads = found[name]
        texts = [await method(one.context, ratio, one.question if reads else "") for one in asked]
        left = sum(map(count_text, texts)) / sum(count_text(one.context) for one in asked)
        answers = [right(one, text) for one, text in zip(asked, texts, strict=True)]
        rows.append(_compared(name, ratio, whole, answers, left))
    return rows


def _marked(ask: Ask, progress: Progress, total: int) -> Callable[[Asked, str], bool]:
    """What asks a question and says whether the answer is right, and of each of the *total* that it's done."""
    counted = itertools.count(1)

    def right(one: Asked, context: str) -> bool:
        answer = ask(context, one.question)
        progress(next(counted), total)
        return survives(one.answer, answer)

    return right


def _compared(method: str, ratio: float, whole: Sequence[bool], some: Sequence[bool], left: float) -> Understood:
    """The ratio of two shares of the same questions; its error by the delta method, in pairs."""
    n, before, after = len(whole), fmean(whole), fmean(some)
    kept = after / before if before else math.nan
    spread = variance([b - kept * a for a, b in zip(whole, some, strict=True)]) if n > 1 and before else math.nan
    return Understood(
        method=method, ratio=ratio, accuracy=after, error=math.sqrt(after * (1 - after) / n),
        kept=kept, kept_error=math.sqrt(spread / n) / before if before else math.nan, tokens_left=left,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Ask, print a table or JSON."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.comprehension", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[DATA], metavar="FILE.jsonl")
    parser.add_argument("--model", help="any of LiteLLM's models; without it the packaged one")
    parser.add_argument("--limit", type=int, help="ask so many questions alone, from all over the files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    asked = some([one for path in options.files for one in read_asked(path)], options.limit)
    every = methods(list(dict.fromkeys(one.context for one in asked)))
    with nullcontext(options.model) if options.model else packaged_model() as model:
        rows = _understood(asked, {name: every[name] for name in METHODS}, asking(model))
    if options.json:
        found = [{name: getattr(row, name) for name in Understood.__slots__} for row in rows]
        print(json.dumps({"model": model, "questions": len(asked), "rows": found}))
    else:
        _show(rows, f"What {model} answers rightly, of {len(asked):,} questions")
    return 0


def _understood(asked: Sequence[Asked], found: Mapping[str, tuple[Method, bool]], ask: Ask) -> list[Understood]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking", total=None)
        tell = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731
        return asyncio.run(understand(asked, found, ask, progress=tell))


def _show(rows: Sequence[Understood], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "tokens left", "right", "of what the whole contexts give", title=title)
    for row in rows:
        name = row.method if row.ratio == 1 else f"{row.method}, to {row.ratio:.0%}"
        right, kept = f"{row.accuracy:.1%} ± {row.error:.1%}", f"{row.kept:.1%} ± {row.kept_error:.1%}"
        table.add_row(name, f"{row.tokens_left:.0%}", right, "" if row.ratio == 1 else kept)
    console = Console(width=max(100, Console().width))
    console.print(table)
    console.print("± is the standard error.")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (InputError, ModelUnavailable) as problem:
        sys.exit(f"error: {problem}")
