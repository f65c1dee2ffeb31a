"""What an answer took, counted here where its provider didn't say: mostly in streams that weren't asked to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from ..request import ChatRequest, Reply, Surface
from ..tokens import RequestCounter, count_text

_OPENAI, _OTHERS = ("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")
_NAMES: Mapping[Surface, tuple[str, str]] = {"chat": _OPENAI, "messages": _OTHERS, "responses": _OTHERS}


async def with_usage(request: ChatRequest, reply: Reply) -> Reply:
    """*reply* to *request* with both counts of tokens in its payload; the provider's, where it counted any."""
    told = reply.payload.get("usage")
    if isinstance(told, Mapping) and any(told.get(name) for name in (*_OPENAI, *_OTHERS)):
        return reply
    sent, said = await RequestCounter()(request), await asyncio.to_thread(count_text, reply.text)
    usage = dict(zip(_NAMES[request.surface], (sent, said), strict=True))
    if request.surface != "messages":
        usage["total_tokens"] = sent + said
    return replace(reply, payload={**reply.payload, "usage": usage})
