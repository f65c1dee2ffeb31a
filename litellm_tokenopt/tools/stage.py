"""The stage: keep the tools that the conversation may need, and say their schemas in fewer tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import ModelLoading, ModelUnavailable
from ..memo import Memo
from ..models.base import Embedder
from ..models.intents import Intent
from ..models.matching import WEIGHTS, Matching, load_matching
from ..request import ChatRequest, Tool, choice_kind, digest, has_media, is_system, text_of, user_turns
from ..settings import SchemaLevel, ToolsSettings
from ..stage import Change, Detail, Keep, Verdict
from ..tokens import count_messages, count_tools
from .compress import compress_tool
from .courtesy import is_courtesy
from .deferring import deferred, is_arranged, needed_names, opening
from .family import kinship, requisites
from .find import FindTools
from .learning import Learning
from .lessons import NOTHING, Lessons
from .phrasing import packaged
from .rank import HINT_TEXTS, Fit, Lexicon, fit, fit_by_words, query_texts
from .reading import as_json, calls_after, copied, is_fixed, is_marked, name_of, summary
from .select import Selection, Turn, asks_for_a_tool, capacity, select
from .usage import events, session_of
from .whole import MOST_WHOLE, is_cheaper_whole, is_cheaper_without
from .words import goes_on, latin_share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

T = TypeVar("T")

BLOCKS = 64
"""Tool blocks kept in process."""

FITS = 4_000
"""Scored questions kept in process."""

FINDERS = 1_000
"""Lists of left-out tools kept in process."""

MANY_TOOLS = 10
"""Where more may be chosen, each is said as shortly as can be."""

CONVERSATION = "conversation"
"""The category of texts that need no tool."""

SURE_TALK, SURE_NOT = 0.97, 0.2
"""How likely a text must be of that category at least, and of every other one at most, to get no tool.

Greetings, thanks and jokes are above; a question about the world, which some search could answer, mostly isn't.
"""

TALK_CLOSEST = 0.28
"""A text that comes as near as this to a tool, by trained similarity, isn't surely talk: "the sun is blinding me"."""

TALK_TOKENS = 1_000
"""A smaller block is chosen from for plain conversation too: the tool that asks for the others isn't much less."""

BY_WORDS = "selected_by_words"
"""The reason where a choice isn't final: no vectors in time."""

OFF_LOOP_CHARS = 8_000
"""A block longer than this is read in a thread the first time: more than about 5 ms of work."""


@dataclass(frozen=True, eq=False)
class Block:
    """What is known of a tool block by its content alone; `levels` are how short each tool is to be said."""

    tools: tuple[Tool, ...]
    key: str
    names: tuple[str | None, ...]
    fixed: frozenset[int]
    tokens: int
    levels: tuple[SchemaLevel, ...]
    _said: dict[int, Tool] = field(default_factory=dict)

    @cached_property
    def lexicon(self) -> Lexicon:
        return Lexicon(self.tools)

    @cached_property
    def kinship(self) -> NDArray[np.float64]:
        return kinship(self.tools)

    @cached_property
    def requisites(self) -> tuple[tuple[int, ...], ...]:
        return requisites(self.tools)

    @cached_property
    def summaries(self) -> tuple[str, ...]:
        return tuple(map(summary, self.tools))

    @cached_property
    def said_tokens(self) -> int:
        """Tokens of all tools as they'd be sent."""
        return count_tools(map(self.said, range(len(self.tools))))

    @property
    def is_read(self) -> bool:
        """Whether what its words tell is known."""
        return "requisites" in vars(self)

    def read(self) -> None:
        """Find out what its words tell, of which the last is `requisites`."""
        _ = self.lexicon, self.kinship, self.requisites

    def has_said(self, places: Iterable[int]) -> bool:
        """Whether the tools at *places* have been compressed before."""
        return self._said.keys() >= set(places)

    def said(self, place: int) -> Tool:
        """The tool at *place* as it'd be sent: the very one of `tools` where compression gains nothing."""
        if place not in self._said:
            self._said[place] = compress_tool(self.tools[place], self.levels[place])
        return self._said[place]

    @cached_property
    def _places(self) -> Mapping[str, frozenset[int]]:
        places: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            places.setdefault(name or "", []).append(index)
        return {name: frozenset(found) for name, found in places.items()}

    def named(self, names: frozenset[str]) -> frozenset[int]:
        """Indices of the tools with one of *names*."""
        return frozenset().union(*(self._places.get(name, ()) for name in names))


