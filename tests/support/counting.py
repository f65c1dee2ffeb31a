"""What tests count by."""

from __future__ import annotations

from litellm_tokenopt.request import ChatRequest
from litellm_tokenopt.tokens import count_messages, count_tools


def count_request(request: ChatRequest) -> int:
    """Input tokens of a request: its tools and its messages."""
    return count_tools(request.tools) + count_messages(request.messages)
