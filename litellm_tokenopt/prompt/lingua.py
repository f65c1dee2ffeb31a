"""Microsoft's ``llmlingua`` as a text compressor: LLMLingua, LongLLMLingua and LLMLingua-2, by the kind of model.

(https://arxiv.org/abs/2310.05736, https://arxiv.org/abs/2310.06839, https://arxiv.org/abs/2403.12968.) What it gives
back is re-tokenised: words cut, glued or lower-cased. So only its choice of words is taken; the text's own are written,
and those that must stay (`words.firm`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial
from typing import Any

from ..models.lingua import load_engine
from ..models.once import Once
from ..models.workers import Workers
from ..tokens import count_text
from .words import Span, cut, firm, words_of

CHUNK_CHARS = 6_000
"""Longer texts are compressed part by part: finding the words again takes time that grows with the square."""

_PART = re.compile(r"\w+")


class LinguaCompressor:
    """Compresses with *model*, a local folder or a hub's name. Loads nothing before its first text.

    A token classifier compresses as LLMLingua-2 does, a causal model as LongLLMLingua where there is a question, else
    as LLMLingua.
    """

    name = "llmlingua"

    def __init__(self, model: str) -> None:
        self._engine: Once[Any] = Once(partial(load_engine, model))
        self._workers = Workers(1, "tokenopt-lingua")

    async def compress(self, text: str, ratio: float, question: str = "") -> str:
        """`TextCompressor.compress`. Raises `ModelUnavailable`."""
        if ratio >= 1 or not text.strip():
            return text
        engine = await self._engine.get()
        return await self._workers.run(_compressed, engine, text, ratio, question)

    def close(self) -> None:
        """End the thread, and let go of the model. A later text starts them again."""
        self._workers.close()
        self._engine.forget()


def _compressed(engine: Any, text: str, ratio: float, question: str) -> str:
    words = words_of(text)
    kept = set[int]()
    for first, last in _chunks(words):
        start, end = words[first][0], words[last - 1][1]
        part = text[start:end]
        chosen = _found_again(
            [(a - start, b - start) for a, b in words[first:last]], part, _ask(engine, part, ratio, question)
        )
        kept.update(first + n for n in chosen)
    kept.update(n for n, stays in enumerate(firm(text, words)) if stays)
    found = cut(text, [words[n] for n in sorted(kept)])
    return found if found.strip() and count_text(found) < count_text(text) else text


def _ask(engine: Any, text: str, ratio: float, question: str) -> str:
    if engine.use_llmlingua2:
        result = engine.compress_prompt([text], rate=ratio)
    elif question:
        result = engine.compress_prompt(
            [part for part in text.split("\n\n") if part.strip()], question=question, rate=ratio,
            rank_method="longllmlingua", condition_in_question="after_condition", condition_compare=True,
            reorder_context="original", dynamic_context_compression_ratio=0.3, concate_question=False,
        )  # fmt: skip
    else:
        result = engine.compress_prompt([text], rate=ratio, use_context_level_filter=False)
    return str(result["compressed_prompt"])


def _chunks(words: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """Words by number, from and to, of some thousand characters."""
    first = 0
    for n, (_, end) in enumerate(words):
        if end - words[first][0] > CHUNK_CHARS or n + 1 == len(words):
            yield first, n + 1
            first = n + 1


def _found_again(words: Sequence[Span], text: str, shorter: str) -> set[int]:
    """Which of *words* of *text* are in *shorter*, whatever became of their case and the marks beside them."""
    parts = [(n, part.lower()) for n, (a, b) in enumerate(words) for part in _PART.findall(text[a:b])]
    there = [part.lower() for part in _PART.findall(shorter)]
    matcher = SequenceMatcher(None, [part for _, part in parts], there, autojunk=False)
    return {parts[n][0] for block in matcher.get_matching_blocks() for n in range(block.a, block.a + block.size)}
