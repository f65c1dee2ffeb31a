"""Asking models through LiteLLM beside the requests: a hit's own question once more, the judge, and summaries."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import litellm

from ..asking import AskModel, Said
from ..convert import metadata_key
from ..request import Surface, field_of
from ..settings import CacheSettings
from .callers_loop import CallersLoop

CALL_SECONDS = 120.0
JUDGE_MAX_TOKENS = 256
SUMMARY_MAX_TOKENS = 1_024
TAG = "tokenopt:{}"
"""Marks our own calls in LiteLLM's logs and spend: ``tokenopt:shadow``, ``tokenopt:judge``, ``tokenopt:summary``."""

# What belongs to the call that was answered, to its stream, or to its event loop.
_OF_THE_CALL = frozenset(
    "cache cache_key caching client context_window_fallback_dict fallbacks litellm_call_id litellm_logging_obj "
    "litellm_trace_id num_retries original_function shared_session stream stream_options".split()
)
_LIVE_METADATA = frozenset({"litellm_parent_otel_span", "hidden_params", "compression_savings"})
_NO_CACHE = {"no-cache": True, "no-store": True}


async def ask_again(kwargs: Mapping[str, Any], surface: Surface, callers: CallersLoop) -> Any:
    """The model's reply to the call in *kwargs*, past every cache and this plugin. Raises what LiteLLM raises."""
    entries: Mapping[Surface, Any] = {
        "chat": litellm.acompletion,
        "responses": litellm.aresponses,
        "messages": litellm.anthropic_messages,
    }
    async with asyncio.timeout(CALL_SECONDS):
        return await callers.run(lambda: entries[surface](**again(kwargs, surface)))


def again(kwargs: Mapping[str, Any], surface: Surface) -> dict[str, Any]:
    """The arguments of the call in *kwargs*, to be made once more, beside it."""
    key = metadata_key(surface)
    given = kwargs.get(key)
    theirs = {name: value for name, value in (given or {}).items() if name not in _LIVE_METADATA}
    kept = {name: value for name, value in kwargs.items() if name not in _OF_THE_CALL and name != "acompletion"}
    return {**kept, key: marked("shadow", theirs), "cache": _NO_CACHE}


def marked(kind: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """*metadata* of a call of our own, which the plugin lets pass."""
    tags, own = metadata.get("tags"), metadata.get("tokenopt")
    return {
        **metadata,
        "tags": [*(tags if isinstance(tags, list) else []), TAG.format(kind)],
        "tokenopt": {**(own if isinstance(own, Mapping) else {}), "bypass": True, "purpose": kind},
    }


def tokens_of(response: Any) -> int:
    """Tokens read and written for *response* of any API; 0 where it doesn't say."""
    usage = field_of(response, "usage")
    total = field_of(usage, "total_tokens")
    if isinstance(total, int):
        return total
    counts = (field_of(usage, name) for name in ("input_tokens", "output_tokens"))
    return sum(count for count in counts if isinstance(count, int))


def litellm_judge(settings: CacheSettings, callers: CallersLoop) -> AskModel | None:
    """The model that the settings name as judge, if they name one; through the proxy's router where that knows it."""
    return None if settings.judge_model is None else _asker(settings.judge_model, "judge", JUDGE_MAX_TOKENS, callers)


def litellm_summaries(model: str, callers: CallersLoop) -> AskModel:
    """*model*, to be asked for summaries; through the proxy's router where that knows it."""
    return _asker(model, "summary", SUMMARY_MAX_TOKENS, callers)


def _asker(model: str, kind: str, max_tokens: int, callers: CallersLoop) -> AskModel:
    async def ask(messages: Sequence[Mapping[str, str]]) -> Said:
        async with asyncio.timeout(CALL_SECONDS):
            response = await callers.run(
                lambda: _completion(model)(
                    model=model, messages=[dict(message) for message in messages], temperature=0,
                    max_tokens=max_tokens, drop_params=True, timeout=CALL_SECONDS, cache=_NO_CACHE,
                    metadata=marked(kind, {}),
                )
            )  # fmt: skip
        return Said(str(response.choices[0].message.content or ""), tokens_of(response))

    return ask


def _completion(model: str) -> Any:
    router: Any = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
    known = router is not None and model in router.get_model_names()
    return router.acompletion if known else litellm.acompletion
