"""Tells a conversation that the stage has shortened before: it's not to be shortened again.

That's told by what no text can know that was read somewhere: a mark in a result has the message's own place, one that
a digest begins with is of what stands there, a difference names a call that was answered before it. So a file that
holds marks, as this project's do, is a text like any other, and so is a user's question about one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..request import Message, text_of, tool_calls
from .differences import heads_of, named
from .marks import SAME, is_difference, is_quotation, is_shortened
from .records import is_json


def came_before(messages: Sequence[Message]) -> bool:
    """Whether the stage wrote one of *messages*, the conversation behind the system prompt, or shortened it.

    Once it has written one that stands for several, places are others: then that one tells it.
    """
    return any(
        is_quotation(message, place) or (message.get("role") == "tool" and _is_told(messages, place))
        for place, message in enumerate(messages)
    )


def _is_told(messages: Sequence[Message], place: int) -> bool:
    text = text_of(messages[place].get("content"))
    if not is_difference(messages[place]) or is_shortened(text, place):
        return is_shortened(text, place)
    before = messages[:place]
    full = {one.get("tool_call_id") for one in before if one.get("role") == "tool" and not is_difference(one)}
    made = (call for message in before for call in tool_calls(message))
    heads = (heads_of(named(tool, arguments)) for call_id, tool, arguments in made if call_id in full)
    return any(map(text.startswith, heads)) and (text.startswith(SAME) or ("\n" not in text and is_json(text)))
