"""The stage: send the sections of a long system prompt that the conversation needs.

The prompt is chosen once, for the session's first question, and stays as it is; what a later question clearly
needs goes in as a short message before that question. All of it is computed anew from the messages of each
request, by folding over the user's turns; memos only save the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from ..errors import ModelUnavailable
from ..lexical import term_counts
from ..memo import Memo
from ..models.base import Embedder
from ..recall import RECALLED_TOKENS, may_recall
from ..request import ChatRequest, digest
from ..settings import PromptSettings
from ..stage import Change, Detail, Keep, Verdict
from ..tokens import MESSAGE_OVERHEAD, count_text
from .choice import Picked, choose, choose_asked, choose_late
from .messages import Prompt, read_prompt, read_turns, rewrite
from .outline import Outline, outline
from .ranking import Relevance, rank, readable, says_little
from .recall import RecallSections
from .rendering import REFERENCE, has_left_out, left_out, render

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OUTLINES = 64
CHOICES = 500
ADDITIONS = 5_000

OFF_LOOP_CHARS = 8_000
"""A prompt longer than this is read in a thread the first time: more than about 5 ms of work."""

LEFT_OUT_TOKENS = 150
"""Set aside for the line that names what is left out."""

LEAST_SAVED_TOKENS = 200
"""A prompt that would shrink by less is left as it is, and late additions never take back more than was saved."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the first question decided: blocks, the texts to send (one for each that came), and tokens saved."""

    picked: Picked
    texts: tuple[str, ...]
    saved_tokens: int


