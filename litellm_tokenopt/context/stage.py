"""Stage 4: send less of a long conversation, and the same bytes again in later turns."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..additions import apart, together
from ..memo import Memo
from ..recall import may_recall
from ..request import ChatRequest, Message, is_system, text_of
from ..savings import Rates, most_careful, usual_rates
from ..settings import ContextSettings
from ..stage import Change, Detail, Keep, Verdict
from ..tokens import OFF_LOOP_CHARS, count_messages, message_text
from . import differences
from .condensing import condensed, new_chars
from .cutting import Item
from .folding import NOTHING_ADDED, NOTHING_TOLD, Fold, Terms
from .marks import MarksWithIds, PlainMarks
from .recall import RecallMessages
from .resent import came_before
from .summaries import Summaries

CHARS_A_TOKEN = 4

FOLD_BYTES = 60
"""What a fold holds for each token that it has taken: its words, passages and costs (measured with tracemalloc)."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A conversation to decide on: its messages, a digest up to each, and where those stand that are pinned.

    `additions` are of the instructions, by the place of the message before which they came.
    """

    body: Sequence[Message]
    keys: Sequence[str]
    terms: Terms
    pinned: frozenset[int]
    additions: Mapping[int, Message]

    @property
    def last(self) -> int:
        """The place of the newest message that makes a request."""
        return max(self.requests(0), default=0)

    def requests(self, start: int) -> list[int]:
        """The places, from *start* on, of messages that make a request."""
        return [place for place, one in enumerate(self.body) if place >= start and one.get("role") in ("user", "tool")]

    def go_on(self, fold: Fold, told: Mapping[int, Mapping[str, str]] = NOTHING_TOLD, stop: int | None = None) -> None:
        """Let *fold* take what comes before *stop*, or all; of summaries it's *told*."""
        fold.advance(self.body[:stop], self.pinned, told, self.additions)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What is sent of one conversation: messages of its own by their place, and the stage's."""

    items: tuple[Item, ...]
    cut_now: bool
    detail: Detail


class ContextStage:
    """Shortens the conversation behind the system prompt once it outgrows ``settings.budget_tokens``.

    Passages are ranked by their words, place and kind, not by vectors: those of a whole conversation cost
    seconds. *rates* tells what a model's provider takes for the use of its prompt cache. *summaries* are a model's
    of what is left out.
    """

    name = "context"

    def __init__(
        self,
        settings: ContextSettings,
        rates: Rates = usual_rates,
        summaries: Summaries | None = None,
    ) -> None:
        self._settings = settings
        self._summaries = summaries
        self._rates = rates
        self._decisions: Memo[str, _Decision] = Memo(max_entries=1_000)
        self._folds: Memo[str, Fold] = Memo(max_entries=32)

    @property
    def memory_bytes(self) -> int:
        """About so many bytes are held of conversations that go on. From any thread."""
        return FOLD_BYTES * sum(fold.tokens_in for fold in self._folds.values())

    async def __call__(self, request: ChatRequest) -> Verdict:
        """Keep short conversations and those that the stage has already shortened; else change the messages."""
        if request.server_state:  # these are the last turns alone
            return Keep("skip:server_state")
        front = len(tuple(takewhile(is_system, request.messages)))
        came, additions = apart(request.messages[front:])
        if came_before(came):
            return Keep("kept")
        pinned = places_of(came, request.controls.pinned)
        body = await self._condensed(came, pinned)
        texts = [message_text(message) for message in body]
        terms = self._terms(request, request.messages[:front])
        keys = prefix_digests(body, texts, repr(terms), pinned, additions)
        decision = await self._decide(_Taken(body, keys, terms, pinned, additions))
        cut = bool(decision.detail.get("epochs"))
        left = (
            [body[item] if isinstance(item, int) else item for item in decision.items]
            if cut
            else tuple(together(body, additions))
        )
        sent = await self._differing(left, {id(came[place]) for place in pinned})
        counts = {"condensed": _changed(came, body), "differences": _changed(left, sent)}
        detail = {**decision.detail, **{name: count for name, count in counts.items() if count}}
        if not cut and not any(counts.values()):
            return Keep("kept" if detail else "small", detail=detail)
        changed = request.with_(messages=(*request.messages[:front], *sent))
        if not cut:
            return Change(changed, "condensed", detail=detail)
        offers = (RecallMessages(),) if may_recall(request) else ()
        return Change(changed, "cut" if decision.cut_now else "stable", detail=detail, offers=offers)

    def _terms(self, request: ChatRequest, front: Sequence[Message]) -> Terms:
        marks = MarksWithIds() if request.tools else PlainMarks()
        recallable = may_recall(request)
        rates = most_careful(map(self._rates, request.priced_models))
        return Terms(marks, rates, recallable, _about(front) if recallable else 0)

    async def _condensed(self, body: tuple[Message, ...], pinned: frozenset[int]) -> tuple[Message, ...]:
        if not self._settings.condense_results:
            return body
        if new_chars(body) > OFF_LOOP_CHARS:
            return await asyncio.to_thread(condensed, body, pinned)
        return condensed(body, pinned)

    async def _differing(self, messages: Sequence[Message], left_alone: Collection[int]) -> Sequence[Message]:
        if not self._settings.condense_results:
            return messages
        if differences.new_chars(messages) > OFF_LOOP_CHARS:
            return await asyncio.to_thread(differences.differing, messages, left_alone)
        return differences.differing(messages, left_alone)

    @property
    def _least(self) -> float:
        """Conversations up to this size, in tokens, are sent whole."""
        return min(self._settings.budget_tokens * self._settings.high_water, *self._settings.steps)

    def _known(self, keys: Sequence[str]) -> int:
        """How many messages of a conversation have been decided on before."""
        return next((n for n in range(len(keys), 0, -1) if keys[n - 1] in self._folds), 0)

    async def _decide(self, taken: _Taken) -> _Decision:
        decided = self._decisions.get(taken.keys[-1]) if taken.keys else None
        if decided is None:
            decided = await self._decided(taken)
            if taken.keys:
                self._decisions.put(taken.keys[-1], decided)
        return decided

    async def _decided(self, taken: _Taken) -> _Decision:
        known = self._known(taken.keys)
        if not known and count_messages(taken.body) <= self._least:
            return _Decision((), False, {})
        fold = (self._folds.pop(taken.keys[known - 1]) if known else None) or Fold(self._settings, taken.terms)
        if self._summaries is not None:
            fold = await self._summarised(fold, taken, self._summaries)
        else:
            await asyncio.to_thread(taken.go_on, fold)
        decision = await asyncio.to_thread(_decision, fold, taken.last)
        self._folds.put(taken.keys[-1], fold)
        return decision

    async def _summarised(self, fold: Fold, taken: _Taken, summaries: Summaries) -> Fold:
        """The same with summaries: those that were written down for the epochs before, for a new one what is there."""
        begun = fold.taken
        told = {begun + n: texts for n, texts in (await summaries.recorded(taken.keys[begun:])).items()}
        for place in taken.requests(begun) if begun else (taken.last,):
            await asyncio.to_thread(taken.go_on, fold, told, place)
            if place not in told:
                told[place] = await summaries.ready(fold.spans.all)
            await asyncio.to_thread(taken.go_on, fold, told, place + 1)
            if place != fold.digested_at:
                continue
            agreed = await summaries.agree(taken.keys[place], told[place])
            if agreed != told[place]:  # another worker was first
                told = {**await summaries.recorded(taken.keys), place: agreed}
                fold = Fold(self._settings, taken.terms)
        await asyncio.to_thread(taken.go_on, fold, told)
        summaries.want(fold.spans.all)
        return fold


