"""Where the system prompt and the user's turns are in a conversation, and how to put changed ones back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeAlias

from ..additions import added
from ..memo import Memo
from ..request import Message, digest, has_cache_control, is_system, is_text_part, text_of

Place: TypeAlias = tuple[int, int | None]
"""(message, block of its content; None where the content is a string)."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The texts of the system messages at a conversation's head, where they stand, and a digest of them."""

    places: tuple[Place, ...]
    texts: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's turn: the index of its first message, and its text. Messages that no reply divides are one turn.

    `chars_before` is the size of all texts before it.
    """

    start: int
    question: str
    chars_before: int = 0


_keys: Memo[tuple[str, ...], str] = Memo(max_entries=64)


def read_prompt(messages: Sequence[Message]) -> Prompt:
    """The texts that may be changed: those after the last system message with the caller's ``cache_control``.

    A cached prefix holds all that stands before the mark as well.
    """
    head = list(takewhile(is_system, messages))
    first = max((i + 1 for i, message in enumerate(head) if has_cache_control(message)), default=0)
    found = [found for i in range(first, len(head)) for found in _texts(i, head[i].get("content"))]
    texts = tuple(text for _, text in found)
    key = _keys.get_or(texts, lambda: digest(*texts))
    return Prompt(places=tuple(place for place, _ in found), texts=texts, key=key)


def read_turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """The user's turns, oldest first."""
    turns: list[Turn] = []
    is_open, chars = False, 0
    for i, message in enumerate(messages):
        text = text_of(message.get("content"))
        if message.get("role") == "user":
            if is_open:
                turns[-1] = replace(turns[-1], question=f"{turns[-1].question}\n{text}")
            else:
                turns.append(Turn(i, text, chars))
            is_open = True
        elif message.get("role") == "assistant":
            is_open = False
        chars += len(text)
    return tuple(turns)


def rewrite(
    messages: Sequence[Message], prompt: Prompt, texts: Sequence[str], references: Mapping[int, str]
) -> tuple[Message, ...]:
    """*messages* with *texts* in place of the prompt's, and each of *references* put in before its message."""
    new: dict[int, dict[int | None, str]] = {}
    for (i, block), before, text in zip(prompt.places, prompt.texts, texts, strict=True):
        if text != before:
            new.setdefault(i, {})[block] = text
    out: list[Message] = []
    for i, message in enumerate(messages):
        if i in references:
            out.append(added(references[i]))
        if i not in new:
            out.append(message)
        elif content := _with_texts(message.get("content"), new[i]):
            out.append({**message, "content": content})
    return tuple(out)


def _texts(i: int, content: Any) -> Iterator[tuple[Place, str]]:
    if isinstance(content, str):
        yield (i, None), content
    elif isinstance(content, (list, tuple)):
        yield from (((i, n), part["text"]) for n, part in enumerate(content) if is_text_part(part))


def _with_texts(content: Any, texts: Mapping[int | None, str]) -> Any:
    """*content* with the texts of some of its blocks replaced; a block that has no text left goes."""
    if None in texts:
        return texts[None]
    changed = ({**part, "text": texts[n]} if n in texts else part for n, part in enumerate(content))
    return [part for n, part in enumerate(changed) if n not in texts or texts[n]]
