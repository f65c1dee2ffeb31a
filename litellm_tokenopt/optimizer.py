"""The optimizer: what is sent in place of a request, and what is done with the reply."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from .composition import HostedEmbed, Outside, Parts
from .convert import Border, border_of
from .errors import SettingsError, UnavailableError
from .own import Asked, is_own, may_keep, may_offer, read_arguments
from .pipeline import Outcome
from .replies import payload_of, reply_of
from .request import ChatRequest, Reply, Surface, Tool, tool_name
from .rounds import ToolCall, asking_calls, continued, is_decided, name_of, rounds_in, said_in, without_own_tools
from .savings import Price, Rates, Savings, savings_of, usual_rates
from .saying import Sayings
from .sessions import mode_of, split_of
from .settings import Settings, load_settings
from .stage import Answer
from .telemetry.recorder import Recorder

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from .asking import AskModel
    from .cache.manager import SemanticCacheManager
    from .models.base import Embedder
    from .redis.pool import RedisPool

logger = logging.getLogger(__name__)

NO_MORE_ROUNDS = "Nothing more can be looked up: answer with what you have."
NOT_CALLED_YET = "Not called yet: read first what you asked for, then call this again if it's still right."


class TokenOptimizer:
    """Decides what of a request is sent, and whether it need be sent at all.

    Use it as an async context manager, or call `aclose` at the end; it belongs to the event loop that uses it
    first. *embed* is asked for vectors where ``embedder.backend`` is ``litellm``; *ask* sends messages to the model
    that ``cache.judge_model`` names, which judges nothing without it; *summaries* gives what sends messages to a model
    by its name, that of ``context.summary_model`` (without it nothing more is); *price* tells what a model's
    tokens cost, *rates* what its provider takes for the use of a prompt cache.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any] | str | PathLike[str] | None = None,
        *,
        embed: HostedEmbed | None = None,
        ask: AskModel | None = None,
        summaries: Callable[[str], AskModel] | None = None,
        price: Price | None = None,
        rates: Rates = usual_rates,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings = load_settings(settings)
        self.recorder = recorder or Recorder(self.settings.telemetry)
        self._outside = Outside(embed=embed, ask=ask, summaries=summaries, rates=rates, recorder=self.recorder)
        self._price = price or _no_price
        self._parts: Parts | None = None
        self._say = Sayings(logger)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections, let go of models and their threads, and send what telemetry still holds."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.aclose()
        await asyncio.to_thread(self.recorder.close)

    async def warm(self) -> None:
        """Load what the first request would wait for, and wait until that's done. Raises `ModelUnavailable`.

        A model behind an API is not asked.
        """
        from .models.build import ready
        from .tokens import encoding

        if self.settings.mode != "off":
            await asyncio.gather(ready(self.parts.embedder), asyncio.to_thread(encoding))

    async def warm_verifier(self) -> None:
        """Load what the first question like a stored one would wait for; without it, rules decide."""
        cache = self.settings.cache
        if self.settings.mode != "off" and cache.enabled and cache.max_wrong_rate > 0:
            await self.parts.verifier.ready()

    @property
    def parts(self) -> Parts:
        """Stages, stores and models; made at first use, with no I/O."""
        if self._parts is None:
            parts = self._parts = Parts(self.settings, self._outside)
            if parts.pool.enabled:
                self.recorder.watch_redis(lambda: parts.pool.answering)
            self.recorder.watch_cache(lambda: parts.cache.learner.known)
            self.recorder.watch_memory(lambda: parts.context_bytes)
        return self._parts

    async def before(
        self,
        kwargs: Mapping[str, Any],
        surface: Surface = "chat",
        *,
        own_tools: bool = False,
        parent: Span | Context | None = None,
        tracer: Tracer | None = None,
    ) -> Outcome | None:
        """What to send in place of the request in *kwargs* (`Outcome.changes`), or the reply to give at once.

        *kwargs* are the API's own keyword arguments. None where they hold no request that we understand. With
        *own_tools* the model may get tools by which it asks for what was left out: the caller takes each reply to
        `next_request` then.
        """
        border = border_of(kwargs, surface)
        if border is None:
            return None
        return await self.decide(border, own_tools=own_tools, parent=parent, tracer=tracer)

    async def decide(
        self,
        border: Border,
        *,
        own_tools: bool = False,
        parent: Span | Context | None = None,
        tracer: Tracer | None = None,
    ) -> Outcome:
        """`before`, for a request that is already converted."""
        rounds = own_tools and self.settings.max_rounds > 0
        self._tell_unread(border.request)
        mode, started_ns = mode_of(self.settings, border.request), time.time_ns()
        split = split_of(self.settings, border.request, mode)
        arm = split.arm if split is not None and split.arm is not None else "base"
        came_in = self.parts.assembled(border.request, arm)
        request = came_in.with_(own_tools=rounds and may_offer(came_in), keeps_own_tools=rounds and may_keep(came_in))
        pipeline = self.parts.pipelines[arm] if mode in ("on", "shadow") else self.parts.empty
        outcome = replace(await pipeline.before(request), mode=mode, border=border, split=split)
        if outcome.reply is None or mode != "on":
            outcome = replace(outcome, changes=border.outgoing(outcome.request if mode == "on" else came_in))
        outcome = replace(outcome, savings=self._savings(outcome))
        trace = self.recorder.record(
            outcome, started_ns=started_ns, surface=request.surface, model=request.model, parent=parent, tracer=tracer
        )
        return replace(outcome, trace=trace)

    async def next_request(
        self, outcome: Outcome, kwargs: Mapping[str, Any], response: Any, surface: Surface | None = None
    ) -> dict[str, Any] | None:
        """The arguments to change in *kwargs* for the next request, where *response* calls a tool of ours.

        *kwargs* are those of the request that *response* answers, in *surface*'s API (the outcome's own, unless
        LiteLLM answers it by another). None where the reply is for the caller: give it without calls of our tools
        (`rounds.without_own_calls`). Calls of the caller's tools beside ours wait: the model may make them again. After
        ``max_rounds`` rounds the reply is the caller's, unless it is nothing but calls of ours: then the model is told
        once to answer, and in the end gets the request as it came in, with all that it may ask for.
        """
        surface = surface or outcome.original.surface
        payload = payload_of(response)
        offered = bool(outcome.offers) and is_decided(surface, kwargs)
        calls = asking_calls(surface, payload) if offered and payload is not None else ()
        if payload is None or outcome.border is None or not calls:
            return None
        number = rounds_in(surface, kwargs) + 1
        ours = [call for call in calls if is_own(call.name)]
        if number > self.settings.max_rounds:
            if len(ours) < len(calls) or said_in(surface, payload):
                return None
            if number == self.settings.max_rounds + 1:
                return continued(surface, kwargs, payload, dict.fromkeys((call.id for call in calls), NO_MORE_ROUNDS))
            return outcome.undone() if surface == outcome.original.surface else None
        answers, found = await self._answers(outcome, kwargs, ours)
        self.recorder.record_asked(outcome, [call.name for call in ours])
        tools = list(kwargs.get("tools") or ())
        if number >= self.settings.max_rounds:
            tools = without_own_tools(tools) or tools  # what called tools must have some, for providers
        return {
            **continued(surface, kwargs, payload, {call.id: answers.get(call.id, NOT_CALLED_YET) for call in calls}),
            "tools": [*tools, *(outcome.border.tool(tool, surface) for tool in found)],
        }

    async def _answers(
        self, outcome: Outcome, kwargs: Mapping[str, Any], calls: Sequence[ToolCall]
    ) -> tuple[dict[str, str], list[Tool]]:
        """(call id → answer, the tools found)."""
        answers: dict[str, str] = {}
        found: dict[str | None, Tool] = {}
        there = {name_of(tool) for tool in kwargs.get("tools") or ()}
        for call in calls:
            tools = [tool for tool in outcome.original.tools if tool_name(tool) in there.union(found)]
            asked = Asked(
                original=outcome.original,
                sent=outcome.request.with_(tools=tuple(tools)),
                arguments=read_arguments(call.arguments),
            )
            answer = await self.parts.pipeline.answer(outcome, call.name, asked)
            answers[call.id] = answer.text
            found.update((tool_name(tool), tool) for tool in answer.tools if tool_name(tool) not in there)
        return answers, list(found.values())

    async def after(self, outcome: Outcome, response: Any) -> None:
        """Do what was to be done with the model's *response* (an object of the API, a dict, JSON, or a `Reply`)."""
        reply = response if isinstance(response, Reply) else reply_of(outcome.original.surface, response)
        if reply is not None:
            results = await self.parts.pipeline.after(outcome, reply)
            self.recorder.record_stores(outcome, results)

    def abandon(self, outcome: Outcome) -> None:
        """Say that no reply is to be expected: the call failed, was cancelled, or isn't made. On the event loop."""
        if self._parts is not None:
            self._parts.pipeline.abandon(outcome)

    async def health(self) -> dict[str, dict[str, Any]]:
        """The state of each part: ``{"redis": {"ok": …}, "embedder": {"ok": …}, "cache": {"ok": …}}``."""
        return {
            "redis": await _redis_health(self.parts.pool),
            "embedder": await _embedder_health(self.parts.embedder),
            "cache": await _cache_health(self.parts.cache),
        }

    def _tell_unread(self, request: ChatRequest) -> None:
        """Say once, and count, what a caller set for one request and nobody can read."""
        for name in request.controls.unread:
            error = SettingsError(f"metadata.{name} can't be read, and counts as not given")
            self._say(name, "%s (said once, counted each time)", error)
            self.recorder.record_failure("override", error)

    def _savings(self, outcome: Outcome) -> Savings | None:
        answer = next((step.verdict for step in outcome.steps if isinstance(step.verdict, Answer)), None)
        if answer is None:
            return None
        return savings_of(
            answer,
            outcome.original.priced_models,
            tokens=outcome.tokens_before,
            seconds=outcome.seconds,
            price=self._price,
        )