def _changed(before: Sequence[Message], after: Sequence[Message]) -> int:
    return sum(ours is not theirs for ours, theirs in zip(after, before, strict=True))


def _about(front: Sequence[Message]) -> int:
    """Tokens of the messages before the conversation, as a power of two: a few more or less decide nothing."""
    chars = sum(len(text_of(message.get("content"))) for message in front)
    return 1 << (chars // CHARS_A_TOKEN).bit_length()


def _decision(fold: Fold, last: int) -> _Decision:
    cut_now, tally = fold.epoch_at == last, fold.tally
    counts = {"epochs": tally.epochs, "messages_cut": tally.messages_cut, "recalled": tally.recalled}
    if tally.summaries:
        counts["summaries"] = tally.summaries
    levels = fold.levels() if cut_now else {}
    return _Decision(tuple(fold.items), cut_now, counts | {level.name.lower(): n for level, n in levels.items()})


def places_of(messages: Sequence[Message], some: Sequence[Message]) -> frozenset[int]:
    """Where the very objects *some* stand among *messages*."""
    wanted = set(map(id, some))
    return frozenset(place for place, message in enumerate(messages) if id(message) in wanted) if some else frozenset()


def prefix_digests(
    messages: Sequence[Message],
    texts: Sequence[str],
    seed: str = "",
    pinned: Collection[int] = (),
    additions: Mapping[int, Message] = NOTHING_ADDED,
) -> tuple[str, ...]:
    """A digest of the conversation up to each of its messages, given with their `message_text`.

    Another *seed*, other digests; and others from the first place on where another message is *pinned*, or another of
    the *additions* stands.
    """
    hasher = hashlib.blake2b(seed.encode(), digest_size=16)
    digests = []
    for place, (message, written) in enumerate(zip(messages, texts, strict=True)):
        mark = "pinned " if place in pinned else ""
        said = [f"{mark}{message.get('role')}\0{written}"]
        if place in additions:
            said.insert(0, f"added\0{message_text(additions[place])}")
        for text in (one.encode("utf-8", "surrogatepass") for one in said):
            hasher.update(len(text).to_bytes(8, "little"))
            hasher.update(text)
        digests.append(hasher.hexdigest())
    return tuple(digests)
