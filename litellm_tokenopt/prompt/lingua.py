"""Microsoft's ``llmlingua`` as a text compressor: LLMLingua, LongLLMLingua and LLMLingua-2, by the kind of model.

(https://arxiv.org/abs/2310.05736, https://arxiv.org/abs/2310.06839, https://arxiv.org/abs/2403.12968.) What it gives
back is re-tokenised: words cut, glued or lower-cased. So only its choice of words is taken; the text's own are written,
and those that must stay (`words.firm`).
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from importlib.util import find_spec
from typing import Any

from ..errors import ModelUnavailable
from ..models.once import Once
from ..models.workers import Workers
from ..tokens import count_text, encoding
from .words import Span, cut, firm, words_of

INSTALL = "pip install 'litellm-tokenopt[llmlingua]'"
CHUNK_CHARS = 6_000
"""Longer texts are compressed part by part: finding the words again takes time that grows with the square."""

_PART = re.compile(r"\w+")
_CLASSIFIERS = {"xlm-roberta": "xlm-roberta-large", "bert": "bert-base-multilingual-cased"}
"""llmlingua tells how words are cut by a model's name; these are names that it knows, by kind of model."""


class LinguaCompressor:
    """Compresses with *model*, a local folder or a hub's name. Loads nothing before its first text.

    A token classifier compresses as LLMLingua-2 does, a causal model as LongLLMLingua where there is a question, else
    as LLMLingua.
    """

    name = "llmlingua"

    def __init__(self, model: str) -> None:
        self._model = model
        self._engine: Once[Any] = Once(self._load)
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

    def _load(self) -> Any:
        if find_spec("llmlingua") is None:
            raise ModelUnavailable(f"prompt.compressor llmlingua needs the package llmlingua: {INSTALL}")
        encoding()  # llmlingua asks for the same one, which would be downloaded
        try:
            with _undisturbed():
                return _engine(self._model)
        except Exception as error:
            raise ModelUnavailable(f"prompt.llmlingua_model {self._model} can't be loaded: {error}") from error


def _engine(model: str) -> Any:
    """llmlingua's compressor, as it works with the transformers of today."""
    from llmlingua import PromptCompressor
    from transformers import AutoConfig, DynamicCache

    class Cache(DynamicCache):
        """A cache that gives (keys, values) of a layer, as those of transformers 4 did."""

        def __getitem__(self, layer: int) -> tuple[Any, Any]:
            return self.layers[layer].keys, self.layers[layer].values

    class Compressor(PromptCompressor):
        """Hands the model a cache where llmlingua has a list of pairs, and llmlingua a list where the model has one."""

        def get_ppl(self, *args: Any, past_key_values: Any = None, return_kv: bool = False, **options: Any) -> Any:
            cache = None if past_key_values is None else Cache([tuple(pair) for pair in past_key_values])
            loss, kept = super().get_ppl(*args, past_key_values=cache, return_kv=True, **options)
            return (loss, [(layer.keys, layer.values) for layer in kept.layers]) if return_kv else loss

    config = AutoConfig.from_pretrained(model, trust_remote_code=False)
    classifies = any("ForTokenClassification" in name for name in config.architectures or ())
    if classifies and config.model_type not in _CLASSIFIERS:
        raise ModelUnavailable(f"a token classifier of type {config.model_type}; {', '.join(_CLASSIFIERS)} are known")
    engine = Compressor(
        model, device_map="cpu", use_llmlingua2=classifies, model_config={"trust_remote_code": False}
    )  # fmt: skip
    if classifies:
        engine.model_name = _CLASSIFIERS[config.model_type]
    engine.model.eval()
    return engine


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


@contextmanager
def _undisturbed() -> Iterator[None]:
    """llmlingua seeds every generator of random numbers in the process, and sets an environment variable."""
    import numpy as np
    import torch

    state, arrays, seed = random.getstate(), np.random.get_state(), os.environ.get("PYTHONHASHSEED")
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(arrays)
            os.environ.pop("PYTHONHASHSEED", None)
            if seed is not None:
                os.environ["PYTHONHASHSEED"] = seed
