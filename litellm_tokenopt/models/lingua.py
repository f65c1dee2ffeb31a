"""Loads Microsoft's ``llmlingua`` so that it works with the transformers of today, and leaves the process as it was."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from ..errors import ModelUnavailable
from ..tokens import encoding

INSTALL = "pip install 'litellm-tokenopt[llmlingua]'"
_CLASSIFIERS = {"xlm-roberta": "xlm-roberta-large", "bert": "bert-base-multilingual-cased"}
"""llmlingua tells how words are cut by a model's name; these are names that it knows, by kind of model."""


def load_engine(model: str) -> Any:
    """llmlingua's compressor with *model*, a local folder or a hub's name. Blocks; raises `ModelUnavailable`."""
    if find_spec("llmlingua") is None:
        raise ModelUnavailable(f"prompt.compressor llmlingua needs the package llmlingua: {INSTALL}")
    encoding()  # llmlingua asks for the same one, which would be downloaded
    try:
        with _undisturbed():
            return _engine(model)
    except Exception as error:
        raise ModelUnavailable(f"prompt.llmlingua_model {model} can't be loaded: {error}") from error


def _engine(model: str) -> Any:
    from llmlingua import PromptCompressor
    from transformers import AutoConfig, DynamicCache

    class Cache(DynamicCache):
        """A cache that gives (keys, values) of a layer, as those of transformers 4 did."""

        def __getitem__(self, layer: int) -> tuple[Any, Any]:
            return _pairs(self)[layer]

    class Compressor(PromptCompressor):  # type: ignore[misc]
        """Hands the model a cache where llmlingua has a list of pairs, and llmlingua a list where the model has one."""

        def get_ppl(self, *args: Any, past_key_values: Any = None, return_kv: bool = False, **options: Any) -> Any:
            cache = None if past_key_values is None else Cache([tuple(pair) for pair in past_key_values])
            loss, kept = super().get_ppl(*args, past_key_values=cache, return_kv=True, **options)
            return (loss, _pairs(kept)) if return_kv else loss

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


def _pairs(cache: Any) -> list[tuple[Any, Any]]:
    """(keys, values) of each layer."""
    return [(layer.keys, layer.values) for layer in cache.layers]


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
