"""The composition root: wires settings to stages, stores and models, and owns them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from .additions import ENDLESS, reach_in
from .convert import Border, border_of
from .errors import SettingsError, UnavailableError
from .modules import joined
from .own import Asked, is_own, may_keep, may_offer, read_arguments
from .pipeline import Arm, Mode, Outcome, Pipeline, Split
from .placeholder import filled, has_placeholder
from .replies import payload_of, reply_of
from .request import ChatRequest, Reply, Surface, Tool, canonical, digest, is_system, text_of, tool_name, user_turns
from .rounds import ToolCall, asking_calls, continued, is_decided, name_of, rounds_in, said_in, without_own_tools
from .savings import Price, Rates, Savings, savings_of, usual_rates
from .saying import Sayings
from .settings import Settings, load_settings
from .stage import Answer, Stage
from .taxonomy import read_taxonomy
from .telemetry.recorder import Recorder
from .tokens import RequestCounter

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from .asking import AskModel
    from .background import Background
    from .cache.build import Listeners
    from .cache.manager import SemanticCacheManager
    from .cache.stage import CacheStage
    from .cache.verifier import Verifier
    from .context.summaries import Summaries
    from .models.base import Embedder
    from .prompt.guarded import GuardedCompressor
    from .redis.pool import RedisPool
    from .tools.learning import Learning

logger = logging.getLogger(__name__)

SIMILAR_SHARE = 0.5
"""The part of a request's time budget that the look-up of like questions may take; the rest is the other stages'."""

PATIENCE_SHARE = 0.5
"""Of a request's time budget, what may be spent on waiting for a model that is being loaded."""

RANKING_SHARE = 0.35
"""Of a request's time budget, what may be spent on tools' vectors (then words alone choose), and as much on schemas."""

SUMMARY_SECONDS = 7 * 24 * 3600
"""How long summaries are shared, and which of them a session's cut used: a session that pauses longer is cut anew."""

SESSION_DIGITS = 16
"""Of a session's digest, so much stands for it in spans."""

NO_MORE_ROUNDS = "Nothing more can be looked up: answer with what you have."
NOT_CALLED_YET = "Not called yet: read first what you asked for, then call this again if it's still right."

HostedEmbed = Callable[[list[str]], Awaitable[list[list[float]]]]


