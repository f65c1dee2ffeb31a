"""The stage: send the sections of a long system prompt that the conversation needs.

The prompt is chosen once, for the session's first question, and stays as it is; what fits a later question best and
isn't there goes in as a short message before that question. All of it is computed anew from the messages of each
request, by folding over the user's turns; memos only save the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from ..additions import ENDLESS, HEAD, Reach
from ..errors import ModelUnavailable
from ..lexical import term_counts
from ..memo import Memo
from ..models.base import Embedder
from ..recall import RECALLED_TOKENS, may_keep_recall
from ..request import ChatRequest, digest, tool_name
from ..settings import PromptSettings
from ..stage import Change, Detail, Keep, Verdict
from ..tokens import MESSAGE_OVERHEAD, count_text
from .choice import Core, Picked, beyond_budget, choose, choose_about, choose_asked, choose_late, core_of
from .coupling import Coupling, couple, coupled
from .governing import Governed, Standing, govern, holds, opposed, standing
from .leaning import Question, read_questions
from .messages import Prompt, Turn, read_prompt, read_turns, rewrite
from .outline import Outline, outline
from .ranking import Relevance, rank, readable, says_little, tells
from .recall import RecallSections
from .rendering import has_left_out, left_out, named_in, render
from .tags import without_tags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..models.intents import Intent

logger = logging.getLogger(__name__)

OUTLINES = 64
CHOICES = 500
ADDITIONS = 5_000

OFF_LOOP_CHARS = 8_000
"""A prompt longer than this is read in a thread the first time: more than about 5 ms of work."""

OFF_LOOP_SECTIONS = 300
"""From more sections of a known prompt, times the new questions, is chosen in a thread: more than about 3 ms."""

LATE_SHARE, LATE_LEAST_TOKENS = 0.17, 150
"""Of the budget, as much again may be added for each later question; in a small one, so much."""

ABOUT_TOKENS = 30
"""Set aside for what stands around an addition."""

LEFT_OUT_TOKENS = 138
"""Set aside for the line that names what is left out."""

OF_TOOLS = "The instructions say of them:\n"
"""What stands before the sections about tools that the model has found."""

LEAST_SAVED_TOKENS = 200
"""A prompt that would shrink by less is left as it is, and late additions never take back more than was saved."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the first question decided: blocks, the texts to send (one for each that came), and tokens saved.

    `over_tokens`: how far the budget is exceeded for what is sent whatever is asked.
    """

    picked: Picked
    texts: tuple[str, ...]
    saved_tokens: int
    over_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Addition:
    """What a later question added: blocks, the reference message's text ("" for none), and its tokens."""

    picked: Picked = frozenset()
    text: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, its relevance to each section, what stands, and whether it says a word that a module waits for."""

    question: Question
    relevance: tuple[Relevance, ...]
    standing: Standing
    calls: bool

    @property
    def query(self) -> dict[str, float]:
        return dict.fromkeys(term_counts(self.question.text), 1.0)


class Intents(Protocol):
    """Tells how likely questions are of each kind of task."""

    async def classify(self, texts: Sequence[str]) -> Sequence[Intent]: ...


@dataclass(frozen=True, slots=True)
class _Read:
    """What a prompt is by itself: its outline, what no question decides on, and the users' modules that it holds."""

    outline: Outline
    core: Core
    governed: Governed


@dataclass(frozen=True, slots=True)
class _Task:
    """A prompt to be chosen from beside the tools that are sent; the same for all turns while these stay.

    `sent` are the tools that the prompt has to do with, `budget_tokens` and `always_include` what holds for this
    request; `key` is a digest of all of it.
    """

    prompt: Prompt
    read: _Read
    coupling: Coupling
    sent: frozenset[str]
    budget_tokens: int
    always_include: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class _Told:
    """Vectors of questions and of sections; for each question, how likely it is of each kind of task."""

    questions: NDArray[np.float32]
    sections: NDArray[np.float32]
    intents: Sequence[Mapping[str, float]]


