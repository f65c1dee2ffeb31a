"""Which providers have a search for tools of their own, and what it is called there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import litellm

from ..request import Surface, Tool

_ANTHROPIC: Tool = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
_OPENAI: Tool = {"type": "tool_search"}


def provider_search(kwargs: Mapping[str, Any], surface: Surface) -> Tool | None:
    """The search tool of the model that *kwargs* ask, in the form in which LiteLLM takes it to the provider.

    None where LiteLLM knows of none (older versions know of no model's), or has no way for it: OpenAI has it in the
    Responses API alone, and of Anthropic's models those at Anthropic are reached by every API.
    """
    supports = getattr(litellm, "supports_tool_search", None)
    if supports is None:
        return None
    try:
        model, provider, *_ = litellm.get_llm_provider(
            str(kwargs.get("model")), kwargs.get("custom_llm_provider"), kwargs.get("api_base")
        )
    except Exception:  # LiteLLM raises its own error for a model that it doesn't know, once it is called
        return None
    found = (
        _ANTHROPIC if provider == "anthropic" else _OPENAI if (provider, surface) == ("openai", "responses") else None
    )
    return found if found is not None and supports(model, provider) else None
