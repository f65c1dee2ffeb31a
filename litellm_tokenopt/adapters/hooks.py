"""The callback that LiteLLM calls: decide before a deployment is asked, say so in the response's headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.utils import CallTypes

from ..convert import metadata_of
from ..request import Surface
from ..telemetry.summary import headers
from .plugin import Plugin

SURFACES: Mapping[str, Surface] = {
    "completion": "chat",
    "acompletion": "chat",
    "anthropic_messages": "messages",
    "aanthropic_messages": "messages",
    "responses": "responses",
    "aresponses": "responses",
}


class TokenOptCallback(CustomLogger):
    """What stands in ``litellm.callbacks``."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__()
        self.plugin = plugin

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: CallTypes | None
    ) -> dict[str, Any] | None:
        """LiteLLM's hook on every async call; *kwargs* is its own copy."""
        surface = SURFACES.get(getattr(call_type, "value", call_type) or "")
        if surface is None or not ("messages" in kwargs or "input" in kwargs):
            return None
        from .install import keep_slot

        try:
            keep_slot(self.plugin)
            call = await self.plugin.before(kwargs, surface)
            if call is None:
                return None
            self.plugin.apply(call, kwargs)
            if kwargs.get("caching") is False and "model_group" in metadata_of(kwargs):
                kwargs["caching"] = True  # a Router's default, not the caller's wish
        except Exception as error:
            self.plugin.failed("hook", error)
            return None
        return kwargs

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM's word that a call has failed, in any API."""
        self.plugin.abandon(self.plugin.calls.described(kwargs))
        self.plugin.replied(kwargs, start_time, end_time, kwargs.get("exception"))

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same of a sync call."""
        self.plugin.replied(kwargs, start_time, end_time, kwargs.get("exception"))

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """LiteLLM's word that a call was answered, in any API: when, and at what price."""
        self.plugin.replied(kwargs, start_time, end_time)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same of a sync call."""
        self.plugin.replied(kwargs, start_time, end_time)

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: Any,
        response: Any,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, Any] | None = None,
    ) -> dict[str, str] | None:
        """``x-tokenopt-*`` on the proxy's responses, streams included."""
        if not self.plugin.settings.telemetry.headers:
            return None
        call = self.plugin.calls.last(data)
        return headers(call.outcome) if call is not None else None


def installed(callback: Any) -> bool:
    """Whether *callback* stands in LiteLLM's list."""
    return any(item is callback for item in litellm.callbacks)