class Intents(Protocol):
    """Tells how likely texts are of each kind of task."""

    async def classify(self, texts: Sequence[str]) -> Sequence[Intent]: ...


class ToolsStage:
    """Sends at most `max_tools` tools beside the protected ones, in their order, with compressed schemas.

    Plain conversation at a session's begin gets none; nor does a session's first request in which none may be called,
    where the tools are larger than its messages.
    A small block behind an agent's system prompt is sent whole, where choosing from it would cost more (`whole`).
    Protected are the tools that the history called, that `tool_choice` names, that `always_include` lists,
    provider-side tools, tools with the caller's ``cache_control`` mark and this package's own. Without an
    embedding model, or where earlier turns are kept at the provider, no tool is dropped.
    """

    name = "tools"

    def __init__(
        self,
        settings: ToolsSettings,
        embedder: Embedder,
        learning: Learning | None = None,
        *,
        intents: Callable[[], Intents] | None = None,
        patience_seconds: float | None = None,
        talk_tokens: int = TALK_TOKENS,
    ) -> None:
        self._settings = settings
        self._talk_tokens = talk_tokens
        self._patience_seconds = patience_seconds
        self._learning = learning
        self._embedder = embedder
        self._make_intents = intents
        self._intents: Intents | None = None
        self._always = frozenset(settings.always_include)
        self._blocks: Memo[str, Block] = Memo(BLOCKS)
        self._matchings: list[Matching | None] = []  # loaded once, at the first need
        self._vectors: Memo[str, tuple[Vectors, Vectors, Vectors]] = Memo(BLOCKS)
        self._fits: Memo[tuple[str, str], Fit] = Memo(FITS)
        self._finders: Memo[tuple[str, tuple[int, ...]], FindTools] = Memo(FINDERS)

    async def __call__(self, request: ChatRequest) -> Verdict:
        if not request.tools:
            return Keep("no_tools")
        if self._learning is None:
            return await self._decide(request, await self._block(request.tools, frozenset()), NOTHING)
        lessons, session = await self._learning.lessons(request), session_of(request)
        names = frozenset(name for tool in request.tools if (name := name_of(tool)))
        full = names if self._learning.is_canary(session) else names & lessons.full
        block = await self._block(request.tools, full)
        verdict = await self._decide(request, block, lessons)
        tools = verdict.request.tools if isinstance(verdict, Change) else request.tools
        sent = frozenset(name for tool in tools if (name := name_of(tool)))
        chosen = sent if verdict.reason == BY_WORDS else await self._chosen(block, request, lessons)
        seen = events(request, session, sent=sent, chosen=chosen, full=full)
        followup = self._learning.followup(request, tuple(seen))
        if followup is not None and request.controls.no_store:  # what isn't to be stored isn't handed over either
            self._learning.count_soon(followup)
            return verdict
        return replace(verdict, then=followup)

    async def _decide(self, request: ChatRequest, block: Block, lessons: Lessons) -> Keep | Change:
        if await self._needs_none(block, request):
            return await _verdict(block, request, tuple(sorted(block.fixed)), Selection(), "none_may_be_called", None)
        selection = await self._selection(block, request, lessons)
        if selection is None or len(selection.tools) == len(block.tools):
            every = tuple(range(len(block.tools)))
            return await _verdict(block, request, every, Selection(), "compressed", None)
        if self._searched(request):
            return await _deferring(block, request, selection)
        reason = BY_WORDS if selection.by_words else "selected"
        places = tuple(sorted(selection.tools))
        verdict = await _verdict(block, request, places, selection, reason, self._patience_seconds)
        stands = request.own_tools or request.keeps_own_tools
        if isinstance(verdict, Keep) or not stands or self._settings.search == "off":
            return verdict
        return replace(verdict, offers=(self._find(block, selection),))

    def _searched(self, request: ChatRequest) -> bool:
        """Whether the provider's search is to find what is left out."""
        return self._settings.search == "provider" and request.provider_search is not None

    def _find(self, block: Block, selection: Selection) -> FindTools:
        """What answers for the tools that aren't in *selection*; one object for each set of them."""
        left_out = tuple(index for index in range(len(block.tools)) if index not in selection.tools)
        return self._finders.get_or(
            (block.key, left_out), lambda: FindTools(block.tools, left_out, partial(self._best, block), block.said)
        )

    async def _best(self, block: Block, query: str) -> list[int]:
        """Indices of the block's tools, the best for *query* first."""
        (fit,), _ = await self._heard(block, [query])
        return list(fit.order)

    async def _block(self, tools: tuple[Tool, ...], full: frozenset[str]) -> Block:
        """What is known of *tools*, of which those named in *full* keep their schemas."""
        text = as_json(tools)
        key = digest(text, *sorted(full))
        known = self._blocks.get(key)
        if known is None:
            known = await _off_loop(lambda: self._read(copied(tools), key, full), when=len(text) > OFF_LOOP_CHARS)
        return known

    def _read(self, tools: tuple[Tool, ...], key: str, full: frozenset[str]) -> Block:
        """What is known of *tools*, remembered; in a thread it's done even when the request's time is over."""
        names, tokens = tuple(map(name_of, tools)), count_tools(tools)
        level = level_of_block(self._settings, len(tools), tokens)
        block = Block(
            tools=tools,
            key=key,
            names=names,
            fixed=frozenset(index for index, tool in enumerate(tools) if is_fixed(tool, self._always)),
            tokens=tokens,
            levels=tuple(
                "full" if name in full else self._settings.schema_levels.get(name or "", level) for name in names
            ),
        )
        self._blocks.put(key, block)
        return block

    async def _chosen(self, block: Block, request: ChatRequest, lessons: Lessons) -> frozenset[str]:
        """Names of the tools that go on because of what the user says, not because they were called."""
        said = (message for message in request.messages if message.get("role") == "user" or is_system(message))
        asked = request.with_(messages=tuple(said))
        selection = await self._selection(block, asked, lessons)
        places = range(len(block.tools)) if selection is None else selection.tools
        return frozenset(name for place in places if (name := block.names[place]))

    async def _selection(self, block: Block, request: ChatRequest, lessons: Lessons) -> Selection | None:
        """The tools to send; None where all of them are."""
        searched = self._searched(request)
        named = needed_names(request, searched=searched)
        protected = block.fixed | block.named(named)
        turns = user_turns(request.messages)
        if request.server_state or not turns or len(block.tools) <= capacity(len(protected), self._settings.max_tools):
            return None
        if is_arranged(block.tools) or await self._is_cheaper_whole(block, request):
            return None
        questions = [text_of(request.messages[turn].get("content")) for turn in turns]
        try:
            fits, by_words = await self._heard(block, questions)
        except ModelUnavailable:
            return None
        calls = calls_after(request.messages, turns)
        fits = [favoured(fit, block.names, lessons.priors) for fit in fits]
        may_send_none = self._may_send_none(block, request)
        said = sum(1 for _ in takewhile(lambda turn: not has_media(request.messages[turn]), turns))
        talk = await self._talk(questions[:said], fits[:said], by_words=by_words) if may_send_none else 0
        heard = [
            Turn(fit=fit, calls=tuple(map(block.named, called)), talk=place < talk, refers=goes_on(question))
            for place, (question, fit, called) in enumerate(zip(questions, fits, calls, strict=True))
        ]
        heard = opening(heard) if searched else heard
        return replace(select(heard, block.fixed, protected, self._settings.max_tools), by_words=by_words)

    def _may_send_none(self, block: Block, request: ChatRequest) -> bool:
        """Whether the model needn't call a tool, and the tools are many words."""
        return choice_kind(request.tool_choice) == "auto" and block.tokens >= self._talk_tokens

    async def _needs_none(self, block: Block, request: ChatRequest) -> bool:
        """Whether a session begins with a request in which no tool may be called, and its tools are the larger part.

        Later on they stay, whatever may be called: the provider's cache holds all that stands behind them.
        """
        begins = not any(message.get("role") == "assistant" for message in request.messages)
        if choice_kind(request.tool_choice) != "none" or not begins or request.server_state:
            return False
        if is_arranged(block.tools) or any(map(is_marked, block.tools)):
            return False
        tokens = await _off_loop(lambda: block.said_tokens, when="said_tokens" not in vars(block))
        sent = tokens * min(1.0, self._settings.max_tools / len(block.tools))
        return is_cheaper_without(sent, count_messages(request.messages))

    async def _talk(self, questions: Sequence[str], fits: Sequence[Fit], *, by_words: bool) -> int:
        """How many of *questions*, from the first on, are surely plain conversation, or tell words alone nothing."""
        if by_words:
            return sum(1 for _ in takewhile(lambda fit: not fit.words.any(), fits))
        idle = sum(1 for _ in takewhile(lambda fit: not asks_for_a_tool(fit), fits))
        courteous = sum(1 for _ in takewhile(is_courtesy, questions[:idle]))
        if self._make_intents is None or courteous == idle:
            return courteous
        if self._intents is None:
            self._intents = await asyncio.to_thread(self._make_intents)
        try:
            async with asyncio.timeout(self._patience_seconds):
                intents = await self._intents.classify(questions[:idle])
        except (ModelUnavailable, TimeoutError):
            return courteous
        heard = zip(questions, fits, intents, strict=False)
        return sum(1 for _ in takewhile(lambda turn: is_courtesy(turn[0]) or _is_conversation(*turn), heard))

    async def _is_cheaper_whole(self, block: Block, request: ChatRequest) -> bool:
        count, most = len(block.tools), self._settings.max_tools
        if count > min(self._settings.whole_up_to, MOST_WHOLE * most):
            return False
        tokens = await _off_loop(lambda: block.said_tokens, when="said_tokens" not in vars(block))
        return is_cheaper_whole(tokens, count, most, count_messages(filter(is_system, request.messages)))

    async def _heard(self, block: Block, questions: Sequence[str]) -> tuple[list[Fit], bool]:
        """How each of *questions* fits the block, and whether that's by words alone, for want of vectors in time.

        Raises `ModelUnavailable` where there is no model to wait for.
        """
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._rank(block, questions), False
        except (ModelLoading, TimeoutError):
            return await asyncio.to_thread(_by_words, block, questions), True

    async def _rank(self, block: Block, questions: Sequence[str]) -> list[Fit]:
        """How each of *questions* fits the block; what is new is embedded in one call."""
        keys = [(block.key, digest(question)) for question in questions]
        known = {key: found for key in keys if (found := self._fits.get(key)) is not None}
        new = {key: question for key, question in zip(keys, questions, strict=True) if key not in known}
        if new:
            known.update(zip(new, await self._fit(block, list(new.values())), strict=True))
            for key in new:
                self._fits.put(key, known[key])
        return [known[key] for key in keys]

    async def _fit(self, block: Block, questions: Sequence[str]) -> list[Fit]:
        texts = [query_texts(question) for question in questions]
        (tools, hints, offered), vectors, _ = await asyncio.gather(
            self._tool_vectors(block),
            self._embedder.embed([text for group in texts for text in group]),
            _off_loop(block.read, when=not block.is_read),
        )
        cosines, matching = vectors @ tools.T, await self._matching()
        matches = cosines if matching is None else matching.asked(vectors) @ offered.T

        def score() -> list[Fit]:
            start, fits = 0, []
            for question, group in zip(questions, texts, strict=True):
                rows = slice(start, start + len(group))
                known = cosines[rows], matches[rows], hints
                fits.append(fit(question, block.lexicon, *known, block.kinship, block.requisites))
                start += len(group)
            return fits

        return await _off_loop(score, when=len(cosines) > 20)

    async def _tool_vectors(self, block: Block) -> tuple[Vectors, Vectors, Vectors]:
        """(vectors of the tools, cosines of the hints with them, what the tools are matched by)."""
        known = self._vectors.get(block.key)
        if known is None:
            vectors = await self._embedder.embed([*block.summaries, *HINT_TEXTS])
            tools, matching = vectors[: len(block.tools)], await self._matching()
            offered = tools if matching is None else matching.offered(tools)
            known = tools, vectors[len(block.tools) :] @ tools.T, offered
            self._vectors.put(block.key, known)
        return known

    async def _matching(self) -> Matching | None:
        """What requests and tools are matched by; None where the embedder isn't the one that it was trained for."""
        if not self._matchings:
            self._matchings.append(await asyncio.to_thread(_matching_for, self._embedder.name))
        return self._matchings[0]


