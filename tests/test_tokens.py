"""Token counts are the encoding's, however they are put together."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from support.counting import count_request

from litellm_tokenopt.request import ChatRequest
from litellm_tokenopt.tokens import (
    LONG_CHARS,
    PICTURE_TOKENS,
    RequestCounter,
    count_message,
    count_text,
    encoding,
    message_text,
)

SAMPLES = ["# Head", "- item", "…", "x=1;", "  - sub  ", "\t\u00a0x", " ", "- a\n" * 200, "user: hi.", "[… m3]"]
PARAGRAPHS = st.lists(st.text(min_size=1, max_size=60) | st.sampled_from(SAMPLES), min_size=1)


@given(PARAGRAPHS, st.sampled_from(["\n\n", "\n", "\n  ", "\n \n\n", "\r\n\n"]))
def test_counting_by_paragraph_is_exact(pieces, between):
    """A long text has as many tokens as the encoding gives it whole."""
    text = between.join(pieces)
    text *= LONG_CHARS // len(text) + 1
    assert count_text(text) == len(encoding().encode_ordinary(text))


def test_the_counter_and_the_plain_count_agree():
    """Whatever a message holds: text, blocks, tool calls, nothing."""
    messages = (
        {"role": "user", "content": "hello " * 5_000},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "done"}]},
    )
    request = ChatRequest(model="m", messages=messages, tools=({"type": "function", "function": {"name": "f"}},))
    counter = RequestCounter()
    assert asyncio.run(counter(request)) == count_request(request) > 5_000
    assert asyncio.run(counter(request.with_(messages=messages[1:]))) < 100


def test_a_picture_counts_by_itself_not_by_its_data():
    """A screenshot's, file's or recording's megabyte of base64 is no text; others are other messages all the same."""
    blocks = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 9_000}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" * 9_000}},
        {"type": "input_image", "image_url": "data:image/png;base64," + "iVBORw0KGgo" * 9_000},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + "JVBERi0" * 9_000},
        },
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64," + "JVBERi0" * 9_000},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0" * 9_000}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg" * 9_000}},
    ]
    messages = [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, block]} for block in blocks]
    for message in messages:
        assert PICTURE_TOKENS < count_message(message) < PICTURE_TOKENS + 60
    assert asyncio.run(RequestCounter()(ChatRequest(model="m", messages=tuple(messages)))) == sum(
        map(count_message, messages)
    )
    assert len(set(map(message_text, messages))) == len(blocks)
    written = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "one word " * 900}}
    assert count_message({"role": "user", "content": [written]}) > 1_800
