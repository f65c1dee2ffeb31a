"""The way in where LiteLLM has no hook: sync calls, and async ones with positional arguments.

LiteLLM's entry points are functions inside a decorator; names imported earlier still refer to the decorated one. So
the wrapper's own reference to the inner function, a closure cell, is what gets replaced, and put back by `restore`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from types import CellType
from typing import Any
from weakref import WeakMethod, proxy

from ..request import Surface
from .answering import Answering
from .calls import Call
from .delivery import replay
from .plugin import Plugin
from .streams import watch

logger = logging.getLogger("litellm_tokenopt")

Function = Callable[..., Any]
_ASYNC_MARKS = ("acompletion", "aresponses", "_arealtime", "async_call")


class Interposer:
    """Stands between one decorated LiteLLM function and the function inside it."""

    def __init__(self, entry: Function, surface: Surface, plugin: Plugin) -> None:
        self._surface = surface
        self._plugin = plugin
        self._cell = original_cell(entry)
        self._original: Function | None = self._cell.cell_contents if self._cell is not None else None
        if self._cell is None or self._original is None:
            logger.warning("%s has changed; calls of it may pass on as they are", getattr(entry, "__name__", entry))
            return
        self._signature = inspect.signature(self._original)
        replaced = self._async if inspect.iscoroutinefunction(self._original) else self._sync
        self._replacement = wraps(self._original)(_plain_function(replaced))
        self._cell.cell_contents = self._replacement

    @property
    def installed(self) -> bool:
        """Whether it stands there."""
        return self._cell is not None and self._original is not None

    def restore(self) -> None:
        """Put the inner function back, unless somebody else has taken the place since."""
        if self._cell is not None and self._cell.cell_contents is self._replacement:
            self._cell.cell_contents = self._original

    def _sync(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert self._original is not None
        if any(kwargs.get(mark) is True for mark in _ASYNC_MARKS):
            return self._original(*args, **kwargs)
        try:
            bound = self._bound(args, kwargs)
            call = self._plugin.before_sync(bound, self._surface)
            if call is not None:
                self._plugin.apply(call, bound)
                if call.payload is not None:
                    return deliver(call, bound, is_async=False)
        except Exception as error:
            self._plugin.failed("interposer", error)
            return self._original(*args, **kwargs)
        with self._plugin.attempting(call):
            result = self._answered(bound)
        return self._captured(call, result)

    def _answered(self, kwargs: dict[str, Any]) -> Any:
        """The model's reply, after as many rounds as it asks for."""
        assert self._original is not None
        call = self._plugin.asked_in(kwargs)
        if call is None:
            return self._original(**kwargs)
        return Answering(self._plugin, call, self._surface, kwargs).run_sync(self._original)

    def _async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[Any]:
        return self._async_call(args, kwargs)

    async def _async_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert self._original is not None
        if not args:  # the hook has seen it
            return await self._attempt(self._plugin.calls.of(kwargs), kwargs)
        try:
            bound = self._bound(args, kwargs)
            call = await self._plugin.before(bound, self._surface)
            if call is not None:
                self._plugin.apply(call, bound)
                if call.payload is not None:
                    return deliver(call, bound, is_async=True)
        except Exception as error:
            self._plugin.failed("interposer", error)
            return await self._original(*args, **kwargs)
        return await self._attempt(call, bound)

    async def _attempt(self, call: Call | None, kwargs: dict[str, Any]) -> Any:
        assert self._original is not None
        asked = self._plugin.asked_in(kwargs)
        with self._plugin.attempting(call):
            if asked is None:
                result = await self._original(**kwargs)
            else:
                result = await Answering(self._plugin, asked, self._surface, kwargs).run(self._original)
        if call is not None and kwargs.get("stream") is True:
            watch(self._surface, result, kwargs.get("litellm_logging_obj"), partial(self._plugin.abandon, call))
        return self._captured(call, result)

    def _captured(self, call: Call | None, result: Any) -> Any:
        """A chat stream hands its reply over the moment it ends: LiteLLM's own task or thread may come too late."""
        for name in ("cache_streaming_response", "async_cache_streaming_response"):
            store = getattr(result, name, None)
            if call is not None and inspect.ismethod(store):
                # Weakly: a stream that holds itself is there until the next full collection, though its reader is gone.
                setattr(result, name, partial(self._capture, call, WeakMethod(store)))
                _hold_weakly(result)
        return result

    def _capture(self, call: Call, store: WeakMethod[Any], processed_chunk: Any, cache_hit: bool) -> Any:
        if not cache_hit:
            self._plugin.after(call, processed_chunk)
        method = store()
        assert method is not None  # the stream itself asks
        return method(processed_chunk=processed_chunk, cache_hit=cache_hit)

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments by name."""
        names = [p.name for p in self._signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        return {**dict(zip(names, args, strict=False)), **kwargs}


def _hold_weakly(stream: Any) -> None:
    """Let the log that *stream* holds not hold the stream in turn, as LiteLLM's log of a sync call does."""
    details = getattr(getattr(stream, "logging_obj", None), "model_call_details", None)
    if isinstance(details, dict) and details.get("original_response") is stream:
        details["original_response"] = proxy(stream)


def _plain_function(method: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> Function:
    if inspect.iscoroutinefunction(method):
        raise TypeError("a plain function is wanted")

    def call(*args: Any, **kwargs: Any) -> Any:
        return method(args, kwargs)

    return call


def original_cell(entry: Function) -> CellType | None:
    """The closure cell through which LiteLLM's decorator reaches the function inside it."""
    wrapper: Any = entry
    while wrapper is not None:
        code = getattr(wrapper, "__code__", None)
        if code is not None and "original_function" in code.co_freevars:
            cell = wrapper.__closure__[code.co_freevars.index("original_function")]
            return cell if isinstance(cell, CellType) else None
        wrapper = getattr(wrapper, "__wrapped__", None)
    return None


def deliver(call: Call, kwargs: Mapping[str, Any], *, is_async: bool) -> Any:
    """A cached reply as the object or stream that the caller waits for, logged as a hit."""
    logging_obj = kwargs["litellm_logging_obj"]
    name = {"chat": "completion", "responses": "responses", "messages": "anthropic_messages"}[call.surface]
    provider = kwargs.get("custom_llm_provider")
    handler, payload, model = logging_obj.llm_caching_handler, replay(call, kwargs), str(kwargs.get("model"))
    handler._update_litellm_logging_obj_environment(
        logging_obj=logging_obj,
        model=model,
        kwargs=dict(kwargs),
        cached_result=payload,
        is_async=is_async,
        custom_llm_provider=provider,
    )
    logging_obj.model_call_details["cache_hit"] = True
    if kwargs.get("stream") is not True:  # a replayed stream says itself that it's a hit
        for success in ("success_handler", "async_success_handler"):
            setattr(logging_obj, success, partial(getattr(logging_obj, success), cache_hit=True))
    return handler._convert_cached_result_to_model_response(
        cached_result=payload,
        call_type=f"a{name}" if is_async and name != "anthropic_messages" else name,
        kwargs=dict(kwargs),
        logging_obj=logging_obj,
        model=model,
        args=(),
        custom_llm_provider=provider,
    )
