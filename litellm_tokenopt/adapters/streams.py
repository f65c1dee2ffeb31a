"""The rounds of one call as one stream.

The first round's stream stays the caller's: LiteLLM's own object, which parses, logs and stores what passes through
it. What is joined are the provider's events *below* it; so LiteLLM sees one reply, with the token counts of all.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import litellm
from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
from litellm.responses.streaming_iterator import ResponsesAPIStreamingIterator, SyncResponsesAPIStreamingIterator

from ..request import Surface
from ..rounds import without_echo
from .event_folds import MessagesFold, ResponsesFold
from .folds import ChatFold, Fold

Below: TypeAlias = Callable[[Any], Any]
"""The provider's events below a stream of LiteLLM's, or an awaitable of them."""

_END = object()


@dataclass(frozen=True, slots=True)
class Following:
    """What follows a round.

    `again` gives the next round's stream, or for async callers an awaitable of it, after a reply that calls our tools;
    None where the model isn't asked again. `dropped` is told the names of our tools whose calls nobody answers.
    """

    again: Callable[[Mapping[str, Any]], Any]
    dropped: Callable[[Iterable[str]], None]


def join(surface: Surface, stream: Any, logging_obj: Any, following: Following) -> Any:
    """*stream*, the first round's, in which the later rounds follow where they belong.

    A stream that LiteLLM makes of another API's comes back as it is: the call inside has been seen to.
    """
    if surface == "chat" and isinstance(stream, CustomStreamWrapper):
        stream.completion_stream = JoinedStream(ChatFold(), _chat_events(stream), _chat_events, following)
    elif surface == "responses" and _is_native(stream):
        stream.stream_iterator = JoinedStream(ResponsesFold(), stream.stream_iterator, _responses_events, following)
    elif surface == "messages" and hasattr(stream, "completion_stream"):
        _join_messages(stream, logging_obj, following)
    return _without_echo(stream)


def join_sync(surface: Surface, stream: Any, following: Following) -> Any:
    """`join`, for callers without a loop (the messages API has none)."""
    if surface == "chat" and isinstance(stream, CustomStreamWrapper):
        stream.completion_stream = JoinedSyncStream(ChatFold(), _chat_events_sync(stream), _chat_events_sync, following)
    elif surface == "responses" and _is_native(stream):
        stream.stream_iterator = JoinedSyncStream(ResponsesFold(), stream.stream_iterator, _responses_events, following)
    return _without_echo(stream)


def watch(surface: Surface, stream: Any, logging_obj: Any, gone: Callable[[], None]) -> None:
    """Have *gone* called where nobody reads *stream* to its end: its reader is cancelled, or it's closed early."""
    if surface == "chat" and isinstance(stream, CustomStreamWrapper):
        stream.completion_stream = _watched(stream.completion_stream, gone)
    elif surface == "responses" and isinstance(stream, ResponsesAPIStreamingIterator) and _is_native(stream):
        stream.stream_iterator = _watched(stream.stream_iterator, gone)
    elif surface == "messages" and hasattr(stream, "completion_stream"):
        _watch_messages(stream, logging_obj, gone)


def _watch_messages(stream: Any, logging_obj: Any, gone: Callable[[], None]) -> None:
    response = getattr(logging_obj, "model_call_details", {}).get("httpx_response")
    if response is None:
        stream.completion_stream = _watched(stream.completion_stream, gone)
        return
    read = response.aiter_bytes
    response.aiter_bytes = lambda *args, **named: WatchedStream(read(*args, **named), gone)


def _watched(source: Any, gone: Callable[[], None]) -> Any:
    return WatchedStream(source, gone) if hasattr(source, "__aiter__") else source


class WatchedStream:
    """The events of *source*; *gone* is called once where its reader goes away before the end, or drops it."""

    def __init__(self, source: Any, gone: Callable[[], None]) -> None:
        self._source = source
        self._events = aiter(source)
        self._gone = gone
        self._over = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._events)
        except asyncio.CancelledError:
            self._leave()
            raise
        except BaseException:
            self._over = True  # the end, or an error, which LiteLLM reports itself
            raise

    async def aclose(self) -> None:
        self._leave()
        close = getattr(self._source, "aclose", None) or getattr(self._source, "close", None)
        closing = close() if close is not None else None
        if inspect.isawaitable(closing):
            await closing

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._gone()


