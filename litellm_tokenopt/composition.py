"""The composition root: wires settings to stages, stores and models, and owns them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .additions import ENDLESS, reach_in
from .modules import joined
from .pipeline import Arm, Pipeline
from .placeholder import filled, has_placeholder
from .request import ChatRequest, is_system
from .savings import Rates
from .settings import Settings
from .stage import Stage
from .taxonomy import read_taxonomy
from .telemetry.recorder import Recorder
from .tokens import RequestCounter

if TYPE_CHECKING:
    from .asking import AskModel
    from .cache.build import Listeners
    from .cache.manager import SemanticCacheManager
    from .cache.stage import CacheStage
    from .cache.verifier import Verifier
    from .context.summaries import Summaries
    from .models.base import Embedder
    from .models.intents import IntentModel
    from .models.memoised import MemoisedEmbedder
    from .prompt.guarded import GuardedCompressor
    from .redis.pool import RedisPool
    from .tools.learning import Learning

SIMILAR_SHARE = 0.5
"""The part of a request's time budget that the look-up of like questions may take; the rest is the other stages'."""

PATIENCE_SHARE = 0.5
"""Of a request's time budget, what may be spent on waiting for a model that is being loaded."""

RANKING_SHARE = 0.35
"""Of a request's time budget, what may be spent on tools' vectors (then words alone choose), and as much on schemas."""

SUMMARY_SECONDS = 7 * 24 * 3600
"""How long summaries are shared, and which of them a session's cut used: a session that pauses longer is cut anew."""

HostedEmbed = Callable[[list[str]], Awaitable[list[list[float]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is handed in: functions that ask models, what a prompt cache costs, and who writes down what was done."""

    embed: HostedEmbed | None
    ask: AskModel | None
    summaries: Callable[[str], AskModel] | None
    rates: Rates
    recorder: Recorder


class Parts:
    """What an optimizer is made of; made with no I/O."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        # Before any thread of ours: numpy that two threads import at once may be lost to the process.
        import numpy  # noqa: F401

        from .background import Background
        from .cache.build import Beside, build_flights, build_verifier
        from .redis.pool import RedisPool

        recorder, context, tried = outside.recorder, settings.context, settings.tried()
        listeners = _listeners(recorder)
        self._outside = outside
        self.pool = RedisPool(settings.redis)
        self.embedder = _embedder(settings, self.pool, outside.embed)
        self.verifier = build_verifier(settings)
        self.cache = _cache(settings, self.pool, self.embedder, self.verifier, listeners)
        self.beside = Beside(settings.cache, self.cache.learner, self.embedder, outside.ask, listeners)
        self.flights = build_flights(settings, self.pool)
        self.compressors: list[GuardedCompressor] = []
        self.summarising = Background(
            context.summaries_per_minute, lambda error: recorder.record_failure("summary", error)
        )  # fmt: skip
        self.learning: Learning | None = None
        answering = self._answering(settings)
        self.pipeline = self._pipeline(settings, answering)
        self.pipelines = {
            "base": self.pipeline,
            "tried": self.pipeline if tried is settings else self._pipeline(tried, answering),
        }
        self.empty = Pipeline((), counter=RequestCounter)
        self._modules = {"base": joined(settings.prompt.modules), "tried": joined(tried.prompt.modules)}

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

    # --- one side's pipeline ----------------------------------------------------------------------------------

    def _pipeline(self, settings: Settings, answering: CacheStage) -> Pipeline:
        from .prompt.tags import untagged

        return Pipeline(
            self._stages(settings, answering),
            counter=RequestCounter,
            budget_seconds=settings.time_budget_seconds,
            finish=untagged if settings.prompt.enabled else None,
        )

    def _stages(self, settings: Settings, answering: CacheStage) -> list[Stage]:
        """The stages that are on, in their order."""
        stages: list[Stage] = [answering] if settings.cache.enabled else []
        if settings.tools.enabled:
            stages.append(self._tools(settings))
        if settings.prompt.enabled:
            stages.append(self._prompt(settings))
        if settings.context.enabled:
            stages.append(self._context(settings))
        return stages

    def _answering(self, settings: Settings) -> CacheStage:
        from .cache.stage import HOSTED_AT_ONCE, SIMILAR_AT_ONCE, CacheStage

        return CacheStage(
            self.cache,
            self.flights,
            self.beside.looks,
            similar_seconds=settings.time_budget_seconds * SIMILAR_SHARE,
            similar_at_once=HOSTED_AT_ONCE if settings.embedder.backend == "litellm" else SIMILAR_AT_ONCE,
        )

    def _tools(self, settings: Settings) -> Stage:
        from .tools.stage import ToolsStage

        learning = _learning(settings, self.pool, self._outside.recorder)
        self.learning = self.learning or learning
        patience = settings.time_budget_seconds * RANKING_SHARE
        intents = self._intents(settings)
        return ToolsStage(settings.tools, self.embedder, learning, intents=intents, patience_seconds=patience)

    def _prompt(self, settings: Settings) -> Stage:
        from .models.build import build_importance
        from .prompt.guarded import build_compressor
        from .prompt.squeezing import Squeezing
        from .prompt.stage import PromptStage

        compressor = build_compressor(settings.prompt, self.embedder, lambda: build_importance(settings.embedder))
        self.compressors.append(compressor)
        reach = reach_in(settings.context.budget_tokens) if settings.context.enabled else ENDLESS
        choosing = PromptStage(settings.prompt, self.embedder, self._intents(settings), reach)
        return Squeezing(choosing, compressor, settings.prompt.ratios.model_dump())

    def _context(self, settings: Settings) -> Stage:
        from .context.stage import ContextStage

        return ContextStage(settings.context, self._outside.rates, self._summaries(settings))

    def _intents(self, settings: Settings) -> Callable[[], IntentModel]:
        from .models.intents import IntentModel

        return lambda: IntentModel(self.embedder, read_taxonomy(settings.tools.intents))

    def _summaries(self, settings: Settings) -> Summaries | None:
        """A model's summaries, or, where none can be asked, those that others have made; None where none is named, and
        where what is decided isn't sent."""
        from .context.summaries import Summaries
        from .redis.texts import RedisTexts

        model, asking, recorder = settings.context.summary_model, self._outside.summaries, self._outside.recorder
        if model is None or settings.mode != "on":
            return None
        begin = f"{settings.redis.prefix}:summary:"
        return Summaries(
            model,
            asking(model) if asking is not None else None,
            self.summarising,
            budget_tokens=settings.context.budget_tokens,
            shared=RedisTexts(self.pool, begin, SUMMARY_SECONDS) if self.pool.enabled else None,
            told=recorder.record_summary,
            spent=recorder.record_summary_tokens,
        )


def _embedder(settings: Settings, pool: RedisPool, embed: HostedEmbed | None) -> MemoisedEmbedder:
    from .models.build import build_embedder
    from .redis.vectors import RedisVectorStore

    name = build_embedder(settings.embedder, hosted=embed).name
    shared = RedisVectorStore(pool, settings.redis.prefix, name, settings.cache.ttl_seconds)
    return build_embedder(
        settings.embedder,
        shared=shared if pool.enabled else None,
        hosted=embed,
        patience_seconds=settings.time_budget_seconds * PATIENCE_SHARE,
    )


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