@asynccontextmanager
async def open_cache(
    settings: Settings | Mapping[str, Any] | str | PathLike[str] | None = None, *, embed: HostedEmbed | None = None
) -> AsyncIterator[SemanticCacheManager]:
    """The answer cache that *settings* ask for, by itself: its store, its models and its verifier, ready for use.

    *embed* is asked for vectors where ``embedder.backend`` is ``litellm``. At the end all is closed: the cache's
    methods raise `UnavailableError` then. Raises `ModelUnavailable` where there is no model.
    """
    from .models.build import ready

    async with TokenOptimizer(settings, embed=embed) as optimizer:
        if optimizer.settings.cache.max_wrong_rate > 0:
            await asyncio.gather(ready(optimizer.parts.embedder), optimizer.parts.verifier.ready())
        yield optimizer.parts.cache


def _no_price(_: str) -> None:
    """Without a price map nothing has a price."""


async def _redis_health(pool: RedisPool) -> dict[str, Any]:
    if not pool.enabled:
        return {"ok": True, "url": "memory"}
    facts = await pool.health()
    return {"ok": bool(facts["reachable"] and facts.get("search")), **facts}


async def _cache_health(cache: SemanticCacheManager) -> dict[str, Any]:
    """``indexes`` are those of the answers in Redis; none yet is fine, as the first answer makes one."""
    facts = await cache.health()
    indexes = facts.get("indexes", [])
    ok = bool(facts["reachable"]) and all(index["as_named"] for index in indexes)
    return {"ok": ok, "store": facts["store"], "indexes": indexes}


async def _embedder_health(embedder: Embedder) -> dict[str, Any]:
    try:
        await embedder.embed(["health"])
    except UnavailableError as error:
        return {"ok": False, "error": str(error)}
    return {"ok": True, "name": embedder.name, "dimensions": embedder.dimensions}