def _without_echo(stream: Any) -> Any:
    """A Responses stream that LiteLLM makes of a chat stream tells what was sent: not that our tools were."""
    sent = getattr(stream, "responses_api_request", None)
    if isinstance(sent, Mapping):
        stream.responses_api_request = without_echo(sent)
    return stream


def _join_messages(stream: Any, logging_obj: Any, following: Following) -> None:
    """Below LiteLLM's own generator are the bytes of an HTTP response; Bedrock's are no events of Anthropic's yet."""
    response = logging_obj.model_call_details.get("httpx_response")
    if response is None or not response.headers.get("content-type", "").startswith("text/event-stream"):
        stream.completion_stream = JoinedStream(MessagesFold(), stream.completion_stream, _completion_stream, following)
        return
    source = response.aiter_bytes()
    rounds = JoinedStream(
        MessagesFold(), source, lambda _: logging_obj.model_call_details["httpx_response"].aiter_bytes(), following
    )
    response.aiter_bytes = lambda *_, **__: rounds


def _is_native(stream: Any) -> bool:
    """Whether a Responses stream reads a provider's own events."""
    kinds = (ResponsesAPIStreamingIterator, SyncResponsesAPIStreamingIterator)
    return isinstance(stream, kinds) and "stream_iterator" in vars(stream)


def _chat_events(stream: Any) -> Any:
    """What a chat stream reads, or an awaitable of it: some streams ask for it at the first step."""
    return stream.completion_stream or stream.make_call(client=litellm.module_level_aclient)


def _chat_events_sync(stream: Any) -> Any:
    return stream.completion_stream or stream.make_call(client=litellm.module_level_client)


def _responses_events(stream: Any) -> Any:
    return stream.stream_iterator


def _completion_stream(stream: Any) -> Any:
    return stream.completion_stream


class _Rounds:
    """What the two kinds of joined streams share: the fold, the model's stream, and what is ready to go on."""

    def __init__(self, fold: Fold, source: Any, below: Below, following: Following) -> None:
        self._fold = fold
        self._source = source
        self._events: Any = None
        self._below = below
        self._following = following
        self._ready: deque[Any] = deque()
        self._ended = False
        self._streams: list[Any] = []

    def _pass_on(self, events: Iterable[Any]) -> None:
        self._ready.extend(events)
        dropped, self._fold.dropped = self._fold.dropped, []
        if dropped:
            self._following.dropped(dropped)

    def _goes_on_with(self, stream: Any) -> None:
        """The model's stream has ended: what comes now is from *stream*, or the rest if that is None."""
        if stream is None:
            self._ended = True
            self._pass_on(self._fold.rest())
            return
        self._fold, self._source, self._events = self._fold.following(), self._below(stream), None
        self._streams.append(stream)  # kept, since LiteLLM's streams tidy up when they are dropped


class JoinedStream(_Rounds):
    """The events of all rounds, for async callers."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._ready:
            if self._ended:
                raise StopAsyncIteration
            event = await self._event()
            if event is not _END:
                self._pass_on(self._fold.feed(event))
                continue
            reply = self._fold.reply()
            self._goes_on_with(None if reply is None else await self._following.again(reply))
        return self._ready.popleft()

    async def _event(self) -> Any:
        if self._events is None:
            source = await self._source if inspect.isawaitable(self._source) else self._source
            self._events = aiter(source) if hasattr(source, "__aiter__") else iter(source)
        if hasattr(self._events, "__anext__"):
            return await anext(self._events, _END)
        return await asyncio.to_thread(next, self._events, _END)

    async def aclose(self) -> None:
        self._ended = True
        close = getattr(self._source, "aclose", None) or getattr(self._source, "close", None)
        closing = close() if close is not None else None
        if inspect.isawaitable(closing):
            await closing


class JoinedSyncStream(_Rounds):
    """The events of all rounds, for callers without a loop."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while not self._ready:
            if self._ended:
                raise StopIteration
            if self._events is None:
                self._events = iter(self._source)
            event = next(self._events, _END)
            if event is not _END:
                self._pass_on(self._fold.feed(event))
                continue
            reply = self._fold.reply()
            self._goes_on_with(None if reply is None else self._following.again(reply))
        return self._ready.popleft()

    def close(self) -> None:
        self._ended = True
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