def _matching_for(embedder: str) -> Matching | None:
    packaged()  # the phrases take tens of milliseconds to read, too
    try:
        return load_matching(WEIGHTS, embedder)
    except ModelUnavailable:
        return None


def _is_conversation(question: str, fit: Fit, intent: Intent) -> bool:
    """Whether a text is surely talk; what is written in letters that the models hardly know never is."""
    if fit.closest >= TALK_CLOSEST or latin_share(question) < 0.5:
        return False
    others = [likely for name, likely in intent.all.items() if name != CONVERSATION]
    return intent.all.get(CONVERSATION, 0.0) >= SURE_TALK and max(others, default=0.0) <= SURE_NOT


def _by_words(block: Block, questions: Sequence[str]) -> list[Fit]:
    return [fit_by_words(question, block.lexicon, block.kinship, block.requisites) for question in questions]


def favoured(fit: Fit, names: Sequence[str | None], priors: Mapping[str, float]) -> Fit:
    """*fit* where the tools called *names* gain in score what *priors* say."""
    gains = [priors.get(name or "", 0.0) for name in names] if priors else []
    return replace(fit, score=(fit.score + gains).round(6)) if any(gains) else fit


def level_of_block(settings: ToolsSettings, count: int, tokens: int) -> SchemaLevel:
    """How short the schemas of *count* tools, together of so many *tokens*, are said: the larger, the shorter."""
    if settings.schema_level != "auto":
        return settings.schema_level
    if count <= settings.max_tools and tokens < settings.min_tokens:
        return "light"
    return "strong" if min(count, settings.max_tools) <= MANY_TOOLS else "bare"


