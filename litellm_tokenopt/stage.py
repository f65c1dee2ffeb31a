"""The one protocol of the package, and the three answers that a stage may give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from .own import OwnTool
from .request import ChatRequest, Reply

Detail: TypeAlias = Mapping[str, str | int | float]


class Followup(Protocol):
    """Work to do once the model has replied, e.g. storing the reply in the cache."""

    async def __call__(self, reply: Reply) -> str | None:
        """What came of it, to be counted: ``stored``, ``skip:…`` or ``error:…`` with one of few words; or None."""
        ...

    def abandon(self) -> None:
        """No reply is to be expected (an attempt has failed, was cancelled, …); one may still come."""
        ...


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the request as it is.

    `reason` is one of few words (it becomes a metric's attribute); `detail` goes to traces alone.
    """

    reason: str
    then: Followup | None = None
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Go on with another request.

    `offers` are tools by which the model can ask for what was left out; the pipeline adds them to what is sent.
    """

    request: ChatRequest
    reason: str
    then: Followup | None = None
    detail: Detail = field(default_factory=dict)
    offers: tuple[OwnTool, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Skip the model: here's the reply.

    `then` is for a reply that the model may give all the same, to somebody who doesn't wait for it.
    """

    reply: Reply
    reason: str
    detail: Detail = field(default_factory=dict)
    then: Followup | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else is at work on the very same: `decide` waits for that, at most so many `seconds`, then decides.

    The time is not taken from the request's budget.
    """

    decide: Callable[[], Awaitable[Decision]]
    seconds: float


Decision: TypeAlias = Keep | Change | Answer
Verdict: TypeAlias = Decision | Wait


class Stage(Protocol):
    """One optimisation. It decides; the pipeline acts, measures and catches."""

    @property
    def name(self) -> str:
        """Its name in settings, traces and metrics."""
        ...

    async def __call__(self, request: ChatRequest) -> Verdict: ...