class TokenOptimizer:
    """Decides what of a request is sent, and whether it need be sent at all.

    Use it as an async context manager, or call `aclose` at the end; it belongs to the event loop that uses it
    first. *embed* is asked for vectors where ``embedder.backend`` is ``litellm``; *ask* sends messages to the model
    that ``cache.judge_model`` names, which judges nothing without it; *summaries* gives what sends messages to a model
    by its name, that of ``context.summary_model`` (without it nothing is summarised); *price* tells what a model's
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
        self._embed = embed
        self._ask = ask
        self._summaries = summaries
        self._price = price or _no_price
        self._rates = rates
        self._parts: _Parts | None = None
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
    def parts(self) -> _Parts:
        """Stages, stores and models; made at first use, with no I/O."""
        if self._parts is None:
            parts = self._parts = _Parts(
                self.settings, self._embed, self._ask, self._summaries, self._rates, self.recorder
            )  # fmt: skip
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
        mode, started_ns = self._mode(border.request), time.time_ns()
        split = self._split(border.request, mode)
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
        over = number - self.settings.max_rounds
        ours = [call for call in calls if is_own(call.name)]
        if over > 0 and (len(ours) < len(calls) or said_in(surface, payload)):
            return None
        if over == 1:
            return continued(surface, kwargs, payload, dict.fromkeys((call.id for call in calls), NO_MORE_ROUNDS))
        if over > 1:
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
            answer, outcome.original.model, tokens=outcome.tokens_before, seconds=outcome.seconds, price=self._price
        )

    def _mode(self, request: ChatRequest) -> Mode:
        if request.controls.bypass or self.settings.mode == "off" or any(map(is_own, map(tool_name, request.tools))):
            return "bypass"  # what has a tool of ours has been through here
        if self.settings.holdout_fraction and _position(session_of(request)) < self.settings.holdout_fraction:
            return "holdout"
        return self.settings.mode

    def _split(self, request: ChatRequest, mode: Mode) -> Split | None:
        """The side of a request's session, whatever `holdout_fraction` is; None where no sessions are split.

        What stands for the session is another in each experiment.
        """
        experiment = self.settings.experiment
        if mode == "bypass" or not (experiment.name or self.settings.holdout_fraction):
            return None
        session = digest(experiment.name, session_of(request))
        if mode == "holdout" or not experiment.name:
            return Split(session=session[:SESSION_DIGITS])
        arm: Arm = "tried" if _position(session) < experiment.share else "base"
        return Split(session=session[:SESSION_DIGITS], experiment=experiment.name, arm=arm)


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


class _Parts:
    """What an optimizer is made of."""

    def __init__(
        self,
        settings: Settings,
        embed: HostedEmbed | None,
        ask: AskModel | None,
        summaries: Callable[[str], AskModel] | None,
        rates: Rates,
        recorder: Recorder,
    ) -> None:
        # Before any thread of ours: numpy that two threads import at once may be lost to the process.
        import numpy  # noqa: F401

        from .background import Background
        from .cache.build import Beside, build_flights, build_verifier
        from .models.build import build_embedder
        from .redis.pool import RedisPool
        from .redis.vectors import RedisVectorStore

        self.pool = RedisPool(settings.redis)
        name = build_embedder(settings.embedder, hosted=embed).name
        patience = settings.time_budget_seconds * PATIENCE_SHARE
        shared = RedisVectorStore(self.pool, settings.redis.prefix, name, settings.cache.ttl_seconds)
        self.embedder = build_embedder(
            settings.embedder,
            shared=shared if self.pool.enabled else None,
            hosted=embed,
            patience_seconds=patience,
        )
        listeners = _listeners(recorder)
        self.verifier = build_verifier(settings)
        self.cache = _cache(settings, self.pool, self.embedder, self.verifier, listeners)
        self.beside = Beside(settings.cache, self.cache.learner, self.embedder, ask, listeners)
        self.flights = build_flights(settings, self.pool)
        self.compressors: list[GuardedCompressor] = []
        self.summarising = Background(
            settings.context.summaries_per_minute, lambda error: recorder.record_failure("summary", error)
        )
        self.learning: Learning | None = None
        pipeline = partial(self._pipeline, self._answering(settings), rates, summaries, recorder)
        self.pipeline = pipeline(settings)
        tried = settings.tried()
        self.pipelines = {"base": self.pipeline, "tried": self.pipeline if tried is settings else pipeline(tried)}
        self.empty = Pipeline((), counter=RequestCounter)
        self._modules = {"base": joined(settings.prompt.modules), "tried": joined(tried.prompt.modules)}

    def _pipeline(
        self,
        answering: CacheStage,
        rates: Rates,
        summaries: Callable[[str], AskModel] | None,
        recorder: Recorder,
        settings: Settings,
    ) -> Pipeline:
        from .prompt.tags import untagged

        learning = _learning(settings, self.pool, recorder)
        self.learning = self.learning or learning
        summarised = _summaries(settings, summaries, self.summarising, self.pool, recorder)
        compressor = self._compressor(settings)
        return Pipeline(
            _stages(settings, answering, self.embedder, compressor, learning, rates, summarised),
            counter=RequestCounter,
            budget_seconds=settings.time_budget_seconds,
            finish=untagged if settings.prompt.enabled else None,
        )

    def _answering(self, settings: Settings) -> CacheStage:
        from .cache.stage import HOSTED_AT_ONCE, SIMILAR_AT_ONCE, CacheStage

        return CacheStage(
            self.cache,
            self.flights,
            self.beside.looks,
            similar_seconds=settings.time_budget_seconds * SIMILAR_SHARE,
            similar_at_once=HOSTED_AT_ONCE if settings.embedder.backend == "litellm" else SIMILAR_AT_ONCE,
        )

    def _compressor(self, settings: Settings) -> GuardedCompressor:
        from .models.build import build_importance
        from .prompt.guarded import build_compressor

        compressor = build_compressor(settings.prompt, self.embedder, lambda: build_importance(settings.embedder))
        self.compressors.append(compressor)
        return compressor

    @property
    def context_bytes(self) -> int:
        """About so many bytes are held of conversations that go on."""
        from .context.stage import ContextStage

        stages = {stage for pipeline in self.pipelines.values() for stage in pipeline.stages}
        return sum(stage.memory_bytes for stage in stages if isinstance(stage, ContextStage))

    def assembled(self, request: ChatRequest, arm: Arm) -> ChatRequest:
        """*request* with all modules of a side where a system message has their placeholder, for its prompt's stage."""
        if not self._modules[arm] or not any(map(has_placeholder, filter(is_system, request.messages))):
            return request
        return request.with_(messages=filled(request.messages, self._modules[arm]))

    async def aclose(self) -> None:
        """Let go of connections, models and threads."""
        self.cache.close()
        await self.beside.aclose()
        await self.summarising.aclose()
        if self.flights is not None:
            await self.flights.aclose()
        await asyncio.to_thread(self._close_models)
        await self.pool.aclose()

    def _close_models(self) -> None:
        from .models.memory import give_back

        self.embedder.close()
        self.verifier.close()
        for compressor in self.compressors:
            compressor.close()
        give_back()


