"""``<squeeze ratio=0.5>…</squeeze>`` in a system prompt: what its author allows to be said in fewer tokens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import ModelUnavailable
from ..lexical import term_counts
from ..memo import Memo
from ..request import ChatRequest
from ..stage import Change, Detail, Keep, Stage, Verdict
from .guarded import MEMO_TEXTS, Compressed, GuardedCompressor, Kind, kind_of
from .messages import Prompt, read_prompt, read_turns, rewrite
from .ranking import says_little
from .tags import is_tagged, kept_spans, ratio_of, squeezed, untagged, without_tags

WARNINGS = 100

logger = logging.getLogger(__name__)


class Squeezing:
    """A prompt stage, *inner*, in front of which tagged passages are compressed, once for a session's first question.

    Without a ratio of its own a passage gets that of its kind, of *ratios*; with one that can't be it stays whole, and
    that is logged once. What stands in ``<keep>`` stays. No tag is sent to the model, whatever becomes of the prompt.
    """

    def __init__(self, inner: Stage, compressor: GuardedCompressor, ratios: Mapping[str, float]) -> None:
        self._inner = inner
        self._compressor = compressor
        self._ratios = ratios
        self._warned: Memo[str, bool] = Memo(WARNINGS)
        self._kinds: Memo[str, Kind] = Memo(MEMO_TEXTS)

    @property
    def name(self) -> str:
        return self._inner.name

    async def __call__(self, request: ChatRequest) -> Verdict:
        if not any(map(is_tagged, request.messages)):
            return await self._inner(request)
        squeezed, found = await self._squeeze(request)
        verdict = await self._inner(squeezed)
        sent = untagged(verdict.request if isinstance(verdict, Change) else squeezed)
        if isinstance(verdict, Change):
            return replace(verdict, request=sent, detail={**verdict.detail, **_told(found)})
        if isinstance(verdict, Keep):
            reason = "squeezed" if found else "untagged"
            return Change(sent, reason, verdict.then, {**verdict.detail, **_told(found)})
        return verdict

    async def _squeeze(self, request: ChatRequest) -> tuple[ChatRequest, list[Compressed]]:
        """*request* with its passages in fewer tokens, and what was found of them; as it is where that can't be."""
        prompt = read_prompt(request.messages)
        found: list[Compressed] = []
        if request.server_state or not request.controls.prompt.enabled:
            return request, found
        try:
            texts = await self._texts(request, prompt, found)
        except ModelUnavailable:
            return request, []
        return request.with_(messages=rewrite(request.messages, prompt, texts, {})), found

    async def _texts(self, request: ChatRequest, prompt: Prompt, found: list[Compressed]) -> list[str]:
        turns = read_turns(request.messages)
        question = turns[0].question if turns else ""
        return [await self._text(text, question, found) for text in prompt.texts]

    async def _text(self, text: str, question: str, found: list[Compressed]) -> str:
        pieces: list[str] = []
        last = 0
        for tag in squeezed(text):
            passage = text[slice(*tag.inner)]
            ratio = await self._ratio(tag.said, passage)
            pieces += [text[last : tag.start], await self._passage(passage, ratio, question, found)]
            last = tag.end
        return "".join([*pieces, text[last:]])

    async def _ratio(self, said: str, passage: str) -> float:
        if not said.strip():
            return self._ratios[await self._kind(passage)]
        ratio = ratio_of(said)
        if ratio is None and self._warned.get(said) is None:
            self._warned.put(said, True)
            logger.warning("<squeeze%s>: a ratio from 0 to 1 is allowed (ratio=0.5); the passage stays whole", said)
        return 1.0 if ratio is None else ratio

    async def _kind(self, passage: str) -> Kind:
        if (known := self._kinds.get(passage)) is not None:
            return known
        found = await asyncio.to_thread(kind_of, passage)
        self._kinds.put(passage, found)
        return found

    async def _passage(self, text: str, ratio: float, question: str, found: list[Compressed]) -> str:
        pieces: list[str] = []
        last = 0
        for start, end in [*kept_spans(text), (len(text), len(text))]:
            pieces += [await self._part(without_tags(text[last:start]), ratio, question, found), text[start:end]]
            last = end
        return "".join(pieces)

    async def _part(self, text: str, ratio: float, question: str, found: list[Compressed]) -> str:
        """*text* in fewer tokens; the space around it stays."""
        bare = text.strip()
        if not bare:
            return text
        found.append(await self._compressor.compress(bare, ratio, question if _asks(question, bare) else ""))
        before, _, after = text.partition(bare)
        return f"{before}{found[-1].text}{after}"


def _asks(question: str, passage: str) -> bool:
    """Whether *question* tells what of *passage* is wanted: one of few words does where these stand in the passage."""
    return not says_little(question) or not term_counts(question).keys().isdisjoint(term_counts(passage))


def _told(found: Sequence[Compressed]) -> Detail:
    """How many passages were taken, and the least that one of them kept; and that a refused one would have kept."""
    if not found:
        return {}
    taken = [one.quality for one in found if one.taken]
    refused = [one.quality.kept for one in found if not one.taken and one.quality.ratio < 1]
    detail: dict[str, str | int | float] = {
        "squeezed": len(taken), "squeeze_refused": len(found) - len(taken), "compressor": found[0].compressor,
    }  # fmt: skip
    if refused:
        detail["refused_facts"] = round(min(refused), 3)
    if taken:
        detail["kept_facts"] = round(min(one.kept for one in taken), 3)
        detail["kept_words"] = round(min(one.words for one in taken), 3)
        detail["ratio"] = round(sum(one.ratio for one in taken) / len(taken), 3)
    return detail