async def _verdict(
    block: Block,
    request: ChatRequest,
    places: Sequence[int],
    selection: Selection,
    reason: str,
    patience_seconds: float | None,
) -> Keep | Change:
    """Change to the tools at *places*, each as short as it can be said; Keep where that is what came in."""
    detail = _detail(block, len(places), selection.epoch)
    said = await _said(block, places, patience_seconds)
    shorter = {place: tool for place, tool in said.items() if tool is not block.tools[place]}
    if len(places) == len(block.tools) and not shorter:
        return Keep("kept", detail=detail)
    # Copies, because what is sent on may be changed in place on its way to the provider.
    tools = tuple(copied(shorter[i]) if i in shorter else request.tools[i] for i in places)
    left_out = frozenset(filter(None, block.names)).difference(filter(None, map(name_of, tools)))
    sent = request.with_(tools=tools, left_out_tools=request.left_out_tools | left_out)
    return Change(sent, reason, detail=detail)


async def _deferring(block: Block, request: ChatRequest, selection: Selection) -> Change:
    """Change to the tools of *selection*, the others deferred, and the provider's tool to search for them."""
    every = range(len(block.tools))
    said = await _off_loop(lambda: list(map(block.said, every)), when=not block.has_said(every))
    kept = [request.tools[i] if said[i] is block.tools[i] else copied(said[i]) for i in every]
    tools = tuple(tool if i in selection.tools else deferred(tool) for i, tool in enumerate(kept))
    left_out = frozenset(name for i, name in enumerate(block.names) if name and i not in selection.tools)
    search = (request.provider_search,) if request.provider_search is not None else ()
    sent = request.with_(tools=(*tools, *search), left_out_tools=request.left_out_tools | left_out)
    return Change(sent, "deferred", detail=_detail(block, len(selection.tools)))


async def _said(block: Block, places: Sequence[int], patience_seconds: float | None) -> Mapping[int, Tool]:
    """The tools at *places* as they're to be sent: as they came, where that isn't known in time."""
    try:
        async with asyncio.timeout(patience_seconds):
            return await _off_loop(
                lambda: {place: block.said(place) for place in places}, when=not block.has_said(places)
            )
    except TimeoutError:
        return {place: block.tools[place] for place in places}


def _detail(block: Block, after: int, epoch: int = 0) -> Detail:
    return {"tools_before": len(block.tools), "tools_after": after, "epoch": epoch}


async def _off_loop(work: Callable[[], T], *, when: bool) -> T:
    """*work*'s result, computed in a thread if *when*."""
    return await asyncio.to_thread(work) if when else work()
