"""The answer cache itself: look a question up, store an answer, and decide which answers may be shared."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from ..errors import UnavailableError
from ..memo import Memo
from ..models.base import Embedder
from ..models.workers import meanwhile
from ..request import Reply
from ..settings import CacheSettings
from .evidence import Pair
from .kinds import Kind
from .language import is_english
from .learner import CheckStats, Learner
from .normalise import normalise
from .reading import read
from .scope import entry_key
from .stores import AnswerStore, Entry, Hit, Removals, Selection, Since
from .verifier import Judgement, RuleVerifier, Verifier
from .veto import said_alike, veto

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CANDIDATES = 5
SITUATED_CANDIDATES = 20
"""Short questions that lean on their situation ("how much?") are alike in many."""
FARTHER = 2.0
"""So many times as far as the setting allows may questions be apart that have a word for each of the other's words."""

SIMILAR_MAX_CHARS = 1_000
"""Longer questions are answered by their exact repeats alone: an embedder reads no more than about this much."""

SAME_QUESTION = 0.995
"""Questions at least as near as this are one entry, if no veto stands between them."""

CLOSED = "the cache is closed"

JITTER = 0.05
"""At most so much of its time to live an entry goes early, so that what was stored together doesn't expire together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What a cache holds: entries, their bytes (indexes aside), entries by model, and ages in seconds.

    The ages are None where nothing is held. `checks` tells how often hits were wrong.
    """

    entries: int
    bytes: int
    by_model: Mapping[str, int]
    oldest_seconds: float | None
    newest_seconds: float | None
    checks: CheckStats


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An entry that was refused for want of confidence, or of good outcomes, and for nothing else."""

    pair: Pair
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Reworded:
    """A question that an entry has answered: `answered` is the entry's own, and `judged` what both were found to be."""

    entry_key: str
    answered: str
    similarity: float
    judged: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What `check` found. `entry` is None for a miss; `reason` is one of few words.

    exact and semantic for hits; miss, ``veto:…`` and unverified for misses. `similarity` is the cosine with the
    nearest question that was compared, `confidence` the verifier's probability that both ask the same (None where it
    wasn't asked). `vector` is
    the question's, where it was made, `kind` its kind, where that was asked. `pair` is the question and the entry of
    a semantic hit, `near` the likeliest of those that were refused and might be right, `reworded` what makes a semantic
    hit known.
    """

    reason: str
    entry: Entry | None = None
    similarity: float = 0.0
    confidence: float | None = None
    vector: NDArray[np.float32] | None = None
    kind: Kind | None = None
    pair: Pair | None = None
    near: Near | None = None
    reworded: Reworded | None = None


class Named(TypedDict, total=False):
    """Conditions that name what entries have.

    `model` may go without its provider; `tenant` is a part of an entry's label (``team:blue``), or several between
    blanks.
    """

    key: str | None
    tag: str | None
    model: str | None
    tenant: str | None


class Conditions(Named, total=False):
    """What entries may be chosen by: those are meant for which every condition given holds. None is one not given."""

    older_than_seconds: float | None


class SemanticCacheManager:
    """Answers by question, within scopes that share nothing.

    `check` and `store` take a question and the scope it was asked in: a text that must be equal before two questions
    may share an answer (tenant, model, system prompt, …). `litellm_tokenopt.open_cache` makes one whole. *learner*
    keeps what is observed of answers given. *clock* gives Unix seconds.
    """

    def __init__(
        self,
        settings: CacheSettings,
        store: AnswerStore,
        embedder: Embedder,
        verifier: Verifier | None = None,
        *,
        learner: Learner | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.learner = learner or Learner(settings, store, clock=clock)
        self._answers = store
        self._closed = False
        self.embedder = embedder
        self._verifier = verifier or RuleVerifier()
        self._clock = clock
        self._reworded: Memo[str, Reworded] = Memo(settings.max_entries_in_process)
        self._removals = Removals()

    def since(self, scope: str) -> Since:
        """What's known now of removals: what `store` takes as *since*."""
        return Since(here=self._removals.count, stamp=self._answers.stamp(scope))

    @property
    def answers(self) -> AnswerStore:
        """Where answers are kept. Raises `UnavailableError` after `close`."""
        if self._closed:
            raise UnavailableError(CLOSED)
        return self._answers

    def close(self) -> None:
        """Whoever owns the store and the models lets go of them: from now on every call says that it's closed."""
        self._closed = True

    async def check(
        self, question: str, *, scope: str = "", similar: bool = True, max_age_seconds: float | None = None
    ) -> Lookup:
        """The answer to *question*, or to one that asks the same, not older than *max_age_seconds*.

        Without *similar* only the literal repeat is looked up. Raises `UnavailableError` where a model or store that
        is needed can't be had.
        """
        found = await self.exact(question, scope=scope, max_age_seconds=max_age_seconds)
        if found.entry is not None or not similar:
            return found
        return await self.similar(question, scope=scope, max_age_seconds=max_age_seconds)

    async def exact(self, question: str, *, scope: str = "", max_age_seconds: float | None = None) -> Lookup:
        """The answer to the literal repeat, also of a rewording that `similar` has answered; needs no model.

        The answer to a rewording is its entry's as that is now, by all outcomes known now: what's kept in this process
        is only that both ask the same. Raises `UnavailableError`.
        """
        key = self.key(question, scope)
        entry = await self.answers.get_exact(key)
        if entry is not None and self._young(entry, max_age_seconds):
            return Lookup(reason="exact", entry=entry, similarity=1.0)
        known = self._reworded.get(key)
        found = None if known is None else await self._known(question, scope, known)
        if found is None or found.entry is None or not self._young(found.entry, max_age_seconds):
            return Lookup(reason="miss")
        return found

    async def similar(
        self,
        question: str,
        *,
        scope: str = "",
        max_age_seconds: float | None = None,
        accepts: Callable[[Entry], Awaitable[bool]] | None = None,
        slack: float = 0.0,
    ) -> Lookup:
        """The answer to a question that asks the same as *question*, of the entries that *accepts* agrees to.

        *slack* is by how much the cosine may be less than the setting says. Raises `UnavailableError`.
        """
        answers = self.answers
        if not self.may_be_similar(question):
            return Lookup(reason="miss")
        meanwhile(read, question)
        vector = (await self.embedder.embed([normalise(question)]))[0]
        candidates = CANDIDATES if accepts is None else SITUATED_CANDIDATES
        near = self.settings.threshold - slack
        farthest = 1.0 - FARTHER * (1.0 - self.settings.threshold)
        hits = await answers.search(scope, vector, candidates, min(near, farthest))
        # Each is read when its turn comes: mostly the first one answers.
        nearest = (
            hit
            for hit in hits
            if self._young(hit.entry, max_age_seconds)
            and (hit.similarity >= near or said_alike(question, hit.entry.question))
        )
        found = await self._chosen(question, nearest, vector, accepts)
        if found.reworded is not None and accepts is None:
            self._reworded.put(self.key(question, scope), found.reworded)
        return found

    async def store(
        self,
        question: str,
        reply: Reply | str,
        *,
        scope: str = "",
        similar: bool = True,
        ttl_seconds: float | None = None,
        model: str = "",
        tenant: str = "",
        tags: Sequence[str] = (),
        vector: NDArray[np.float32] | None = None,
        key: str | None = None,
        situation: str = "",
        seconds: float = 0.0,
        since: Since | None = None,
    ) -> str:
        """Keep *reply* as the answer to *question* for *ttl_seconds* (the setting's where None); returns its key.

        *vector* is the question's, where that's known; *model*, *tenant* and *tags* are to find the entry by. The
        answer takes the place of those to almost the same wording. Its time is up to `JITTER` shorter, by its key.
        *key* is one to find it under that isn't its own, *situation* what `similar` may have to compare, *seconds*
        how long the model took. What `invalidate` or `clear` mean in any process, whatever its age, after *since*
        (None: from now on), isn't kept. Raises ValueError where *tags* is one text, and `UnavailableError`.
        """
        if isinstance(tags, str):
            raise ValueError(f"tags is one text: give a list of tags, such as [{tags!r}]")
        if isinstance(reply, str):
            reply = Reply(text=reply, finish="stop", has_tool_calls=False, payload={"text": reply})
        key, now = key or self.key(question, scope), self._clock()
        ttl = jittered(self.settings.ttl_seconds if ttl_seconds is None else ttl_seconds, key)
        entry = Entry(
            key=key, scope=scope, question=question, payload=reply.payload,
            text=reply.text, finish=reply.finish, created=now, model=model, tenant=tenant, tags=tuple(tags),
            situation=situation, seconds=seconds, expires=now + ttl,
        )  # fmt: skip
        since = Since(here=self._removals.count) if since is None else since
        # Before anything is waited for: the same question may be on its way already.
        stamp = await self._put(entry, vector, ttl, since)
        if stamp is not None and vector is None and similar and self.may_be_similar(question):
            vector = await self._vector(question)
            if vector is not None:
                stamp = await self._put(entry, vector, ttl, replace(since, stamp=stamp))
        if stamp is None:
            return entry.key
        for other in [] if vector is None else await self._replaced(entry, vector):
            await self.answers.drop(other)
        return entry.key

    async def invalidate(self, **conditions: Unpack[Conditions]) -> int:
        """Remove the entries for which every condition given holds; how many there were.

        In Redis, and in this process, they are gone when this returns, and none lands later whose request went on
        before; another process may give a copy of its own for `tiered.ASK_SECONDS` more. Raises ValueError where no
        condition is given, or one is empty or negative, and `UnavailableError` where the store can't be reached: some
        may be gone then.
        """
        selection = self._selection(**conditions)
        if selection == Selection():
            raise ValueError("no condition is given: name a key, tag, model, tenant or age, or clear the cache")
        return await self._remove(selection)

    async def clear(self) -> int:
        """Remove every entry; how many there were. As `invalidate` otherwise."""
        return await self._remove(Selection())

    async def entries(self, *, limit: int = 100, **conditions: Unpack[Conditions]) -> list[Entry]:
        """At most *limit* of the entries for which every condition given holds (as in `invalidate`), newest first.

        In Redis, if there is one: what this process alone keeps while Redis is away is not among them. Raises
        ValueError for an empty or negative condition, `UnavailableError`.
        """
        return await self.answers.select(self._selection(**conditions), limit)

    async def report(self, key: str, same: bool) -> bool:
        """Learn that the answer under *key* was right for whom it was given to, or wrong; whether there is one.

        A wrong answer is removed. Raises `UnavailableError`.
        """
        if self._closed:
            raise UnavailableError(CLOSED)
        return await self.learner.reported(key, same)

    async def stats(self) -> CacheStats:
        """How much is held, how old it is, and how often it was wrong. Raises `UnavailableError`."""
        held = await self.answers.holdings()
        now = self._clock()
        return CacheStats(
            entries=sum(one.entries for one in held),
            bytes=sum(one.bytes for one in held),
            by_model={one.model: one.entries for one in sorted(held, key=lambda one: (-one.entries, one.model))},
            oldest_seconds=max((max(0.0, now - one.oldest) for one in held), default=None),
            newest_seconds=min((max(0.0, now - one.newest) for one in held), default=None),
            checks=await self.learner.stats(),
        )

    async def health(self) -> Mapping[str, Any]:
        """How the store does; never raises for one out of reach."""
        if self._closed:
            return {"store": "closed", "reachable": False, "error": CLOSED}
        return await self._answers.health()

    async def likeness(self, one: str, other: str) -> float | None:
        """`Verifier.likeness`."""
        return await self._verifier.likeness(one, other)

    def key(self, question: str, scope: str) -> str:
        """The key of the answer to *question* within *scope*: equal for what is typed differently at most."""
        return entry_key(scope, question if self.settings.max_wrong_rate == 0 else normalise(question))

    def may_be_similar(self, question: str) -> bool:
        """Whether *question* may be answered by what answered another one."""
        return self.settings.max_wrong_rate > 0 and len(question) <= SIMILAR_MAX_CHARS and is_english(question)

    def age(self, entry: Entry) -> float:
        """Seconds since *entry* was stored."""
        return max(0.0, self._clock() - entry.created)

    def _selection(self, *, older_than_seconds: float | None = None, **named: Unpack[Named]) -> Selection:
        if older_than_seconds is not None and not older_than_seconds >= 0:
            raise ValueError(f"older_than_seconds is {older_than_seconds}; 0 or more is allowed")
        until = None if older_than_seconds is None else self._clock() - older_than_seconds
        return Selection(**named, created_until=until)

    async def _remove(self, selection: Selection) -> int:
        answers = self.answers
        self._removals.note(selection)
        return await answers.remove(selection)

    async def _put(self, entry: Entry, vector: NDArray[np.float32] | None, ttl: float, since: Since) -> str | None:
        """Keep *entry* unless it was to be removed after *since*, while it was written too; `AnswerStore.put`."""
        if self._removals.meant(entry, since.here):
            return None
        stamp = await self.answers.put(entry, vector, ttl, since.stamp)
        if stamp is not None and self._removals.meant(entry, since.here):
            await self.answers.drop(entry.key)
            return None
        return stamp

    async def _replaced(self, entry: Entry, vector: NDArray[np.float32]) -> list[str]:
        """Keys of the entries for the question of *entry*, worded almost alike, but for the newest one's.

        *entry*'s own is among them where a newer one was stored in the meantime: of two at the same time one stays,
        whichever is first to be found.
        """
        near = await self.answers.search(entry.scope, vector, CANDIDATES + 1, SAME_QUESTION)
        same = [
            (hit.entry.created, hit.entry.key)
            for hit in near
            if hit.entry.situation == entry.situation and veto(entry.question, hit.entry.question) is None
        ]
        *older, newest = sorted({(entry.created, entry.key), *same})
        return [key for _, key in older if key != newest[1]]

    async def _chosen(
        self,
        question: str,
        hits: Iterable[Hit],
        vector: NDArray[np.float32],
        accepts: Callable[[Entry], Awaitable[bool]] | None,
    ) -> Lookup:
        """The nearest answer that nothing speaks against; else why the nearest one was refused."""
        refused: Lookup | None = None
        near: list[Near] = []
        for hit in hits:
            if accepts is None or await accepts(hit.entry):
                found = await self._judged(question, hit, vector)
            else:
                found = Lookup(reason="veto:situation", similarity=hit.similarity, vector=vector)
            if found.entry is not None:
                return found
            refused = refused or found
            near += [found.near] if found.near is not None else []
        likeliest = max(near, key=lambda one: one.pair.margin, default=None)
        return replace(refused or Lookup(reason="miss", vector=vector), near=likeliest)

    async def _judged(self, question: str, hit: Hit, vector: NDArray[np.float32]) -> Lookup:
        judged = await self._verifier.judge(question, hit.entry.question)
        return replace(await self._decided(question, hit, judged), vector=vector)

    async def _known(self, question: str, scope: str, known: Reworded) -> Lookup | None:
        """What the entry of a rewording is now; None where it's gone, or another question's."""
        hit = await self.answers.get_noted(known.entry_key)
        if hit is None or (hit.entry.scope, hit.entry.question) != (scope, known.answered):
            self._reworded.pop(self.key(question, scope))
            return None
        return await self._decided(question, replace(hit, similarity=known.similarity), known.judged)

    async def _decided(self, question: str, hit: Hit, judged: Judgement) -> Lookup:
        decided = await self.learner.decide(question, hit, judged)
        served, pair = decided.objection is None, decided.pair
        entry, similarity = hit.entry, hit.similarity
        return Lookup(
            reason=decided.objection or "semantic",
            entry=entry if served else None,
            similarity=similarity,
            confidence=judged.confidence,
            pair=pair if served else None,
            near=Near(pair=pair, entry=entry) if pair is not None and not served and not decided.tried else None,
            reworded=Reworded(entry_key=entry.key, answered=entry.question, similarity=similarity, judged=judged)
            if served
            else None,
        )

    async def _vector(self, question: str) -> NDArray[np.float32] | None:
        try:
            vectors = await self.embedder.embed([normalise(question)])
        except UnavailableError:
            return None
        vector: NDArray[np.float32] = vectors[0]
        return vector

    def _young(self, entry: Entry, max_age_seconds: float | None) -> bool:
        over = 0 < entry.expires <= self._clock()
        return not over and (max_age_seconds is None or self.age(entry) < max_age_seconds)


def jittered(seconds: float, key: str) -> float:
    """*seconds* less a part of up to `JITTER` that follows from *key*."""
    return seconds * (1.0 - JITTER * zlib.crc32(key.encode()) / 2**32)
