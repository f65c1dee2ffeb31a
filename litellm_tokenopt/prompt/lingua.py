"""Microsoft's ``llmlingua`` as a text compressor: LLMLingua, LongLLMLingua and LLMLingua-2, by the kind of model.

(https://arxiv.org/abs/2310.05736, https://arxiv.org/abs/2310.06839, https://arxiv.org/abs/2403.12968.) What it gives
back is re-tokenised: words cut, glued or lower-cased. So only its choice of words is taken; the text's own are written,
and those that must stay (`words.firm`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial
from typing import Any

from ..models.lingua import load_engine
from ..models.once import Once
from ..models.workers import Workers
from ..tokens import count_text
from .words import Span, cut, firm, sentences_of, words_of

CHUNK_CHARS = 6_000
"""Longer texts are compressed part by part: finding the words again takes time that grows with the square."""
STEP_TOKENS = 200
"""A causal model shortens so many tokens at a time, and leaves fewer alone: of short texts a step is smaller."""
SPARE_TOKENS = 100
"""LongLLMLingua's choice of parts for a question leaves so many tokens more than are wanted."""
LEAST_RATE = 0.05

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

    async def load(self) -> None:
        """Load the model now. Raises `ModelUnavailable`."""
        await self._engine.get()

    def close(self) -> None:
        """End the thread, and let go of the model. A later text starts them again."""
        self._workers.close()
        self._engine.forget()


def _compressed(engine: Any, text: str, ratio: float, question: str) -> str:
    words = words_of(text)
    stays = firm(text, words)
    rate = _rate_beside(text, words, stays, ratio)
    kept = {n for n, firmly in enumerate(stays) if firmly}
    for first, last in _chunks(words):
        start, end = words[first][0], words[last - 1][1]
        part = text[start:end]
        chosen = _found_again(
            [(a - start, b - start) for a, b in words[first:last]], part, _ask(engine, part, rate, question)
        )
        kept.update(first + n for n in chosen)
    found = cut(text, [words[n] for n in sorted(kept)])
    return found if found.strip() and count_text(found) < count_text(text) else text


def _rate_beside(text: str, words: Sequence[Span], stays: Sequence[bool], ratio: float) -> float:
    """The share of all else that may be left, where what *stays* counts towards *ratio*."""
    total = count_text(text)
    firm_tokens = sum(count_text(f" {text[a:b]}") for (a, b), firmly in zip(words, stays, strict=True) if firmly)
    return max(LEAST_RATE, (ratio * total - firm_tokens) / max(1, total - firm_tokens))


def _ask(engine: Any, text: str, rate: float, question: str) -> str:
    if engine.use_llmlingua2:
        result = engine.compress_prompt([text], rate=rate)
    elif question:
        tokens = engine.get_token_length(text)
        result = engine.compress_prompt(
            _parts(text), question=question, rate=rate, iterative_size=_step(min(tokens, rate * tokens + SPARE_TOKENS)),
            rank_method="longllmlingua", condition_in_question="after_condition", condition_compare=True,
            reorder_context="original", dynamic_context_compression_ratio=0.3, concate_question=False,
            context_budget=f"+{SPARE_TOKENS}",
        )  # fmt: skip
    else:
        step = _step(engine.get_token_length(text))
        result = engine.compress_prompt([text], rate=rate, use_context_level_filter=False, iterative_size=step)
    return str(result["compressed_prompt"])


def _parts(text: str) -> list[str]:
    """The paragraphs of *text*, or the sentences of its only one."""
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return paragraphs if len(paragraphs) > 1 else [text[a:b] for a, b in sentences_of(text)]


def _step(tokens: float) -> int:
    """Tokens at a time, so that the last step is as long as the others: what is over would stay whole."""
    return max(1, int(tokens / max(1, math.ceil(tokens / STEP_TOKENS))))


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