class PromptStage:
    """Sends a system prompt's sections within `budget_tokens`, and others when a later question needs them.

    System messages that carry the caller's ``cache_control`` mark are left alone, with all that stands before; so is
    every prompt when there is no embedding model. *intents* makes what tells kinds of tasks, for users' modules. Of a
    conversation a later stage may shorten what lies further back than *reach*: what was added there is added again when
    it's asked for.
    """

    name = "prompt"

    def __init__(
        self,
        settings: PromptSettings,
        embedder: Embedder,
        intents: Callable[[], Intents] | None = None,
        reach: Reach = ENDLESS,
    ) -> None:
        self._settings = settings
        self._reach = reach
        self._embedder = embedder
        self._make_intents = intents
        self._intents: Intents | None = None
        self._reads: Memo[str, _Read] = Memo(OUTLINES)
        self._vectors: Memo[str, NDArray[np.float32]] = Memo(OUTLINES)
        self._couplings: Memo[tuple[str, frozenset[str]], Coupling] = Memo(OUTLINES)
        self._tidied: Memo[str, _Choice] = Memo(OUTLINES)
        self._choices: Memo[str, _Choice] = Memo(CHOICES)
        self._additions: Memo[str, _Addition] = Memo(ADDITIONS)
        self._warned: Memo[str, bool] = Memo(OUTLINES)

    async def __call__(self, request: ChatRequest) -> Verdict:
        if request.server_state:  # the session's first question, which the choice is made for, is not here
            return Keep("skip:server_state")
        if not request.controls.prompt.enabled:
            return Keep("skip:asked")
        prompt = read_prompt(request.messages)
        if not prompt.texts:
            return Keep("no_prompt")
        if any(map(has_left_out, prompt.texts)):
            return Keep("kept")
        tokens = await _count(prompt.texts, known=prompt.key in self._reads)
        if tokens < self._settings.min_tokens and not self._settings.modules:
            return Keep("small")
        turns = read_turns(request.messages)
        if not turns:
            return Keep("kept")
        read = await self._read(prompt)
        if not read.governed.modules and tokens <= self._budget_tokens(request):
            return Keep("small") if tokens < self._settings.min_tokens else self._tidy(request, prompt, read.outline)
        try:
            return await self._select(request, turns, await self._task(request, prompt, read))
        except ModelUnavailable:
            return Keep("no_model")

    def _budget_tokens(self, request: ChatRequest) -> int:
        return request.controls.prompt.budget_tokens or self._settings.budget_tokens

    async def _select(self, request: ChatRequest, turns: Sequence[Turn], task: _Task) -> Verdict:
        """A prompt without what no question of the *turns* needs, where that saves enough."""
        prompt, read = task.prompt, task.read
        choice, additions = await self._fold(task, read_questions(turns, self._reach))
        detail = _detail(read.outline, choice, additions)
        if choice.saved_tokens < _least_saved(read):
            return Keep("kept", detail=detail)
        references = {turn.start: new.text for turn, new in zip(turns[1:], additions, strict=True) if new.text}
        messages = rewrite(request.messages, prompt, choice.texts, references)
        there = choice.picked.union(*(one.picked for one in additions))
        of_tools = partial(self._of_tools, task, there)
        offers = (RecallSections(partial(self._recalled, read, there), of_tools),) if may_keep_recall(request) else ()
        self._warn(task, choice.over_tokens)
        reason = "core_over_budget" if choice.over_tokens else "selected"
        return Change(request.with_(messages=messages), reason, detail=detail, offers=offers)

    def _warn(self, task: _Task, over_tokens: int) -> None:
        """Say once of a prompt that what is always sent of it goes beyond the budget."""
        if over_tokens and self._warned.get(task.prompt.key) is None:
            self._warned.put(task.prompt.key, True)
            logger.warning(
                "prompt.budget_tokens is %d, and the rules of a system prompt take %d more: they are sent all the same"
                " (tokenopt prompt lint)", task.budget_tokens, over_tokens,
            )  # fmt: skip

    def _tidy(self, request: ChatRequest, prompt: Prompt, found: Outline) -> Verdict:
        """A prompt that fits, without what it says twice."""
        tidied = self._tidied.get_or(prompt.key, lambda: _tidied(prompt, found))
        if tidied.saved_tokens < LEAST_SAVED_TOKENS:
            return Keep("kept")
        return Change(request.with_(messages=rewrite(request.messages, prompt, tidied.texts, {})), "tidied")

    async def _task(self, request: ChatRequest, prompt: Prompt, read: _Read) -> _Task:
        sent = frozenset(filter(None, map(tool_name, request.tools)))
        coupling = await self._coupling(prompt, read, sent | request.left_out_tools)
        patterns = read.governed.tools
        coupled = frozenset().union(*coupling.tools.values())
        telling = frozenset(n for n in sent if n in coupled or any(fnmatchcase(n, pattern) for pattern in patterns))
        budget = self._budget_tokens(request)
        always = (*self._settings.always_include, *request.controls.prompt.always_include)
        key = digest(prompt.key, *sorted(telling), str(budget), *always)
        return _Task(prompt, read, coupling, telling, budget, always, key)

    async def _coupling(self, prompt: Prompt, read: _Read, names: frozenset[str]) -> Coupling:
        """What of *prompt* is about the tools of these *names*, remembered; of a new prompt 10 ms of work."""
        key = (prompt.key, names)
        found = self._couplings.get(key)
        if found is None:
            found = await asyncio.to_thread(couple, read.outline, names, read.core.duties)
            self._couplings.put(key, found)
        return found

    async def _recalled(self, read: _Read, there: Picked, query: str) -> str:
        """The sections that fit *query* best, as they came, without modules that conflict with what is *there*."""
        asked, found = readable(query), read.outline
        vectors = await self._embedder.embed([asked, *found.gists])
        return await asyncio.to_thread(_best_sections, found, asked, vectors, opposed(read.governed, there))

    async def _of_tools(self, task: _Task, there: Picked, names: Sequence[str]) -> str:
        """The sections and modules about the tools of these *names*, as they came, without what is *there*."""
        found, asked = task.read.outline, " ".join(names)
        ruled = standing(task.read.governed, "", {}, frozenset(names), [0.0] * len(found.sections), there)
        coupling = await asyncio.to_thread(couple, found, frozenset(names))
        sections = sorted(coupling.tools, key=lambda i: min(names.index(name) for name in coupling.tools[i]))
        query = dict.fromkeys(term_counts(asked), 1.0)
        picked = choose_about(found, sections, query, there, RECALLED_TOKENS, ruled)
        text = without_tags(render(found, picked)).rstrip()
        return f"{OF_TOOLS}{text}" if text else ""

    async def _read(self, prompt: Prompt) -> _Read:
        found = self._reads.get(prompt.key)
        if found is None:
            found = await asyncio.to_thread(self._read_anew, prompt)
        return found

    def _read_anew(self, prompt: Prompt) -> _Read:
        """What *prompt* is, remembered: in a thread it's made even when the request's time is over."""
        found = _read(prompt, self._settings)
        self._reads.put(prompt.key, found)
        return found

    async def _fold(self, task: _Task, questions: Sequence[Question]) -> tuple[_Choice, Sequence[_Addition]]:
        """What the first of *questions* decides, and what each later one adds."""
        said = (digest(question.text, str(question.standing)) for question in questions)
        keys = list(accumulate(said, digest, initial=task.key))[1:]
        choice = self._choices.get(keys[0])
        additions = [known for key in keys[1:] if (known := self._additions.get(key)) is not None]
        if choice is not None and len(additions) == len(keys) - 1:
            return choice, additions
        seen = task.prompt.key in self._vectors
        texts = [question.text for question in questions]
        told = _Told(*await self._embedded(task, texts), await self._kinds(task, texts))
        decide = partial(self._decide, task, questions, keys, told)
        new = len(keys) - len(additions) - (choice is not None)
        off_loop = not seen or new * len(task.read.outline.sections) > OFF_LOOP_SECTIONS
        return await asyncio.to_thread(decide) if off_loop else decide()

    async def _embedded(self, task: _Task, questions: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of *questions* and of the prompt's sections, in one call where these are new."""
        known = self._vectors.get(task.prompt.key)
        if known is not None:
            return await self._embedder.embed(questions), known
        vectors = await self._embedder.embed([*questions, *task.read.outline.gists])
        self._vectors.put(task.prompt.key, vectors[len(questions) :])
        return vectors[: len(questions)], vectors[len(questions) :]

    async def _kinds(self, task: _Task, questions: Sequence[str]) -> Sequence[Mapping[str, float]]:
        """How likely each of *questions* is of each kind of task, where a module asks for that."""
        if self._make_intents is None or not task.read.governed.reads_intents:
            return [{}] * len(questions)
        if self._intents is None:
            self._intents = await asyncio.to_thread(self._make_intents)
        return [intent.all for intent in await self._intents.classify(questions)]

    def _decide(
        self, task: _Task, questions: Sequence[Question], keys: Sequence[str], told: _Told
    ) -> tuple[_Choice, Sequence[_Addition]]:
        asked = partial(_ask, task, questions, told)
        choice = self._choices.get(keys[0]) or self._first(task, asked(0, frozenset()))
        self._choices.put(keys[0], choice)
        sent, room = choice.picked, choice.saved_tokens - _least_saved(task.read)
        additions: list[_Addition] = []
        for turn, key in enumerate(keys[1:], start=1):
            there = additions[max(0, questions[turn].standing - 1) :]
            most = min(room, max(LATE_LEAST_TOKENS, int(LATE_SHARE * task.budget_tokens)))
            stands = choice.picked.union(*(one.picked for one in there))
            addition = self._additions.get(key) or _add(task.read.outline, asked(turn, sent), stands, most)
            self._additions.put(key, addition)
            sent, room = sent | addition.picked, room - addition.tokens
            additions.append(addition)
        return choice, additions

    def _first(self, task: _Task, asked: _Asked) -> _Choice:
        outline, texts_before = task.read.outline, task.prompt.texts
        picked = choose(
            task.read.core,
            asked.relevance,
            asked.query,
            budget_tokens=max(1, task.budget_tokens - LEFT_OUT_TOKENS),
            always_include=task.always_include,
            broad=says_little(asked.question.text),
            standing=asked.standing,
        )
        tokens_before = sum(map(count_text, texts_before))
        texts = _texts(outline, picked, len(texts_before))
        if sum(map(count_text, texts)) >= tokens_before:
            texts = tuple(render(outline, picked, document, gap="") for document in range(len(texts_before)))
        over = beyond_budget(task.read.core, budget_tokens=task.budget_tokens, standing=asked.standing)
        return _Choice(picked, texts, tokens_before - sum(map(count_text, texts)), over)


def _read(prompt: Prompt, settings: PromptSettings) -> _Read:
    found = outline(prompt.texts, settings.level, [module.text for module in settings.modules])
    return _Read(found, core_of(found), govern(settings.modules, found))


def _tidied(prompt: Prompt, found: Outline) -> _Choice:
    picked = found.once()
    texts = tuple(render(found, picked, document) for document in range(len(prompt.texts)))
    return _Choice(picked, texts, sum(map(count_text, prompt.texts)) - sum(map(count_text, texts)))


def _least_saved(read: _Read) -> int:
    """Tokens that have to be saved; where a user's modules stand in the prompt, what they say is done in any case."""
    return 0 if read.governed.modules else LEAST_SAVED_TOKENS


def _best_sections(found: Outline, query: str, vectors: NDArray[np.float32], barred: Picked) -> str:
    """What fits *query* best of all that isn't *barred*; *vectors* are the query's, then the sections'."""
    relevance = rank(found, query, vectors[0], vectors[1:])
    asked = dict.fromkeys(term_counts(query), 1.0)
    picked = choose_asked(found, relevance, asked, RECALLED_TOKENS, named_in(found, query), barred)
    return without_tags(render(found, picked)).rstrip()


def _ask(task: _Task, questions: Sequence[Question], told: _Told, turn: int, sent: Picked) -> _Asked:
    """The question of *turn* with its relevance, and what stands by it beside what was *sent*."""
    relevance = rank(task.read.outline, questions[turn].text, told.questions[turn], told.sections)
    worth = [one.score for one in relevance]
    ruled = standing(task.read.governed, questions[turn].text, told.intents[turn], task.sent, worth, sent)
    ruled = coupled(ruled, task.coupling, task.sent, task.read.outline, relevance)
    own = questions[turn].own
    calls = any(holds(module, own, frozenset(), frozenset()) for module in task.read.governed.modules)
    return _Asked(questions[turn], relevance, ruled, calls)


def _add(found: Outline, asked: _Asked, stands: Picked, most_tokens: int) -> _Addition:
    """What of all that fits a later question best is not there (*stands*), in at most *most_tokens*."""
    own = asked.question.own
    if says_little(own) and not asked.calls and not tells(found, own):
        return _Addition()
    picked = choose_late(found, asked.relevance, asked.query, stands, most_tokens - ABOUT_TOKENS, asked.standing)
    text = f"{HEAD}{render(found, picked).rstrip()}" if picked else ""
    tokens = MESSAGE_OVERHEAD + count_text(text) if text else 0
    return _Addition(picked, text, tokens) if tokens <= most_tokens else _Addition()


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
    late = sum(bool(one.text) for one in additions)
    beyond = {"beyond_budget": choice.over_tokens} if choice.over_tokens else {}
    return {"sections_before": before, "sections_after": after, "late": late, **beyond}


async def _count(texts: Sequence[str], *, known: bool) -> int:
    """Tokens of *texts*, counted in a thread where they are long and new."""
    if not known and sum(map(len, texts)) > OFF_LOOP_CHARS:
        return await asyncio.to_thread(lambda: sum(map(count_text, texts)))
    return sum(map(count_text, texts))
