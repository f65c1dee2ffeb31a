"""The model may ask for what was left out: its calls of our own tools are answered here, and it's asked again.

This stands where LiteLLM's entry points call the provider (see `interpose`): so a call is one call for LiteLLM, with
one log entry and the token counts of all its rounds, and callers get the last reply alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

import httpx

from ..replies import payload_of
from ..request import Surface, text_of
from ..rounds import added, is_decided, own_names, said_in, without_own_calls
from .calls import Call
from .plugin import Plugin
from .portal import PortalClosed
from .streams import Following, join, join_sync

Kwargs: TypeAlias = dict[str, Any]


class Answering:
    """One call whose model may call our tools. `kwargs` are those of the request that was sent last."""

    def __init__(self, plugin: Plugin, call: Call, surface: Surface, kwargs: Kwargs) -> None:
        self.kwargs = kwargs
        self._plugin = plugin
        self._call = call
        self._surface = surface
        self._usage: Mapping[str, Any] | None = None
        self._said: list[Any] = []

    async def run(self, original: Callable[..., Awaitable[Any]]) -> Any:
        """The reply for the caller of *original*, or a stream of it."""
        result = await original(**self.kwargs)
        if self.kwargs.get("stream") is True:
            rounds = Following(self._again(original), self._dropped)
            return join(self._surface, result, self.kwargs.get("litellm_logging_obj"), rounds)
        while (payload := payload_of(result)) is not None and await self.next(payload):
            result = await original(**self.kwargs)
        return self._finished(result)

    def run_sync(self, original: Callable[..., Any]) -> Any:
        """`run`, without a loop."""
        result = original(**self.kwargs)
        if self.kwargs.get("stream") is True:
            return join_sync(self._surface, result, Following(self._again_sync(original), self._dropped))
        while (payload := payload_of(result)) is not None and self.next_sync(payload):
            result = original(**self.kwargs)
        return self._finished(result)

    async def next(self, payload: Mapping[str, Any]) -> bool:
        """Whether the model is to be asked again after the reply *payload*: with `kwargs` then."""
        work = self._plugin.optimizer.next_request(self._call.outcome, self.kwargs, payload, self._surface)
        try:
            return self._goes_on(payload, await self._plugin.portal.wait(work))
        except PortalClosed:
            return False
        except Exception as error:
            self._plugin.failed("answering", error)
            return False

    def next_sync(self, payload: Mapping[str, Any]) -> bool:
        """`next`, without a loop."""
        work = self._plugin.optimizer.next_request(self._call.outcome, self.kwargs, payload, self._surface)
        try:
            return self._goes_on(payload, self._plugin.portal.run(work))
        except PortalClosed:
            return False
        except Exception as error:
            self._plugin.failed("answering", error)
            return False

    def _again(self, original: Callable[..., Awaitable[Any]]) -> Callable[[Mapping[str, Any]], Awaitable[Any]]:
        async def again(payload: Mapping[str, Any]) -> Any:
            return await original(**self.kwargs) if await self.next(payload) else None

        return again

    def _again_sync(self, original: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
        return lambda payload: original(**self.kwargs) if self.next_sync(payload) else None

    def _goes_on(self, payload: Mapping[str, Any], changes: Mapping[str, Any] | None) -> bool:
        if changes is None:
            return False
        self._usage = added(self._usage, payload.get("usage") or {})
        self._said += said_in(self._surface, payload)
        self.kwargs = {**self.kwargs, **changes}
        self._call.undone = not is_decided(self._surface, self.kwargs)
        return True

    def _dropped(self, names: Iterable[str]) -> None:
        self._plugin.optimizer.recorder.record_asked(self._call.outcome, names, "dropped")

    def _finished(self, result: Any) -> Any:
        """The last reply as the caller gets it: with what was said before, and the token counts of all rounds."""
        payload = payload_of(result)
        if payload is None:
            return result
        self._dropped(own_names(self._surface, payload))
        shown = with_said(self._surface, without_own_calls(self._surface, payload), self._said)
        _write(self._surface, result, shown)
        if self._usage is not None:
            _write_usage(result, self._usage)
            _write_logged(self.kwargs.get("litellm_logging_obj"), result)
        return result


def with_said(surface: Surface, payload: Mapping[str, Any], said: list[Any]) -> Mapping[str, Any]:
    """The last reply with what was *said* in earlier rounds in front."""
    if not said:
        return payload
    if surface == "messages":
        return {**payload, "content": [*said, *payload["content"]]}
    if surface == "responses":
        return {**payload, "output": [*said, *payload["output"]]}
    choice, *rest = payload["choices"]
    message = choice["message"]
    texts = [*said, *filter(None, [text_of(message.get("content"))])]
    return {**payload, "choices": [{**choice, "message": {**message, "content": "\n\n".join(texts)}}, *rest]}


def _write(surface: Surface, result: Any, shown: Mapping[str, Any]) -> None:
    """Put what callers may see into LiteLLM's own object, where that differs."""
    if isinstance(result, dict):
        result.update(shown)
    elif surface == "responses":
        made = type(result).model_validate(shown)
        result.output, result.tools = made.output, made.tools
    else:
        for choice, wanted in zip(result.choices, shown["choices"], strict=True):
            _write_choice(choice, wanted)


def _write_choice(choice: Any, wanted: Mapping[str, Any]) -> None:
    message, calls = choice.message, wanted["message"].get("tool_calls")
    if len(message.tool_calls or ()) != len(calls or ()):
        kept = {call["id"] for call in calls or ()}
        message.tool_calls = [call for call in message.tool_calls if call.id in kept] or None
        choice.finish_reason = wanted["finish_reason"]
    message.content = wanted["message"].get("content")


def _write_usage(result: Any, before: Mapping[str, Any]) -> None:
    if isinstance(result, dict):
        result["usage"] = added(before, result.get("usage") or {})
    elif getattr(result, "usage", None) is not None:
        total = added(before, result.usage.model_dump(exclude_none=True))
        result.usage = type(result.usage)(**total)


def _write_logged(logging_obj: Any, result: Any) -> None:
    """LiteLLM logs a messages reply from its HTTP response: let that be what the caller gets."""
    details = getattr(logging_obj, "model_call_details", {})
    response = details.get("httpx_response")
    if isinstance(result, dict) and isinstance(response, httpx.Response):
        headers = [(name, value) for name, value in response.headers.items() if not name.startswith("content-")]
        details["httpx_response"] = httpx.Response(response.status_code, headers=headers, json=result)
