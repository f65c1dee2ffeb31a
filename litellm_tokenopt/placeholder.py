"""Put the users' modules into a system message that has a placeholder for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from .request import Message, is_system, is_text_part, text_of

PLACEHOLDER = "{{tokenopt.modules}}"


def has_placeholder(message: Message) -> bool:
    return PLACEHOLDER in text_of(message.get("content"))


def filled(messages: Sequence[Message], text: str) -> tuple[Message, ...]:
    """*messages* with *text* for the placeholder in system messages; the others are the objects that came in."""
    return tuple(
        {**message, "content": _filled(message["content"], text)}
        if is_system(message) and has_placeholder(message)
        else message
        for message in messages
    )


def _filled(content: Any, text: str) -> Any:
    if isinstance(content, str):
        return _put_in(content, text)
    return [_filled_part(part, text) if is_text_part(part) else part for part in content]


def _filled_part(part: Mapping[str, Any], text: str) -> Mapping[str, Any]:
    return {**part, "text": _put_in(part["text"], text)} if PLACEHOLDER in part["text"] else part


def _put_in(given: str, text: str) -> str:
    """*given* with *text* for each placeholder, on lines of its own: modules are found again by whole lines."""

    def between(before: str, after: str) -> str:
        head = before if not before or before.endswith("\n") else before.rstrip(" \t") + "\n\n"
        tail = after if not after or after.startswith("\n") else "\n\n" + after.lstrip(" \t")
        return head + text + tail

    return reduce(between, given.split(PLACEHOLDER))
