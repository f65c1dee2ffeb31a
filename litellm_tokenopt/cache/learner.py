"""What outcomes teach: which pairs an entry may serve, and how strict the whole cache is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import UnavailableError
from ..settings import CacheSettings
from . import evidence, tally
from .evidence import ANY_SCALE, Observation, Outcome, Pair, margin_of, may_serve, question_digest, scale_of
from .shared_text import MemoryText, SharedText
from .stores import AnswerStore, Hit, Selection
from .tally import Tally
from .verifier import Judgement

logger = logging.getLogger(__name__)

READ_SECONDS = 10.0
"""How old what this process knows of the tally, which all share, may be."""
SECONDS_A_DAY = 86_400

CheckKind: TypeAlias = Literal["shadow", "judge", "report"]
Tell: TypeAlias = Callable[[CheckKind, Outcome], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Whether an entry may serve a question: `objection` is None if so, else one of few words.

    `pair` is None where no confidence could help; `tried` where this very pair has an outcome already.
    """

    objection: str | None
    pair: Pair | None = None
    tried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStats:
    """Hits that were checked in the last 30 days, and what follows.

    `wrong_rate` is the share of wrong ones among the told (None without any), and lies between `wrong_rate_lower` and
    `wrong_rate_upper` 95 % of the time at least. `tightening` is by how many log-odds of confidence the cache is
    stricter than calibrated. `reported_…` are what people said, which the rate leaves out.
    """

    same: int
    different: int
    unknown: int
    wrong_rate: float | None
    wrong_rate_lower: float
    wrong_rate_upper: float
    tightening: float
    reported_right: int
    reported_wrong: int


class Learner:
    """Keeps outcomes: of an entry with the entry, of the whole cache in *shared*. Without any, nothing changes.

    *tell* hears of each outcome once. *clock* gives Unix seconds.
    """

    def __init__(
        self,
        settings: CacheSettings,
        answers: AnswerStore,
        shared: SharedText | None = None,
        *,
        tell: Tell = lambda kind, outcome: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._answers = answers
        self._shared = shared or MemoryText()
        self._tell = tell
        self._clock = clock
        self._known = Tally()
        self._read_at = float("-inf")

    @property
    def known(self) -> Tally:
        """The tally as this process knows it; asks nobody."""
        return self._known

    async def tally(self) -> Tally:
        """The tally, not older than `READ_SECONDS`; the last one known where it can't be had."""
        if not 0 <= self._clock() - self._read_at < READ_SECONDS:
            self._read_at = self._clock()
            try:
                self._known = tally.read_tally(await self._shared.read())
            except UnavailableError as error:
                logger.debug("what checks came to can't be read: %s", error)
        return self._known

    async def stats(self) -> CheckStats:
        """What all processes have found. Raises `UnavailableError`."""
        self._known = tally.read_tally(await self._shared.read())
        return check_stats(self._known)

    async def decide(self, question: str, hit: Hit, judged: Judgement) -> Decided:
        """Whether the answer of *hit* may be given to *question*, after what was *judged*, and all outcomes."""
        margin = margin_of(judged, hit.similarity, self._settings.threshold)
        if margin is None:
            return Decided(objection=judged.objection)
        asked = question_digest(hit.entry.scope, question)
        scale = scale_of(judged, self._settings.threshold)
        pair = Pair(entry_key=hit.entry.key, question=asked, margin=margin, doubted=judged.doubted, scale=scale)
        tightening = (await self.tally()).tightening
        known = evidence.read_observations(hit.note) if hit.note else ()
        allowed = may_serve(pair, judged, known, self._settings.max_wrong_rate, tightening)
        return Decided(
            objection=None if allowed else judged.objection or "veto:outcomes", pair=pair,
            tried=any(one.question == asked for one in known),
        )  # fmt: skip

    def below(self, pair: Pair) -> bool:
        """Whether a refused pair would be served at the next lower level of strictness."""
        level = self._known.level
        return level > 0 and (level - 1) * tally.STEP <= pair.margin < level * tally.STEP

    async def checked(self, pair: Pair, outcome: Outcome) -> None:
        """Learn from the check of a hit."""
        self._tell("shadow", outcome)
        await self._observe(pair, outcome)
        day = int(self._clock() // SECONDS_A_DAY)
        await self._count(lambda before: tally.checked(before, outcome, day, self._settings.max_wrong_rate, pair.scale))

    async def explored(self, pair: Pair, outcome: Outcome, *, drawn: bool) -> None:
        """Learn from the model's answer to a question that was refused; *drawn* if as a hit it would be checked."""
        await self._observe(pair, outcome)
        if drawn and self.below(pair):
            await self._count(lambda before: tally.explored(before, outcome, self._settings.max_wrong_rate, pair.scale))

    async def judged(self, pair: Pair, outcome: Outcome) -> None:
        """Learn from a judge's verdict on a refused pair."""
        self._tell("judge", outcome)
        await self._observe(pair, outcome)

    async def reported(self, key: str, same: bool) -> bool:
        """Learn from what somebody says of the entry under *key*; whether there is one. Raises `UnavailableError`.

        A wrong answer goes; a right one stands a little surer.
        """
        if same:
            found = await self._note(key, Observation("reported", 0.0, True, ANY_SCALE)) is not None
        else:
            found = await self._answers.remove(Selection(key=key)) > 0
        if found:
            self._tell("report", "same" if same else "different")
            await self._count(lambda before: tally.reported(before, same))
        return found

    async def _observe(self, pair: Pair, outcome: Outcome) -> None:
        if outcome == "unknown":
            return
        seen = Observation(pair.question, pair.margin, outcome == "same", pair.scale)
        noted = await self._note(pair.entry_key, seen)
        if noted is not None and evidence.retired(evidence.read_observations(noted), self._settings.max_wrong_rate):
            logger.info("an answer was wrong for several questions and is removed (key %s)", pair.entry_key)
            await self._answers.remove(Selection(key=pair.entry_key))

    async def _note(self, key: str, seen: Observation) -> str | None:
        return await self._answers.note(
            key, lambda note: evidence.written(evidence.added(evidence.read_observations(note), seen))
        )

    async def _count(self, change: Callable[[Tally], Tally]) -> None:
        before = self._known.level
        text = await self._shared.change(lambda text: tally.written(change(tally.read_tally(text))))
        self._known, self._read_at = tally.read_tally(text), self._clock()
        if self._known.level != before:
            logger.warning(
                "of the hits checked, %s were wrong: similar questions need %.1f log-odds more confidence now",
                "too many" if self._known.level > before else "few", self._known.tightening,
            )  # fmt: skip


def check_stats(known: Tally) -> CheckStats:
    """What *known* says, for people."""
    recent, interval = known.recent, known.recent.interval
    return CheckStats(
        same=recent.same, different=recent.different, unknown=recent.unknown, wrong_rate=recent.wrong_rate,
        wrong_rate_lower=interval.lower, wrong_rate_upper=interval.upper, tightening=known.tightening,
        reported_right=known.right, reported_wrong=known.wrong,
    )  # fmt: skip
