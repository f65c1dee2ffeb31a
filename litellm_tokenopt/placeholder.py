"""Put the users' modules into a system message that has a placeholder for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        return content.replace(PLACEHOLDER, text)
    return [_filled_part(part, text) if is_text_part(part) else part for part in content]


def _filled_part(part: Mapping[str, Any], text: str) -> Mapping[str, Any]:
    return {**part, "text": part["text"].replace(PLACEHOLDER, text)} if PLACEHOLDER in part["text"] else part
