"""Compression with its quality looked at: a text that would lose too much is left alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..memo import Memo
from ..models.base import Embedder
from ..models.importance import TokenImportance
from ..request import digest
from ..settings import PromptSettings
from .compressor import TextCompressor
from .extractive import SentenceSelector
from .importance import TokenCompressor
from .lingua import LinguaCompressor
from .quality import Quality, quality
from .words import is_rule, sentences_of

Kind: TypeAlias = Literal["rules", "reference", "examples"]

MEMO_TEXTS = 2_000
_EXAMPLE = re.compile(
    r"^\W*(?:examples?|e\.g\.|for (?:example|instance)|user|assistant|input|output|q|a)\b\s*\d*\s*[:.]",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Compressed:
    """A text in fewer tokens, or as it was: which compressor was asked, what it kept, and whether it's taken."""

    text: str
    compressor: str
    quality: Quality
    taken: bool


class GuardedCompressor:
    """Asks the compressor that fits, *asked* with a question and *unasked* without, and remembers what it said.

    What keeps less of the facts than *min_quality* is not taken.
    """

    def __init__(self, asked: TextCompressor, unasked: TextCompressor, min_quality: float) -> None:
        self._asked = asked
        self._unasked = unasked
        self._min_quality = min_quality
        self._known: Memo[str, Compressed] = Memo(MEMO_TEXTS)

    async def compress(self, text: str, ratio: float, question: str = "") -> Compressed:
        """*text* in about *ratio* of its tokens, or as it was. Raises `ModelUnavailable`."""
        compressor = self._asked if question else self._unasked
        key = digest(text, repr(ratio), question, compressor.name)
        found = self._known.get(key)
        if found is None:
            shorter = await compressor.compress(text, ratio, question)
            found = await asyncio.to_thread(self._judged, text, shorter, question, compressor.name)
            self._known.put(key, found)
        return found

    def close(self) -> None:
        """Let go of the models that were loaded."""
        self._asked.close()
        self._unasked.close()

    def _judged(self, text: str, shorter: str, question: str, name: str) -> Compressed:
        kept = quality(text, shorter, question)
        taken = kept.kept >= self._min_quality and kept.ratio < 1
        return Compressed(shorter if taken else text, name, kept, taken)


def build_compressor(
    settings: PromptSettings, embedder: Embedder, importance: Callable[[], TokenImportance]
) -> GuardedCompressor:
    """What ``prompt.compressor`` asks for; *importance* makes the classifier of words. Loads nothing."""
    if settings.compressor == "llmlingua":
        lingua = LinguaCompressor(settings.llmlingua_model or "")
        return GuardedCompressor(lingua, lingua, settings.min_quality)
    sentences, words = SentenceSelector(embedder), TokenCompressor(importance())
    asked = words if settings.compressor == "tokens" else sentences
    unasked = sentences if settings.compressor == "extractive" else words
    return GuardedCompressor(asked, unasked, settings.min_quality)


def kind_of(text: str) -> Kind:
    """What a text is for, by its sentences: rules, examples, or reference."""
    sentences = [text[start:end] for start, end in sentences_of(text)]
    if len(_EXAMPLE.findall(text)) * 3 >= len(sentences):
        return "examples"
    return "rules" if sum(map(is_rule, sentences)) * 2 >= len(sentences) else "reference"
