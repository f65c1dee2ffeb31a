"""The tags that authors of a system prompt may use: ``<keep>…</keep>`` and ``<squeeze ratio=0.5>…</squeeze>``.

A tag may stand in one of its own kind, or across the other's end; there may be blanks, line breaks and, in ``<keep>``,
attributes in it. One whose other half is missing is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..request import ChatRequest, Message, is_system, is_text_part, text_of

_TAG = re.compile(r"<(?P<close>/?)(?P<name>keep|squeeze)(?P<said>(?:\s[^<>]*)?)>")
_LIKE_ONE = re.compile(r"</?(?:keep|squeeze)(?![\w-])[^<>\n]*>", re.IGNORECASE)
_RATIO = re.compile(r"ratio\s*=\s*([\"']?)(\d*\.?\d+|\d+\.)\1")


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag with its other half: where both begin and end, where what they hold does, what is said beside the name."""

    name: str
    start: int
    end: int
    inner: tuple[int, int]
    said: str


def tags_of(text: str) -> list[Tagged]:
    """The tags of *text*, by where they begin."""
    if "<keep" not in text and "<squeeze" not in text:
        return []
    open_: dict[str, list[re.Match[str]]] = {"keep": [], "squeeze": []}
    found = []
    for match in _TAG.finditer(text):
        if not match["close"]:
            open_[match["name"]].append(match)
        elif open_[match["name"]]:
            first = open_[match["name"]].pop()
            inner = (first.end(), match.start())
            found.append(Tagged(match["name"], first.start(), match.end(), inner, first["said"]))
    return sorted(found, key=lambda tag: tag.start)


def kept_spans(text: str) -> list[tuple[int, int]]:
    """Where *text* is to be kept as it is, tags included, outermost ones alone."""
    return [(tag.start, tag.end) for tag in _outermost(tags_of(text), "keep")]


def squeezed(text: str) -> list[Tagged]:
    """What of *text* may be said in fewer tokens, outermost ones alone; none begins in what is to be kept."""
    kept = kept_spans(text)
    outer = _outermost(tags_of(text), "squeeze")
    return [tag for tag in outer if not any(start < tag.start < end for start, end in kept)]


def _outermost(tags: Sequence[Tagged], name: str) -> Iterator[Tagged]:
    end = -1
    for tag in tags:
        if tag.name == name and tag.start >= end:
            yield tag
            end = tag.end


def without_tags(text: str) -> str:
    """*text* without these tags; what stands in them stays."""
    marks = [mark for tag in tags_of(text) for mark in ((tag.start, tag.inner[0]), (tag.inner[1], tag.end))]
    pieces = []
    last = 0
    for start, end in sorted(marks):
        pieces.append(text[last:start])
        last = end
    return "".join([*pieces, text[last:]])


def is_tagged(message: Message) -> bool:
    """Whether *message* is a system message with one of these tags."""
    return is_system(message) and bool(tags_of(text_of(message.get("content"))))


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
    match = _RATIO.fullmatch(said.strip())
    ratio = float(match[2]) if match else None
    return ratio if ratio is not None and ratio <= 1 else None


def unread_tags(text: str) -> list[str]:
    """What looks like one of these tags and is none: its other half is missing, or it's in capitals."""
    return list(dict.fromkeys(_LIKE_ONE.findall(without_tags(text))))


def unread_ratios(text: str) -> list[str]:
    """Tags with a ratio that can't be: their passages stay whole."""
    found = (tag.said for tag in tags_of(text) if tag.name == "squeeze" and tag.said.strip())
    return list(dict.fromkeys(f"<squeeze{said}>" for said in found if ratio_of(said) is None))
