"""The cache object that LiteLLM asks: it hands out what the hook decided, and takes replies in.

LiteLLM does the rest: it replays hits as plain replies or streams in each API, logs them as hits at no cost, and
keeps to ``no-cache`` and ``no-store``. An operator's own cache goes on working behind it, under the request as it
came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import litellm
from litellm.caching.caching import Cache
from litellm.caching.in_memory_cache import InMemoryCache
from litellm.types.caching import CACHED_STREAM_EVENTS_KEY

from ..replies import events_from_message
from .calls import KEY_PREFIX, Call
from .plugin import Plugin
from .portal import PortalClosed

OUR_CALL_TYPES: tuple[Any, ...] = (
    "completion",
    "acompletion",
    "anthropic_messages",
    "aanthropic_messages",
    "responses",
    "aresponses",
)
_CALLBACK_LISTS = ("input_callback", "success_callback", "_async_success_callback")


class DeliveryCache(Cache):
    """Sits in ``litellm.cache``; *operator* is the cache that was there before, or None."""

    def __init__(self, plugin: Plugin, operator: Cache | None) -> None:
        before = {name: list(getattr(litellm, name)) for name in _CALLBACK_LISTS}
        super().__init__(_backend=operator.cache if operator else InMemoryCache(), max_messages=None)
        if operator is None:
            # LiteLLM's constructor adds its log-only "cache" callbacks; without an operator's cache they say nothing.
            for name, value in before.items():
                getattr(litellm, name)[:] = value
        self._plugin = plugin
        self.operator = operator
        types: list[Any] = list(operator.supported_call_types or ()) if operator else []
        self.supported_call_types = list(dict.fromkeys([*types, *OUR_CALL_TYPES]))
        if operator is not None:
            self.type, self.namespace, self.ttl, self.mode = (
                operator.type,
                operator.namespace,
                operator.ttl,
                operator.mode,
            )

    def get_cache_key(self, **kwargs: Any) -> str:
        """Our own key for a call that may be decided on (even before it is); an operator's for all else."""
        ours = getattr(kwargs.get("litellm_logging_obj"), "call_type", None) in OUR_CALL_TYPES
        if self.operator is not None and not ours:
            return str(self.operator.get_cache_key(**kwargs))
        return self._plugin.calls.ticket(kwargs) or f"{KEY_PREFIX}{kwargs.get('litellm_call_id')}"

    def get_cache(self, dynamic_cache_object: Any = None, **kwargs: Any) -> Any:
        call = self._plugin.calls.of(kwargs)
        if call is not None and call.payload is not None:
            return replay(call, kwargs)
        if self._asks_operator(call):
            return self.operator.get_cache(dynamic_cache_object, **_original(call, kwargs))  # type: ignore[union-attr]
        return None

    async def async_get_cache(self, dynamic_cache_object: Any = None, **kwargs: Any) -> Any:
        call = self._plugin.calls.of(kwargs)
        if call is not None and call.payload is not None:
            return replay(call, kwargs)
        if self._asks_operator(call):
            return await self.operator.async_get_cache(dynamic_cache_object, **_original(call, kwargs))  # type: ignore[union-attr]
        return None

    def add_cache(self, result: Any, **kwargs: Any) -> None:
        call = self._plugin.calls.of(kwargs)
        self._plugin.after(call, result)
        if self._asks_operator(call):
            self.operator.add_cache(result, **_original(call, kwargs))  # type: ignore[union-attr]

    async def async_add_cache(self, result: Any, dynamic_cache_object: Any = None, **kwargs: Any) -> None:
        call = self._plugin.calls.of(kwargs)
        stored = self._plugin.after(call, result)
        if self._asks_operator(call):
            await self.operator.async_add_cache(result, dynamic_cache_object, **_original(call, kwargs))  # type: ignore[union-attr]
        if stored is not None:
            with suppress(PortalClosed):
                await self._plugin.portal.result(stored)

    async def async_add_cache_pipeline(self, result: Any, dynamic_cache_object: Any = None, **kwargs: Any) -> None:
        if self.operator is not None:
            await self.operator.async_add_cache_pipeline(result, dynamic_cache_object, **kwargs)

    def should_use_cache(self, **kwargs: Any) -> bool:
        return True

    def _asks_operator(self, call: Call | None) -> bool:
        return self.operator is not None and (call is None or call.operator_cache)


def _original(call: Call | None, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """*kwargs* with the request as it came in, and without our own key: an operator's cache makes its own."""
    given = {**kwargs, **call.border.native_kwargs} if call is not None else dict(kwargs)
    if str(given.get("cache_key")).startswith(KEY_PREFIX):
        del given["cache_key"]
    return given


def replay(call: Call, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cached payload in the form that LiteLLM replays: for an Anthropic stream its events."""
    payload = call.payload or {}
    if call.surface == "messages" and kwargs.get("stream") is True:
        return {CACHED_STREAM_EVENTS_KEY: events_from_message(payload)}
    return dict(payload)
