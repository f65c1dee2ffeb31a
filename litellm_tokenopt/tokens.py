"""Token counts (cl100k_base), memoised by content.

The encoding's table ships inside the litellm package, so nothing is downloaded. Counts are estimates for other
tokenisers; the pipeline only compares them with each other.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .memo import Memo
from .request import ChatRequest, Message, Tool, canonical, is_deferred

if TYPE_CHECKING:
    import tiktoken

MESSAGE_OVERHEAD = 4
"""Tokens that a chat format spends around each message."""

PICTURE_TOKENS = 765
"""A picture counts as much, whatever its size: what one of a million pixels takes at OpenAI's. So do a file and a
recording, as a page or a minute would."""

_PICTURES = frozenset(
    (
        "image",
        "image_url",
        "input_image",
        "computer_screenshot",
        "image_generation_call",
        "file",
        "input_file",
        "input_audio",
    )
)

OFF_LOOP_CHARS = 20_000
"""Text beyond this size is encoded in a thread: about 5 ms of work."""

LONG_CHARS = 4_000
# Searched for by the line break that a piece ends with: a literal first character is what makes a pattern fast.
_PARAGRAPH_END = re.compile(r"\n(?:(?<=\n\n)(?=\S)|(?=(?:user|assistant|tool)\b|\[))")
"""Between paragraphs, and before what somebody says in a digest of a conversation, or a mark in it."""
_LINE_END = re.compile(r"\n(?=[ \t]*\S)")
LINED_CHARS = range(500, 8_000)
"""A paragraph of so many characters is counted line by line: of a prompt's list, each time other items are sent."""
_counts: Memo[str, int] = Memo(max_entries=50_000)
_lock = threading.Lock()


@lru_cache(maxsize=1)
def encoding() -> tiktoken.Encoding:
    """The shared encoding. Takes 0.4 s the first time."""
    import tiktoken

    litellm = importlib.util.find_spec("litellm")
    if litellm is not None and litellm.origin is not None and "TIKTOKEN_CACHE_DIR" not in os.environ:
        folder = Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"
        with _lock:
            os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
            try:
                return tiktoken.get_encoding("cl100k_base")
            finally:
                os.environ.pop("TIKTOKEN_CACHE_DIR", None)
    return tiktoken.get_encoding("cl100k_base")


def count_text(text: str) -> int:
    """Tokens in *text*. A long one is counted paragraph by paragraph, so that a change costs a paragraph."""
    return _counts.get_or(text, lambda: _encoded(text) if len(text) < LONG_CHARS else _by_paragraph(text))


def _encoded(text: str) -> int:
    return len(encoding().encode_ordinary(text))


def _by_paragraph(text: str) -> int:
    # Exact: the encoding never joins a line break with what follows it, unless that is white space and a line break.
    pieces = list(_pieces(text))
    known = zip(pieces, _counts.get_all(pieces), strict=True)
    return sum(_counts.get_or(piece, partial(_encoded, piece)) if count is None else count for piece, count in known)


def _pieces(text: str) -> Iterator[str]:
    for paragraph in _cut(_PARAGRAPH_END, text):
        if len(paragraph) in LINED_CHARS:
            yield from _cut(_LINE_END, paragraph)
        else:
            yield paragraph


def _cut(ends: re.Pattern[str], text: str) -> Iterator[str]:
    start = 0
    for match in ends.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    if start < len(text):
        yield text[start:]


def message_texts(message: Message) -> tuple[str, ...]:
    """What is counted of a message: its text, and whatever else it holds as JSON, but for the data of pictures."""
    content = message.get("content")
    if not isinstance(content, str):
        return (canonical(_without_pictures(message) if pictures_in(message) else message),)
    rest = {key: value for key, value in message.items() if key not in ("role", "content") and key[:1] != "_"}
    return (content, canonical(rest)) if rest else (content,)


def pictures_in(message: Message) -> int:
    """How many pictures, files and recordings a message holds."""
    content = message.get("content")
    return sum(map(_is_picture, content)) if isinstance(content, (list, tuple)) else 0


def _is_picture(block: Any) -> bool:
    if not isinstance(block, Mapping):
        return False
    return block.get("type") in _PICTURES or (block.get("type") == "document" and not _is_written(block.get("source")))


def _is_written(source: Any) -> bool:
    """Whether a document of Anthropic's is given as text."""
    return not isinstance(source, Mapping) or source.get("type") not in ("base64", "url", "file")


def _without_pictures(message: Message) -> Message:
    blocks = [{"type": block["type"]} if _is_picture(block) else block for block in message["content"]]
    return {**message, "content": blocks}


def message_text(message: Message) -> str:
    """The whole of a message but its role, as one text: equal for equal messages alone."""
    return canonical(message) if pictures_in(message) else "\0".join(message_texts(message))


def count_message(message: Message) -> int:
    """Tokens of one message, its overhead included."""
    return MESSAGE_OVERHEAD + PICTURE_TOKENS * pictures_in(message) + sum(map(count_text, message_texts(message)))


def count_messages(messages: Iterable[Message]) -> int:
    """Tokens of a conversation."""
    return sum(map(count_message, messages))


def count_tools(tools: Iterable[Tool]) -> int:
    """Tokens of a tool block, each tool as compact JSON; a deferred one isn't in the context."""
    return sum(map(count_text, (text for tool in tools for text in tool_texts(tool))))


def tool_texts(tool: Tool) -> tuple[str, ...]:
    """What is counted of a tool."""
    return () if is_deferred(tool) else (canonical(tool),)


class RequestCounter:
    """Counts the forms that one request takes from stage to stage; a message or tool that stays is read once."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Message | Tool, int]] = {}

    async def __call__(self, request: ChatRequest) -> int:
        """Input tokens of *request*; in a thread when there is much new text to encode."""
        new = [item for item in (*request.tools, *request.messages) if id(item) not in self._seen]
        texts = [tool_texts(item) if "role" not in item else message_texts(item) for item in new]
        unseen = [text for parts in texts for text in parts if text not in _counts]
        if sum(map(len, unseen)) > OFF_LOOP_CHARS:
            await asyncio.to_thread(lambda: [count_text(text) for text in unseen])
        for item, parts in zip(new, texts, strict=True):
            self._seen[id(item)] = (item, PICTURE_TOKENS * pictures_in(item) + sum(map(count_text, parts)))
        counted = sum(self._seen[id(item)][1] for item in (*request.tools, *request.messages))
        return counted + MESSAGE_OVERHEAD * len(request.messages)
