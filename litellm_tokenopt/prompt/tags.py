"""The tags that authors of a system prompt may use: ``<keep>…</keep>`` and ``<squeeze ratio=0.5>…</squeeze>``."""

from __future__ import annotations

import re
from typing import Any

from ..request import ChatRequest, Message, is_system, is_text_part, text_of

SQUEEZED = re.compile(r"<squeeze\b([^<>\n]*)>(.*?)</squeeze>", re.DOTALL)
"""Its groups are what is said beside the tag's name, and the passage."""

KEPT = re.compile(r"(<keep>.*?</keep>)", re.DOTALL)
_INSIDE = re.compile(r"<keep>(.*?)</keep>", re.DOTALL)
_ANY = re.compile(r"</?(?:keep|squeeze)\b[^<>\n]*>")
_RATIO = re.compile(r"ratio\s*=\s*([\"']?)(\d*\.?\d+|\d+\.)\1")


def without_tags(text: str) -> str:
    """*text* without these tags; what stands in them stays. A tag that isn't closed is none."""
    return SQUEEZED.sub(r"\2", _INSIDE.sub(r"\1", text))


def is_tagged(message: Message) -> bool:
    """Whether *message* is a system message with one of these tags."""
    text = text_of(message.get("content")) if is_system(message) else ""
    return ("<keep>" in text or "<squeeze" in text) and without_tags(text) != text


def untagged(request: ChatRequest) -> ChatRequest:
    """*request* with no tag in its system messages, also those that are else left alone: the text is the author's.

    Takes a fraction of a millisecond.
    """
    if not any(map(is_tagged, request.messages)):
        return request
    messages = (_without(message) if is_tagged(message) else message for message in request.messages)
    return request.with_(messages=tuple(messages))


def _without(message: Message) -> Message:
    return {**message, "content": _content_without(message.get("content"))}


def _content_without(content: Any) -> Any:
    if isinstance(content, str):
        return without_tags(content)
    return [{**part, "text": without_tags(part["text"])} if is_text_part(part) else part for part in content]


def ratio_of(said: str) -> float | None:
    """The ratio in what a ``<squeeze>`` says beside its name; None where that is anything else than 0 to 1."""
    match = _RATIO.fullmatch(said.strip().removesuffix("/").rstrip())
    ratio = float(match[2]) if match else None
    return ratio if ratio is not None and ratio <= 1 else None


def unread_tags(text: str) -> list[str]:
    """What looks like one of these tags and is none, as it isn't closed or wasn't opened."""
    return list(dict.fromkeys(_ANY.findall(without_tags(text))))


def unread_ratios(text: str) -> list[str]:
    """Tags with a ratio that can't be: their passages stay whole."""
    found = (match for match in SQUEEZED.finditer(text) if match[1].strip() and ratio_of(match[1]) is None)
    return list(dict.fromkeys(f"<squeeze{match[1]}>" for match in found))
