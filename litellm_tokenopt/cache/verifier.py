"""The second opinion on a candidate: rules object, a trained model compares, and calibration says who is believed."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import UnavailableError
from ..models.pairs import Calibration
from ..request import digest
from .normalise import normalise
from .veto import objections, told_besides, veto, worded_anew

logger = logging.getLogger(__name__)

DOUBTS = frozenset({"words", "question_word", "conjunction", "voice", "order", "tense", "preposition"})
"""Objections that may be no more than another wording; all others stand."""

STANDING = frozenset({"duty", "focus", "persons", "speaker"})
"""Those that stand behind another wording too: what I can get isn't what I will, nor what you can get."""

ANEW = "anew"


@dataclass(frozen=True, slots=True)
class Signs:
    """What rules say of two questions: the `objection` that weighs most, and all `signs` of which a model thinks less
    or more (the objections, and whether a doubted pair is worded anew rather than in one place otherwise).
    """

    objection: str | None
    signs: frozenset[str]

    @property
    def stands(self) -> bool:
        """Whether the objection can't be no more than another wording."""
        return self.objection is not None and self.objection not in DOUBTS


def signs_of(asked: str, stored: str) -> Signs:
    """What rules say of a pair."""
    found = objections(asked, stored)
    if not found or found[0] not in DOUBTS:
        return Signs(next(iter(found), None), frozenset())
    if standing := STANDING.intersection(found):
        return Signs(min(standing), frozenset())
    if told_besides(asked, stored):
        return Signs("aside", frozenset())
    anew = {ANEW} if worded_anew(asked, stored, found) else set()
    return Signs(found[0], frozenset(found) | anew)


class PairComparer(Protocol):
    """What the verifier needs of a model, see `litellm_tokenopt.models.pairs.PairModel`."""

    async def logits(self, asked: str, others: Sequence[str]) -> list[float]:
        """The logit of each of *others* asking the same as *asked*. Raises `ModelUnavailable`."""
        ...

    async def ready(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether two questions share an answer. `objection` is None if so, else one of few words.

    `confidence` is the model's probability that both ask the same, `least` what it must come to; None where it wasn't
    asked. `doubted` where a rule objects that may be wrong. `scale` says of which model, and which limits, these are.
    """

    objection: str | None
    confidence: float | None = None
    least: float | None = None
    doubted: bool = False
    scale: str = ""


class RuleVerifier:
    """Rules alone: whatever they object to is refused."""

    async def judge(self, asked: str, stored: str) -> Judgement:
        objection = veto(asked, stored)
        return Judgement(f"veto:{objection}" if objection else None)

    async def likeness(self, one: str, other: str) -> float | None:
        """`Verifier.likeness`; there is no model."""
        return None

    async def ready(self) -> None:
        """`Verifier.ready`; there is nothing to load."""

    def close(self) -> None:
        """`Verifier.close`; there is nothing to let go of."""


class PairVerifier:
    """Rules first, then the model for what they let through or doubt.

    Where the model can't be had, the rules alone decide; said in the log once.
    """

    def __init__(self, model: PairComparer, calibration: Calibration, max_wrong_rate: float) -> None:
        self._model = model
        self._calibration = calibration
        self._limits = calibration.limits_for(max_wrong_rate)
        self._scale = digest(repr(calibration), repr(self._limits))[:12]
        self._failing = False

    async def judge(self, asked: str, stored: str) -> Judgement:
        found = signs_of(asked, stored)
        objection = found.objection
        refusal = f"veto:{objection}" if objection else "unverified"
        least = self._limits.free if objection is None else self._limits.doubted
        if found.stands or least == math.inf:
            return Judgement(refusal)
        if least == -math.inf:
            return Judgement(None)
        logit = await self.likeness(normalise(asked), normalise(stored))
        if logit is None:
            return Judgement(refusal if objection else None)
        logit += self._calibration.weight(found.signs)
        sure, needed = self._calibration.probability(logit), self._calibration.probability(least)
        return Judgement(None if logit >= least else refusal, sure, needed, objection is not None, self._scale)

    async def likeness(self, one: str, other: str) -> float | None:
        """`Verifier.likeness`."""
        try:
            (logit,) = await self._model.logits(one, [other])
        except UnavailableError as error:
            self._failed(error)
            return None
        self._failing = False
        return logit

    async def ready(self) -> None:
        """`Verifier.ready`."""
        try:
            await self._model.ready()
        except UnavailableError as error:
            self._failed(error)

    def close(self) -> None:
        """`Verifier.close`."""
        self._model.close()

    def _failed(self, error: UnavailableError) -> None:
        if not self._failing:
            logger.warning("answers are shared by rules alone for now: %s", error)
        self._failing = True


class Verifier(Protocol):
    """Decides whether the answer to one question may be given to another."""

    async def judge(self, asked: str, stored: str) -> Judgement: ...

    async def likeness(self, one: str, other: str) -> float | None:
        """The model's logit of two texts, in `normalise`'s form, coming to the same; None where there's no model."""
        ...

    async def ready(self) -> None:
        """Wait until what it takes is loaded; where that can't be had, it judges without."""
        ...

    def close(self) -> None:
        """Let go of a model and its threads. It can be used again."""
        ...
