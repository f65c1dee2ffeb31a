"""``<squeeze ratio=0.5>…</squeeze>`` in a system prompt: what its author allows to be said in fewer tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import ModelUnavailable
from ..request import ChatRequest
from ..stage import Change, Detail, Keep, Stage, Verdict
from .guarded import Compressed, GuardedCompressor, kind_of
from .messages import Prompt, read_prompt, read_turns, rewrite
from .ranking import says_little

_TAG = re.compile(r"<squeeze(?:\s+ratio\s*=\s*[\"']?(0?\.\d+|1(?:\.0*)?|0)[\"']?)?\s*>(.*?)</squeeze>", re.DOTALL)


class Squeezing:
    """A prompt stage, *inner*, in front of which tagged passages are compressed, once for a session's first question.

    The tags are not sent. Without a ratio of its own a passage gets that of its kind, of *ratios*.
    """

    def __init__(self, inner: Stage, compressor: GuardedCompressor, ratios: Mapping[str, float]) -> None:
        self._inner = inner
        self._compressor = compressor
        self._ratios = ratios

    @property
    def name(self) -> str:
        return self._inner.name

    async def __call__(self, request: ChatRequest) -> Verdict:
        prompt = read_prompt(request.messages)
        if request.server_state or not any(map(_TAG.search, prompt.texts)):
            return await self._inner(request)
        try:
            squeezed, found = await self._squeeze(request, prompt)
        except ModelUnavailable:
            return await self._inner(request)
        verdict = await self._inner(squeezed)
        if isinstance(verdict, Change):
            return replace(verdict, detail={**verdict.detail, **_told(found)})
        if isinstance(verdict, Keep):
            return Change(squeezed, "squeezed", verdict.then, {**verdict.detail, **_told(found)})
        return verdict

    async def _squeeze(self, request: ChatRequest, prompt: Prompt) -> tuple[ChatRequest, list[Compressed]]:
        turns = read_turns(request.messages)
        question = turns[0].question if turns and not says_little(turns[0].question) else ""
        found: list[Compressed] = []
        texts = [await self._text(text, question, found) for text in prompt.texts]
        return request.with_(messages=rewrite(request.messages, prompt, texts, {})), found

    async def _text(self, text: str, question: str, found: list[Compressed]) -> str:
        pieces: list[str] = []
        last = 0
        for match in _TAG.finditer(text):
            ratio = float(match[1]) if match[1] else self._ratios[kind_of(match[2])]
            found.append(await self._compressor.compress(match[2], ratio, question))
            pieces += [text[last : match.start()], found[-1].text]
            last = match.end()
        return "".join([*pieces, text[last:]])


def _told(found: Sequence[Compressed]) -> Detail:
    """How many passages were taken, and the least that one of them kept."""
    taken = [one for one in found if one.taken]
    detail: dict[str, str | int | float] = {
        "squeezed": len(taken), "squeeze_refused": len(found) - len(taken), "compressor": found[0].compressor,
    }  # fmt: skip
    if not taken:
        return detail
    kept, similar = min(one.quality.kept for one in taken), min(one.quality.similarity for one in taken)
    ratio = sum(one.quality.ratio for one in taken) / len(taken)
    return {**detail, "kept_facts": round(kept, 3), "kept_words": round(similar, 3), "ratio": round(ratio, 3)}
