"""Run the stages in order, once, and write down what each of them did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, TypeAlias

from .request import ChatRequest, Reply
from .stage import Answer, Followup, Keep, Stage, Verdict

Mode: TypeAlias = Literal["on", "shadow", "holdout", "bypass"]

Count: TypeAlias = Callable[[ChatRequest], Awaitable[int]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage did to one request: tokens before and after it, and the seconds that it took."""

    stage: str
    verdict: Verdict
    tokens_before: int
    tokens_after: int
    seconds: float

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where a request stands after the last stage.

    `original` came in; `request` is to be sent on, unless `reply` answers it. `changes` are the keyword arguments
    in which what is to be sent differs from what came in. `mode` is on, shadow (decided, but not to be applied),
    holdout or bypass. `seconds` is the whole time taken.
    """

    original: ChatRequest
    request: ChatRequest
    reply: Reply | None = None
    steps: tuple[Step, ...] = ()
    followups: tuple[Followup, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    mode: Mode = "on"
    tokens_before: int = 0
    tokens_after: int = 0
    seconds: float = 0.0

    @property
    def tokens_saved(self) -> int:
        return self.tokens_before - self.tokens_after


class Pipeline:
    """The stages, in their order.

    *counter* makes what counts one request's tokens, before and after each stage. A request may spend
    *budget_seconds* in all the stages together; a stage that would go beyond is dropped, and the request goes on as
    it was.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        counter: Callable[[], Count],
        budget_seconds: float = 2.0,
    ) -> None:
        self.stages = tuple(stages)
        self._counter = counter
        self._budget_seconds = budget_seconds

    async def before(self, request: ChatRequest) -> Outcome:
        """Take *request* through the stages until one answers it. Raises nothing but cancellation."""
        start = perf_counter()
        original = request
        count = self._counter()
        tokens_before = tokens = await count(request)
        steps: list[Step] = []
        followups: list[Followup] = []
        reply: Reply | None = None
        for stage in self.stages:
            begun = perf_counter()
            verdict, request, after = await self._ask(
                stage, request, tokens, count, start + self._budget_seconds - begun
            )
            steps.append(Step(stage.name, verdict, tokens, after, perf_counter() - begun))
            tokens = after
            if isinstance(verdict, Answer):
                reply, followups = verdict.reply, []
                break
            if verdict.then is not None:
                followups.append(verdict.then)
        return Outcome(
            original=original, request=request, reply=reply, steps=tuple(steps), followups=tuple(followups),
            tokens_before=tokens_before, tokens_after=tokens, seconds=perf_counter() - start,
        )  # fmt: skip

    async def after(self, outcome: Outcome, reply: Reply) -> tuple[str, ...]:
        """Run what the stages asked to be done with the model's *reply*; what came of it, where that is told."""
        results = [await self._follow(followup, reply) for followup in outcome.followups]
        return tuple(result for result in results if result is not None)

    async def _follow(self, followup: Followup, reply: Reply) -> str | None:
        try:
            return await followup(reply)
        except Exception as error:
            logger.warning("followup %r failed", followup, exc_info=True)
            return f"error:{type(error).__name__}"

    async def _ask(
        self, stage: Stage, request: ChatRequest, tokens: int, count: Count, seconds_left: float
    ) -> tuple[Verdict, ChatRequest, int]:
        """(verdict, request after it, its tokens). A failing stage costs tokens, never the request."""
        try:
            async with asyncio.timeout(max(0.0, seconds_left)):
                verdict = await stage(request)
                if isinstance(verdict, Answer):
                    return verdict, request, 0
                if isinstance(verdict, Keep):
                    return verdict, request, tokens
                after = await count(verdict.request)
        except TimeoutError:
            logger.warning("stage %r: time budget exhausted; the request passes on", stage.name)
            return Keep(reason="error:timeout"), request, tokens
        except Exception as error:
            logger.warning("stage %r failed; the request passes on", stage.name, exc_info=True)
            return Keep(reason=f"error:{type(error).__name__}"), request, tokens
        if after > tokens:
            return Keep(reason="no_gain", then=verdict.then), request, tokens
        return verdict, verdict.request, after
