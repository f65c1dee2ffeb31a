"""What the stage writes into a conversation, and how it knows its own writing again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..request import Message, text_of

DIGEST_HEAD = "[Earlier in this conversation, shortened; […] stands for what was left out]"
RECALL_HEAD = "[From earlier in this conversation, for the next question]"

SAME, SAME_RECORD = "[Same as the last full result of ", '{"same_as":"last full '
"""What a result begins with that is told by an earlier one: by the lines, or members, in which it differs."""

_FIRST_LINE = re.compile(r"\n(?:\[…(?: m(\d+))?|(?:user|assistant|tool)(?::| \(| called ))")
"""How what is said again begins, under its head: with a mark, or with who said it."""

_IN_SHORT = re.compile(r"^\[… m(\d+)(?:-m(\d+))? in short: (.*)\]$", re.MULTILINE)
_LEFT_OUT = re.compile(r"\[… (?:m(\d+): )?[\d,]+ tokens left out(?:: [\d,]+ \w+)?\]")


class Marks(Protocol):
    """How what was left out is marked in a digest."""

    def gap(self, first: int, last: int) -> str:
        """Something of the messages at these places."""
        ...

    def summary(self, first: int, last: int, text: str) -> str:
        """What a model says of the messages at these places."""
        ...


@dataclass(frozen=True, slots=True)
class PlainMarks:
    """Marks for a model that can't ask for what they stand for."""

    def gap(self, first: int, last: int) -> str:
        return "[…]"

    def summary(self, first: int, last: int, text: str) -> str:
        return f"[… in short: {text}]"


@dataclass(frozen=True, slots=True)
class MarksWithIds:
    """Marks with the ids of messages, counted from 1, by which ``tokenopt_recall`` finds them."""

    def gap(self, first: int, last: int) -> str:
        return f"[… {_ids(first, last)}]"

    def summary(self, first: int, last: int, text: str) -> str:
        return f"[… {_ids(first, last)} in short: {text}]"


def _ids(first: int, last: int) -> str:
    return f"m{first + 1}" if first == last else f"m{first + 1}-m{last + 1}"


def summaries_in(text: str) -> Iterator[tuple[range, str]]:
    """The summaries in a digest that has ids: the places of the messages that each stands for, and what it says."""
    for match in _IN_SHORT.finditer(text):
        yield range(int(match[1]) - 1, int(match[2] or match[1])), match[3]


def left_out(place: int, tokens: int, count: int, what: str) -> str:
    """The mark for about *tokens* tokens of the message at *place*, *count* of *what* (rows, lines; may be empty)."""
    named = f": {count:,} {what}" if what and count > 1 else ""
    return f"[… m{place + 1}: {max(1, tokens):,} tokens left out{named}]"


def has_marks(text: str) -> bool:
    """Whether *text* holds marks of what was left out of a message, or what looks like them."""
    return _LEFT_OUT.search(text) is not None


def is_shortened(text: str, place: int) -> bool:
    """Whether *text* has marks, and they are those of the message at *place*: others were read somewhere."""
    return set(_LEFT_OUT.findall(text)) == {str(place + 1)}


def is_quotation(message: Message, place: int = 0) -> bool:
    """Whether the stage wrote this message, to say again what others said: a user may begin with its words, too.

    The first digest of a conversation stands at the *place* of the first message that it's of, or before it.
    """
    text = text_of(message.get("content")) if message.get("role") == "user" else ""
    head = next(filter(text.startswith, (DIGEST_HEAD, RECALL_HEAD)), "")
    first = _FIRST_LINE.match(text, len(head)) if head else None
    return first is not None and (head == RECALL_HEAD or first[1] is None or int(first[1]) > place)


def is_own(message: Message) -> bool:
    """Whether the stage wrote this message, or shortened it, as far as it itself tells: a result may be of a file that
    holds marks.

    Assistant messages never count: a model may repeat a mark that it has read.
    """
    return is_quotation(message) or (message.get("role") == "tool" and has_marks(text_of(message.get("content"))))


def is_difference(message: Message) -> bool:
    """Whether it's a result that the stage told by an earlier one, or looks like one."""
    return message.get("role") == "tool" and text_of(message.get("content")).startswith((SAME, SAME_RECORD))
