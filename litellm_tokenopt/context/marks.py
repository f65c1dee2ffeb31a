"""What the stage writes into a conversation, and how it knows its own writing again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from ..request import Message, text_of

DIGEST_HEAD = "[Earlier in this conversation, shortened; […] stands for what was left out]"
RECALL_HEAD = "[From earlier in this conversation, for the next question]"

SAME, SAME_RECORD, KEYS_AS = "[Same as the last full result of ", '{"same_as":"last full ', '{"keys_as":"'
"""What a result begins with that is told by an earlier one: by the lines, or members, in which it differs, or by its
own values in the order of the other's keys."""

_LEFT_OUT = re.compile(r"\[… (?:m\d+: )?[\d,]+ tokens left out(?:: [\d,]+ \w+)?\]")


class Marks(Protocol):
    """How what was left out is marked."""

    def left_out(self, place: int, tokens: int, count: int, what: str) -> str:
        """Of the message at *place* about *tokens* tokens, *count* of *what* (rows, lines; empty if not known)."""
        ...

    def gap(self, first: int, last: int) -> str:
        """In a digest: something of the messages at these places."""
        ...

    def summary(self, first: int, last: int, text: str) -> str:
        """In a digest: what a model says of the messages at these places."""
        ...


@dataclass(frozen=True, slots=True)
class PlainMarks:
    """Marks for a model that can't ask for what they stand for."""

    def left_out(self, place: int, tokens: int, count: int, what: str) -> str:
        return f"[… {_amount(tokens, count, what)}]"

    def gap(self, first: int, last: int) -> str:
        return "[…]"

    def summary(self, first: int, last: int, text: str) -> str:
        return f"[… in short: {text}]"


@dataclass(frozen=True, slots=True)
class MarksWithIds:
    """Marks with the ids of messages, counted from 1, by which ``tokenopt_recall`` finds them."""

    def left_out(self, place: int, tokens: int, count: int, what: str) -> str:
        return f"[… m{place + 1}: {_amount(tokens, count, what)}]"

    def gap(self, first: int, last: int) -> str:
        return f"[… {_ids(first, last)}]"

    def summary(self, first: int, last: int, text: str) -> str:
        return f"[… {_ids(first, last)} in short: {text}]"


def _ids(first: int, last: int) -> str:
    return f"m{first + 1}" if first == last else f"m{first + 1}-m{last + 1}"


def _amount(tokens: int, count: int, what: str) -> str:
    named = f": {count:,} {what}" if what and count > 1 else ""
    return f"{max(1, tokens):,} tokens left out{named}"


def is_own(message: Message) -> bool:
    """Whether the stage wrote this message, or shortened it.

    Assistant messages never count: a model may repeat a mark that it has read.
    """
    text = text_of(message.get("content"))
    if message.get("role") == "user":
        return text.startswith((DIGEST_HEAD, RECALL_HEAD))
    return message.get("role") == "tool" and _LEFT_OUT.search(text) is not None


def is_difference(message: Message) -> bool:
    """Whether it's a result that the stage told by an earlier one."""
    return message.get("role") == "tool" and text_of(message.get("content")).startswith((SAME, SAME_RECORD, KEYS_AS))
