"""Models of our own as providers of LiteLLM's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from litellm.llms.custom_llm import CustomLLM


@contextmanager
def provided(name: str, model: CustomLLM) -> Iterator[None]:
    """While this lasts, LiteLLM asks *model* for ``name/…``."""
    import litellm
    from litellm import utils

    before, set_up = litellm.custom_provider_map, cast(Any, utils.custom_llm_setup)
    litellm.custom_provider_map = [*before, {"provider": name, "custom_handler": model}]
    set_up()
    try:
        yield
    finally:
        litellm.custom_provider_map = before
