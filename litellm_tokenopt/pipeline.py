"""Run the stages in order, once, and write down what each of them did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from .convert import Border
from .own import Asked, Found, OwnTool, tools_of
from .request import ChatRequest, Reply, tool_name
from .savings import Savings
from .saying import Sayings
from .stage import Answer, Change, Decision, Followup, Keep, Stage, Wait

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

Mode: TypeAlias = Literal["on", "shadow", "holdout", "bypass"]
Arm: TypeAlias = Literal["base", "tried"]

Trace: TypeAlias = "tuple[Tracer, Context]"
"""Where is written down what happens later to a request."""

Count: TypeAlias = Callable[[ChatRequest], Awaitable[int]]
CountOffered: TypeAlias = Callable[[ChatRequest, tuple[OwnTool, ...]], Awaitable[int]]
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage did to one request: tokens before and after it, and the seconds that it took."""

    stage: str
    verdict: Decision
    tokens_before: int
    tokens_after: int
    seconds: float

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where a request stands while sessions are split: a pseudonym of its session, and its side of an experiment."""

    session: str
    experiment: str = ""
    arm: Arm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where a request stands after the last stage.

    `original` came in; `request` is to be sent on, unless `reply` answers it. `followups` wait for the model's reply:
    where `reply` answers, for one that is asked for to compare. `offers` are what answers the calls of our own tools in
    it. `border` holds what came in, in its API's own form; `changes` are the keyword arguments in which what is to be
    sent differs from that. `mode` is on, shadow (decided, but not to be applied), holdout or bypass. `seconds` is the
    whole time taken, `savings` what an answer from the cache saved, `split` is there where sessions are split, `trace`
    where it's written down.
    """

    original: ChatRequest
    request: ChatRequest
    reply: Reply | None = None
    steps: tuple[Step, ...] = ()
    followups: tuple[Followup, ...] = ()
    offers: tuple[OwnTool, ...] = ()
    border: Border | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = "on"
    tokens_before: int = 0
    tokens_after: int = 0
    seconds: float = 0.0
    savings: Savings | None = None
    split: Split | None = None
    trace: Trace | None = None

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after

    def undone(self) -> dict[str, Any]:
        """The keyword arguments that `changes` have changed, as they came in."""
        came = self.border.native_kwargs if self.border is not None else {}
        return {name: came.get(name) for name in self.changes}

    def applied(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """*kwargs*, which came in, with `changes`; without what is None there."""
        gone = {key for key, value in self.changes.items() if value is None}
        return {key: value for key, value in {**kwargs, **self.changes}.items() if key not in gone}


class _Budget:
    """The time, on the event loop's clock, until which the stages may work."""

    def __init__(self, seconds: float) -> None:
        self._now = asyncio.get_running_loop().time
        self.until = self._now() + max(0.0, seconds)

    async def beside(self, work: Awaitable[T]) -> T:
        """What *work* returns; its time isn't taken from the budget."""
        begun = self._now()
        try:
            return await work
        finally:
            self.until += self._now() - begun


class _Way:
    """A request on its way through the stages, and what has come of it so far."""

    def __init__(self, request: ChatRequest, tokens: int) -> None:
        self.request = request
        self.tokens_before = self.tokens = tokens
        self.steps: list[Step] = []
        self.followups: list[Followup] = []
        self.offers: tuple[OwnTool, ...] = ()
        self.reply: Reply | None = None

    def take(self, step: Step, request: ChatRequest) -> None:
        """What a stage has done; *request* is that after it. Where it answers, nothing else is followed up."""
        verdict = step.verdict
        self.steps.append(step)
        self.request, self.tokens = request, step.tokens_after
        if isinstance(verdict, Answer):
            _abandon(self.followups)
            self.reply, self.followups, self.offers = verdict.reply, [], ()
        elif isinstance(verdict, Change):
            self.offers += verdict.offers
        if verdict.then is not None:
            self.followups.append(verdict.then)


class Pipeline:
    """The stages, in their order.

    *counter* makes what counts one request's tokens, before and after each stage. A request may spend
    *budget_seconds* in all the stages together, `Wait`s aside; a stage that would go beyond is dropped, and the
    request goes on as it was. What goes wrong is in the steps each time, and in the log once. *finish* is done to every
    request that goes on, whatever became of the stages: an edit that takes no time.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        counter: Callable[[], Count],
        budget_seconds: float = 2.0,
        finish: Callable[[ChatRequest], ChatRequest] | None = None,
    ) -> None:
        self.stages = tuple(stages)
        self._counter = counter
        self._budget_seconds = budget_seconds
        self._finish = finish
        self._say = Sayings(logger)

    async def before(self, request: ChatRequest) -> Outcome:
        """Take *request* through the stages until one answers it. Raises nothing but cancellation."""
        start = perf_counter()
        count = self._counter()
        way = _Way(request, await count(request))
        budget = _Budget(self._budget_seconds)
        try:
            for stage in self.stages:
                begun = perf_counter()
                with_offers = partial(_count_offered, count, way.offers)
                verdict, changed, after = await self._ask(stage, way.request, way.tokens, with_offers, budget)
                way.take(Step(stage.name, verdict, way.tokens, after, perf_counter() - begun), changed)
                if way.reply is not None:
                    break
        except BaseException:
            _abandon(way.followups)
            raise
        return Outcome(
            original=request, request=self._finished(_offered(way.request, way.offers)), reply=way.reply,
            steps=tuple(way.steps), followups=tuple(way.followups), offers=way.offers,
            tokens_before=way.tokens_before, tokens_after=way.tokens, seconds=perf_counter() - start,
        )  # fmt: skip

    def _finished(self, request: ChatRequest) -> ChatRequest:
        try:
            return request if self._finish is None else self._finish(request)
        except Exception as error:
            self._say("finish", "%r failed; the request passes on", self._finish, error=error)
            return request

    async def answer(self, outcome: Outcome, name: str, asked: Asked) -> Found:
        """What a call of our tool *name* is answered with, by all the stages that offer it.

        Of tools that are found is said what was left out about them.
        """
        offers = [offer for offer in outcome.offers if tool_name(offer.tool) == name]
        given = [await self._found(name, offer.answer(asked)) for offer in offers]
        answers = [found for found in given if found is not None]
        if not answers:
            return Found("Nothing was found.")
        tools = tuple(tool for one in answers for tool in one.tools)
        texts = [one.text for one in answers]
        if names := [tool_name(tool) or "" for tool in tools]:
            texts += filter(None, [await self._found(name, offer.about(names)) for offer in outcome.offers])
        return Found("\n\n".join(texts), tools)

    async def _found(self, name: str, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except Exception as error:
            said = "own tool %r failed; the model is told that nothing was found"
            self._say(f"{name}:{type(error).__name__}", said, name, error=error)
            return None

    async def after(self, outcome: Outcome, reply: Reply) -> tuple[str, ...]:
        """Run what the stages asked to be done with the model's *reply*; what came of it, where that is told."""
        results = [await self._follow(followup, reply) for followup in outcome.followups]
        return tuple(result for result in results if result is not None)

    async def _follow(self, followup: Followup, reply: Reply) -> str | None:
        try:
            return await followup(reply)
        except Exception as error:
            kind = type(error).__name__
            self._say(f"followup:{kind}", "followup %r failed", followup, error=error)
            return f"error:{kind}"

    def abandon(self, outcome: Outcome) -> None:
        """Tell the stages that the model's reply isn't to be expected."""
        _abandon(outcome.followups)

    async def _ask(
        self, stage: Stage, request: ChatRequest, tokens: int, count: CountOffered, budget: _Budget
    ) -> tuple[Decision, ChatRequest, int]:
        """(verdict, request after it, its tokens). A failing stage costs tokens, never the request."""
        limit = asyncio.timeout_at(budget.until)
        try:
            async with limit:
                verdict = await stage(request)
                if isinstance(verdict, Wait):
                    limit.reschedule(budget.until + verdict.seconds)
                    verdict = await budget.beside(verdict.decide())
                if isinstance(verdict, Answer):
                    return verdict, request, 0
                if isinstance(verdict, Keep):
                    return verdict, request, tokens
                after = await count(verdict.request, verdict.offers)
                if after > tokens and verdict.offers:
                    verdict = replace(verdict, offers=())
                    after = await count(verdict.request, ())
        except Exception as error:
            kind = "timeout" if limit.expired() else type(error).__name__
            said = "stage %r failed (%s); the request passes on; said once, counted each time"
            self._say(f"{stage.name}:{kind}", said, stage.name, kind, error=error)
            return Keep(reason=f"error:{kind}"), request, tokens
        if after > tokens:
            return Keep(reason="no_gain", then=verdict.then), request, tokens
        return verdict, verdict.request, after


def _offered(request: ChatRequest, offers: tuple[OwnTool, ...]) -> ChatRequest:
    """*request* with the offered tools behind its own."""
    return request.with_(tools=(*request.tools, *tools_of(offers))) if offers else request


async def _count_offered(
    count: Count, before: tuple[OwnTool, ...], request: ChatRequest, more: tuple[OwnTool, ...]
) -> int:
    return await count(_offered(request, before + more))


def _abandon(followups: Sequence[Followup]) -> None:
    for followup in followups:
        try:
            followup.abandon()
        except Exception:
            logger.warning("followup %r failed", followup, exc_info=True)
