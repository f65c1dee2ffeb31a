"""What of the instructions is added to a conversation for a later question, and how long it stands there.

Sections that a later question needs go in as a message before it. Behind that the conversation grows, and is shortened:
an addition stands for its `Reach`. So long it stays whole, as a part of the instructions; beyond that it goes, and is
added again where it's asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .request import Message

HEAD = "[Reference from the instructions, for the next question]\n"
CHARS_A_TOKEN = 4
REACH_SHARE = 0.25
"""Of what a conversation is to be sent in, so much may be said after an addition until it's gone."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How much may be said after an addition until it's gone, about so many `tokens`, additions aside."""

    tokens: float = math.inf

    def since(self, chars: float) -> float:
        """From where on additions stand, in characters of all that was said before them, for a turn of the user's that
        begins after *chars*."""
        return chars - self.tokens * CHARS_A_TOKEN


ENDLESS = Reach()


def reach_in(budget_tokens: int) -> Reach:
    """How far additions stand in a conversation that is to be sent in about *budget_tokens*."""
    return Reach(budget_tokens * REACH_SHARE)


def added(text: str) -> Message:
    """The message that adds *text*, which begins with `HEAD`."""
    return {"role": "user", "content": text}


def apart(messages: Sequence[Message]) -> tuple[tuple[Message, ...], Mapping[int, Message]]:
    """*messages* without the additions, and these by the place there of the message that they were added before."""
    body: list[Message] = []
    additions: dict[int, Message] = {}
    for message, after in pairwise((*messages, {})):
        if _is_added(message) and after.get("role") == "user" and not _is_added(after):
            additions[len(body)] = message
        else:
            body.append(message)
    return tuple(body), additions


def together(body: Sequence[Message], additions: Mapping[int, Message]) -> Iterator[Message]:
    """What `apart` has taken apart."""
    for place, message in enumerate(body):
        if place in additions:
            yield additions[place]
        yield message


def _is_added(message: Message) -> bool:
    written = message.keys() == {"role", "content"} and message["role"] == "user"
    return written and str(message["content"]).startswith(HEAD)