def _listeners(recorder: Recorder) -> Listeners:
    from .cache.build import Listeners

    return Listeners(
        outcome=recorder.record_check,
        tokens=lambda tokens: recorder.record_check_tokens("judge", tokens),
        error=lambda error: recorder.record_failure("second_look", error),
    )


def _cache(
    settings: Settings, pool: RedisPool, embedder: Embedder, verifier: Verifier, listeners: Listeners
) -> SemanticCacheManager:
    from .cache.build import build_learner, build_store
    from .cache.manager import SemanticCacheManager

    store = build_store(settings, pool, embedder)
    learner = build_learner(settings, pool, embedder, store, listeners)
    return SemanticCacheManager(settings.cache, store, embedder, verifier, learner=learner)


def _learning(settings: Settings, pool: RedisPool, recorder: Recorder) -> Learning | None:
    """What learns from the use of tools; None without Redis, and where what is decided isn't sent."""
    from .tools.learning import Learning, UsageStore

    lessons = settings.tools.lessons
    if lessons == "off" or settings.mode != "on" or not pool.enabled:
        return None
    return Learning(
        UsageStore(pool, settings.redis.prefix),
        canary_fraction=settings.tools.canary_fraction,
        version=None if lessons == "latest" else lessons,
        publish_seconds=settings.tools.publish_hours * 3600,
        observe=lambda events: recorder.record_tools((event.tool, event.what) for event in events),
    )


def _summaries(
    settings: Settings,
    asking: Callable[[str], AskModel] | None,
    calls: Background,
    pool: RedisPool,
    recorder: Recorder,
) -> Summaries | None:
    """A model's summaries; None where none is named, and where what is decided isn't sent."""
    from .context.summaries import Summaries
    from .redis.texts import RedisTexts

    model = settings.context.summary_model
    if model is None or asking is None or settings.mode != "on":
        return None
    begin = f"{settings.redis.prefix}:summary:"
    return Summaries(
        model,
        asking(model),
        calls,
        budget_tokens=settings.context.budget_tokens,
        shared=RedisTexts(pool, begin, SUMMARY_SECONDS) if pool.enabled else None,
        told=recorder.record_summary,
        spent=recorder.record_summary_tokens,
    )


def _stages(
    settings: Settings,
    cache: CacheStage,
    embedder: Embedder,
    compressor: GuardedCompressor,
    learning: Learning | None,
    rates: Rates,
    summaries: Summaries | None,
) -> list[Stage]:
    from .context.stage import ContextStage
    from .models.intents import IntentModel
    from .prompt.squeezing import Squeezing
    from .prompt.stage import PromptStage
    from .tools.stage import ToolsStage

    def intents() -> IntentModel:
        return IntentModel(embedder, read_taxonomy(settings.tools.intents))

    stages: list[Stage] = []
    if settings.cache.enabled:
        stages.append(cache)
    if settings.tools.enabled:
        patience = settings.time_budget_seconds * RANKING_SHARE
        stages.append(ToolsStage(settings.tools, embedder, learning, intents=intents, patience_seconds=patience))
    if settings.prompt.enabled:
        reach = reach_in(settings.context.budget_tokens) if settings.context.enabled else ENDLESS
        choosing = PromptStage(settings.prompt, embedder, intents, reach)
        stages.append(Squeezing(choosing, compressor, settings.prompt.ratios.model_dump()))
    if settings.context.enabled:
        stages.append(ContextStage(settings.context, embedder, rates, summaries))
    return stages


def _no_price(_: str) -> None:
    """Without a price map nothing has a price."""


def session_of(request: ChatRequest) -> str:
    """A digest of what all turns of a session have in common: whose it is, and its first question.

    A system prompt may tell the time, or hold what was looked up for the last question; another model may stand in.
    """
    first = [request.messages[at] for at in user_turns(request.messages)[:1]]
    return digest(repr(request.tenant), *(text_of(m.get("content")) or canonical(m) for m in first))


def _position(session: str) -> float:
    """Where a digest lies in [0, 1)."""
    return int(session[:13], 16) / 16**13


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
