"""How many answers outlive compression: ``python -m litellm_tokenopt.evaluation.answers [FILE.jsonl …]``.

Each line of a file is ``{"context": …, "question": …, "answer": …}``, the answer standing word for word in the context.
The default, `data/answers.jsonl`, was written for this: 102 contexts of eleven kinds, of which the classifier of words
was trained on none. Each context is compressed to a share of its tokens, with the question and without; an answer
survives where its words still stand side by side. `llmlingua` takes part where ``--llmlingua`` names a model for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..errors import InputError, ModelUnavailable
from ..lexical import bm25, term_counts
from ..models.build import build_embedder, build_importance
from ..prompt.extractive import SentenceSelector
from ..prompt.importance import TokenCompressor
from ..prompt.lingua import LinguaCompressor
from ..prompt.words import Span, cut, sentences_of
from ..request import digest
from ..settings import EmbedderSettings
from ..tokens import count_text

DATA = Path(__file__).parent / "data" / "answers.jsonl"
RATIOS = (0.5, 0.33)

Method: TypeAlias = Callable[[str, float, str], Awaitable[str]]
"""Compresses (context, ratio, question); an empty question is none."""
Progress: TypeAlias = Callable[[int, int], None]

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Asked:
    context: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one method does at one ratio: the share of answers that survive, its standard error, tokens left."""

    method: str
    with_question: bool
    ratio: float
    survived: float
    error: float
    tokens_left: float


def read_asked(path: Path) -> list[Asked]:
    """The lines of *path*. Raises `InputError` for a file that can't be read, and for an answer that isn't there."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        asked = [Asked(str(row["context"]), str(row["question"]), str(row["answer"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: {error!r}") from None
    for number, one in enumerate(asked, 1):
        if not survives(one.answer, one.context):
            raise InputError(f"{path}: question {number}: the answer {one.answer!r} doesn't stand in its context")
    if not asked:
        raise InputError(f"{path}: no question in it")
    return asked


def survives(answer: str, text: str) -> bool:
    """Whether the words of *answer* stand side by side in *text*; case and punctuation aside."""
    return f" {_plain(answer)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


# --- what we compare with --------------------------------------------------------------------------------------


async def at_random(context: str, ratio: float, question: str) -> str:
    """Words by chance."""
    words = [match.span() for match in _WORD.finditer(context)]
    order = list(range(len(words)))
    random.Random(digest(context)).shuffle(order)
    return _filled(context, words, order, ratio)


def by_rarity(contexts: Sequence[str]) -> Method:
    """The words that stand in the fewest of *contexts*."""
    seen = Counter(word for context in contexts for word in set(_plain(context).split()))

    async def compress(context: str, ratio: float, question: str) -> str:
        words = [match.span() for match in _WORD.finditer(context)]
        rarity = [sum(seen[part] for part in _plain(context[a:b]).split()) for a, b in words]
        return _filled(context, words, sorted(range(len(words)), key=lambda n: (rarity[n], n)), ratio)

    return compress


async def by_tf_idf(context: str, ratio: float, question: str) -> str:
    """Sentences by the cosine of their terms, weighed by rarity among the context's sentences."""
    spans = sentences_of(context)
    counts = [term_counts(context[a:b]) for a, b in spans]
    spread = Counter(term for count in counts for term in count)
    weights = [_weighed(count, spread, len(spans)) for count in counts]
    wanted = _weighed(term_counts(question or context), spread, len(spans))
    scores = [sum(w * wanted.get(term, 0.0) for term, w in own.items()) for own in weights]
    return _filled(context, spans, _best(scores), ratio)


async def by_bm25(context: str, ratio: float, question: str) -> str:
    """Sentences by BM25."""
    spans = sentences_of(context)
    scores = bm25(dict.fromkeys(term_counts(question or context), 1.0), [term_counts(context[a:b]) for a, b in spans])
    return _filled(context, spans, _best(scores), ratio)


def _weighed(counts: Mapping[str, int], spread: Mapping[str, int], total: int) -> dict[str, float]:
    found = {term: count * math.log((1 + total) / (0.5 + spread.get(term, 0))) for term, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in found.values())) or 1.0
    return {term: weight / length for term, weight in found.items()}


def _best(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda n: (-scores[n], n))


def _filled(text: str, spans: Sequence[Span], order: Sequence[int], ratio: float) -> str:
    """*text* with as many of *spans*, in *order*, as fit; the first in any case, as with our own sentences."""
    room = ratio * count_text(text)
    kept: list[int] = []
    for n in order:
        cost = count_text(f" {text[slice(*spans[n])]}")
        if cost <= room or not kept:
            kept.append(n)
            room -= cost
    return cut(text, [spans[n] for n in sorted(kept)])


# --- measuring -------------------------------------------------------------------------------------------------


