"""What the stage writes into a conversation, and how it knows its own writing again."""

from __future__ import annotations

import re

from ..request import Message, text_of

DIGEST_HEAD = "[Earlier in this conversation, shortened; […] stands for what was left out]"
RECALL_HEAD = "[From earlier in this conversation, for the next question]"

_LEFT_OUT = re.compile(r"\[… (?:m\d+: )?[\d,]+ tokens left out(?:: [\d,]+ \w+)?\]")


def left_out(tokens: int, count: int = 0, what: str = "", place: int | None = None) -> str:
    """The mark where about *tokens* tokens of a message were left out, *count* of *what* (rows, lines), if known.

    With *place*, the message's in the conversation, it holds the id by which the model can ask for it.
    """
    named = f": {count:,} {what}" if what and count > 1 else ""
    at = "" if place is None else f"m{place + 1}: "
    return f"[… {at}{max(1, tokens):,} tokens left out{named}]"


def gap(first: int, last: int) -> str:
    """The mark in a digest for what was left out of the messages at these places."""
    return f"[… m{first + 1}]" if first == last else f"[… m{first + 1}-m{last + 1}]"


def is_own(message: Message) -> bool:
    """Whether the stage wrote this message, or shortened it.

    Assistant messages never count: a model may repeat a mark that it has read.
    """
    text = text_of(message.get("content"))
    if message.get("role") == "user":
        return text.startswith((DIGEST_HEAD, RECALL_HEAD))
    return message.get("role") == "tool" and _LEFT_OUT.search(text) is not None
