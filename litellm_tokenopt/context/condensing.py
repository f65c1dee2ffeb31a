"""Results of tools, said in fewer tokens from the first time that they are sent.

What a message becomes depends on it and the call that it answers alone, so it stays the same in every later turn.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..memo import Memo
from ..request import Message, is_text_part, text_of, tool_calls
from ..tokens import count_message
from .kinds import condense
from .units import is_untouchable

LEAST_CHARS = 200
"""Shorter results are left as they are."""

LEAST_GAIN = 0.1

_FILE = re.compile(r"\"[^\"\n]*(?:[\w-]\.[A-Za-z]\w{0,7}|/)\"|\"(?:path|file\w*)\"\s*:", re.IGNORECASE)
"""Arguments that name a file: an edit may have to quote what was read of it, to the last blank."""

_texts: Memo[str, str] = Memo(max_entries=4_000)


def condensed(messages: Sequence[Message], pinned: Collection[int] = ()) -> tuple[Message, ...]:
    """*messages* with long tool results in fewer tokens, but at the *pinned* places; all others are the very objects
    that came in."""
    arguments = {call_id: text for message in messages for call_id, _, text in tool_calls(message)}
    return tuple(
        _message(message) if place not in pinned and _may(message, arguments) else message
        for place, message in enumerate(messages)
    )


def new_chars(messages: Sequence[Message]) -> int:
    """Characters of tool results that were not looked at before."""
    texts = (text_of(message.get("content")) for message in messages if message.get("role") == "tool")
    return sum(len(text) for text in texts if len(text) >= LEAST_CHARS and text not in _texts)


def _may(message: Message, arguments: Mapping[str, str]) -> bool:
    if message.get("role") != "tool" or is_untouchable(message) or len(text_of(message.get("content"))) < LEAST_CHARS:
        return False
    return _FILE.search(arguments.get(str(message.get("tool_call_id") or ""), '"path":')) is None


def _message(message: Message) -> Message:
    content = message["content"]
    shorter = {**message, "content": _text(content) if isinstance(content, str) else [_block(one) for one in content]}
    return shorter if count_message(shorter) <= (1 - LEAST_GAIN) * count_message(message) else message


def _block(block: Any) -> Any:
    return {**block, "text": _text(block["text"])} if is_text_part(block) else block


def _text(text: str) -> str:
    return _texts.get_or(text, lambda: condense(text))