def methods(contexts: Sequence[str]) -> dict[str, tuple[Method, bool]]:
    """The methods that need nothing more than the package's own models, by name; whether each reads the question."""
    sentences = SentenceSelector(build_embedder(EmbedderSettings()))
    words = TokenCompressor(build_importance(EmbedderSettings()))
    return {
        "random words": (at_random, False),
        "rare words (IDF)": (by_rarity(contexts), False),
        "sentences by TF-IDF": (by_tf_idf, True),
        "sentences by BM25": (by_bm25, True),
        "extractive": (sentences.compress, True),
        "tokens": (words.compress, False),
    }


async def measure(
    asked: Sequence[Asked],
    found: Mapping[str, tuple[Method, bool]],
    ratios: Sequence[float] = RATIOS,
    progress: Progress = lambda done, total: None,
) -> list[Score]:
    """Each method at each ratio, without the question, and with it where the method reads it.

    *progress* is told (done, total). Raises `ModelUnavailable`.
    """
    runs = [
        (name, method, with_question, ratio)
        for name, (method, reads) in found.items()
        for with_question in ((False, True) if reads else (False,))
        for ratio in ratios
    ]
    scores = []
    for done, (name, method, with_question, ratio) in enumerate(runs, 1):
        scores.append(await _score(asked, name, method, with_question, ratio))
        progress(done, len(runs))
    return scores


async def _score(asked: Sequence[Asked], name: str, method: Method, with_question: bool, ratio: float) -> Score:
    before = after = survived = 0
    known: dict[tuple[str, str], str] = {}
    for one in asked:
        question = one.question if with_question else ""
        text = known.get((one.context, question))
        if text is None:
            text = known[one.context, question] = await method(one.context, ratio, question)
        before, after = before + count_text(one.context), after + count_text(text)
        survived += survives(one.answer, text)
    share = survived / len(asked)
    return Score(
        method=name, with_question=with_question, ratio=ratio, survived=share,
        error=math.sqrt(share * (1 - share) / len(asked)), tokens_left=after / before,
    )  # fmt: skip


def some(asked: Sequence[Asked], limit: int | None) -> Sequence[Asked]:
    """*limit* of *asked*, from all over."""
    return asked if limit is None or limit >= len(asked) else [asked[n * len(asked) // limit] for n in range(limit)]


def main(arguments: Sequence[str]) -> int:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(prog="litellm_tokenopt.evaluation.answers", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[DATA], metavar="FILE.jsonl")
    parser.add_argument("--llmlingua", metavar="MODEL", help="a folder or hub name: llmlingua takes part")
    parser.add_argument("--limit", type=int, help="ask so many questions alone, from all over the files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    asked = some([one for path in options.files for one in read_asked(path)], options.limit)
    contexts = list(dict.fromkeys(one.context for one in asked))
    scores, absent = asyncio.run(_measured(asked, methods(contexts), options.llmlingua))
    if options.json:
        rows = [{name: getattr(score, name) for name in Score.__slots__} for score in scores]
        print(json.dumps({"questions": len(asked), "contexts": len(contexts), "scores": rows, "absent": absent}))
    else:
        _show(scores, absent, f"Answers that survive, of {len(asked):,} to questions about {len(contexts):,} contexts")
    return 0


async def _measured(
    asked: Sequence[Asked], found: Mapping[str, tuple[Method, bool]], model: str | None
) -> tuple[list[Score], dict[str, str]]:
    """The scores of *found* and of llmlingua with *model*, and why a method has none."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    lingua, absent = await _lingua(model)
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("compressing", total=None)
        tell = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731
        return await measure(asked, {**found, **lingua}, progress=tell), absent


async def _lingua(model: str | None) -> tuple[dict[str, tuple[Method, bool]], dict[str, str]]:
    """llmlingua with *model*, or why it can't take part."""
    if model is None:
        return {}, {"llmlingua": "needs a model: --llmlingua FOLDER or a hub's name"}
    compressor = LinguaCompressor(model)
    try:
        await compressor.load()
    except ModelUnavailable as error:
        return {}, {"llmlingua": str(error)}
    return {"llmlingua": (compressor.compress, True)}, {}


def _show(scores: Sequence[Score], absent: Mapping[str, str], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    cells = {(score.method, score.with_question, score.ratio): score for score in scores}
    columns = [(with_question, ratio) for with_question in (True, False) for ratio in RATIOS]
    heads = [f"{'with' if with_question else 'without'} the question, {ratio:.0%}" for with_question, ratio in columns]
    table = Table("", *heads, title=title)
    for method in dict.fromkeys(score.method for score in scores):
        table.add_row(method, *(_cell(cells.get((method, *column))) for column in columns))
    for method in absent:
        table.add_row(method, *("not measured" for _ in columns))
    console = Console(width=max(120, Console().width))
    console.print(table)
    for method, why in absent.items():
        console.print(f"{method}: {why}", markup=False)
    console.print("± is the standard error; in brackets what is left of the tokens.")


def _cell(score: Score | None) -> str:
    return "-" if score is None else f"{score.survived:.1%} ± {score.error:.1%} ({score.tokens_left:.0%})"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (InputError, ModelUnavailable) as problem:
        sys.exit(f"error: {problem}")