@dataclass(frozen=True, slots=True)
class _Addition:
    """What a later question added: blocks, the reference message's text ("" for none), and its tokens."""

    picked: Picked = frozenset()
    text: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, a digest of the prompt and all questions up to it, and its relevance to each section."""

    text: str
    key: str
    relevance: tuple[Relevance, ...]

    @property
    def query(self) -> dict[str, float]:
        return dict.fromkeys(term_counts(self.text), 1.0)


class PromptStage:
    """Sends a system prompt's sections within `budget_tokens`, and others when a later question needs them.

    System messages that carry the caller's ``cache_control`` mark are left alone, with all that stands before; so is
    every prompt when there is no embedding model.
    """

    name = "prompt"

    def __init__(self, settings: PromptSettings, embedder: Embedder) -> None:
        self._settings = settings
        self._embedder = embedder
        self._outlines: Memo[str, Outline] = Memo(OUTLINES)
        self._choices: Memo[str, _Choice] = Memo(CHOICES)
        self._additions: Memo[str, _Addition] = Memo(ADDITIONS)

    async def __call__(self, request: ChatRequest) -> Verdict:
        if request.server_state:  # the session's first question, which the choice is made for, is not here
            return Keep("skip:server_state")
        prompt = read_prompt(request.messages)
        if not prompt.texts:
            return Keep("no_prompt")
        if any(map(has_left_out, prompt.texts)):
            return Keep("kept")
        tokens = await _count(prompt.texts, known=prompt.key in self._outlines)
        if tokens < self._settings.min_tokens:
            return Keep("small")
        turns = read_turns(request.messages)
        if not turns or tokens <= self._settings.budget_tokens:
            return Keep("kept")
        found = await self._outline(prompt)
        try:
            choice, additions = await self._fold(prompt, found, [readable(turn.question) for turn in turns])
        except ModelUnavailable:
            return Keep("no_model")
        detail = _detail(found, choice, additions)
        if choice.saved_tokens < LEAST_SAVED_TOKENS:
            return Keep("kept", detail=detail)
        references = {turn.start: new.text for turn, new in zip(turns[1:], additions, strict=True) if new.text}
        messages = rewrite(request.messages, prompt, choice.texts, references)
        offers = (RecallSections(partial(self._recalled, found)),) if may_recall(request) else ()
        return Change(request.with_(messages=messages), "selected", detail=detail, offers=offers)

    async def _recalled(self, found: Outline, query: str) -> str:
        """The sections of *found* that fit *query* best, as they came."""
        asked = readable(query)
        vectors = await self._embedder.embed([asked, *found.gists])
        return await asyncio.to_thread(_best_sections, found, asked, vectors)

    async def _outline(self, prompt: Prompt) -> Outline:
        found = self._outlines.get(prompt.key)
        if found is None:
            found = await asyncio.to_thread(self._read, prompt)
        return found

    def _read(self, prompt: Prompt) -> Outline:
        """The outline of *prompt*, remembered: in a thread it's made even when the request's time is over."""
        found = outline(prompt.texts)
        self._outlines.put(prompt.key, found)
        return found

    async def _fold(
        self, prompt: Prompt, found: Outline, questions: Sequence[str]
    ) -> tuple[_Choice, Sequence[_Addition]]:
        """What the first of *questions* decides, and what each later one adds."""
        keys = list(accumulate(questions, digest, initial=prompt.key))[1:]
        choice = self._choices.get(keys[0])
        additions = [known for key in keys[1:] if (known := self._additions.get(key)) is not None]
        if choice is not None and len(additions) == len(keys) - 1:
            return choice, additions
        vectors = await self._embedder.embed([*questions, *found.gists])
        return await asyncio.to_thread(self._decide, prompt, found, questions, keys, vectors)

    def _decide(
        self,
        prompt: Prompt,
        found: Outline,
        questions: Sequence[str],
        keys: Sequence[str],
        vectors: NDArray[np.float32],
    ) -> tuple[_Choice, Sequence[_Addition]]:
        asked = partial(_ask, found, questions, keys, vectors)
        choice = self._choices.get(keys[0]) or self._first(prompt, found, asked(0))
        self._choices.put(keys[0], choice)
        sent, room = choice.picked, choice.saved_tokens - LEAST_SAVED_TOKENS
        additions = []
        for turn, key in enumerate(keys[1:], start=1):
            addition = self._additions.get(key) or _add(found, asked(turn), sent, room)
            self._additions.put(key, addition)
            sent, room = sent | addition.picked, room - addition.tokens
            additions.append(addition)
        return choice, additions

    def _first(self, prompt: Prompt, found: Outline, asked: _Asked) -> _Choice:
        picked = choose(
            found,
            asked.relevance,
            asked.query,
            budget_tokens=max(1, self._settings.budget_tokens - LEFT_OUT_TOKENS),
            always_include=self._settings.always_include,
            broad=says_little(asked.text),
        )
        texts = _texts(found, picked, len(prompt.texts))
        return _Choice(picked, texts, sum(map(count_text, prompt.texts)) - sum(map(count_text, texts)))


def _best_sections(found: Outline, query: str, vectors: NDArray[np.float32]) -> str:
    """What fits *query* best of the whole prompt; *vectors* are the query's, then the sections'."""
    relevance = rank(found, query, vectors[0], vectors[1:])
    asked = dict.fromkeys(term_counts(query), 1.0)
    return render(found, choose_asked(found, relevance, asked, RECALLED_TOKENS)).rstrip()


def _ask(
    found: Outline, questions: Sequence[str], keys: Sequence[str], vectors: NDArray[np.float32], turn: int
) -> _Asked:
    """The question of *turn* with its relevance; *vectors* are the questions', then the sections'."""
    relevance = rank(found, questions[turn], vectors[turn], vectors[len(questions) :])
    return _Asked(questions[turn], keys[turn], relevance)


def _add(found: Outline, asked: _Asked, sent: Picked, room_tokens: int) -> _Addition:
    """What a later question clearly needs beside what was *sent*, within *room_tokens*."""
    if says_little(asked.text):
        return _Addition()
    picked = choose_late(found, asked.relevance, asked.query, sent, room_tokens)
    text = f"{REFERENCE}{render(found, picked).rstrip()}" if picked else ""
    tokens = MESSAGE_OVERHEAD + count_text(text) if text else 0
    return _Addition(picked, text, tokens) if tokens <= room_tokens else _Addition()


def _texts(found: Outline, picked: Picked, count: int) -> tuple[str, ...]:
    """The prompt's texts with what is picked; the last one that has any names what is left out."""
    texts = [render(found, picked, document) for document in range(count)]
    names = left_out(found, picked)
    last = max((n for n, text in enumerate(texts) if text), default=0)
    if names:
        texts[last] = f"{texts[last].rstrip()}\n\n{names}"
    return tuple(texts)


def _detail(found: Outline, choice: _Choice, additions: Sequence[_Addition]) -> Detail:
    before = sum(bool(profile.blocks) for profile in found.profiles)
    after = len({section for section, _ in choice.picked})
    return {"sections_before": before, "sections_after": after, "late": sum(bool(one.text) for one in additions)}


async def _count(texts: Sequence[str], *, known: bool) -> int:
    """Tokens of *texts*, counted in a thread where they are long and new."""
    if not known and sum(map(len, texts)) > OFF_LOOP_CHARS:
        return await asyncio.to_thread(lambda: sum(map(count_text, texts)))
    return sum(map(count_text, texts))
