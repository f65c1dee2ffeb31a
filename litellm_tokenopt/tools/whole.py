"""Whether a block is cheaper sent whole than chosen from, or not at all, at a provider with a prompt cache.

Tools stand before all else: when a session's tools change, the provider reads system prompt and messages afresh.
What leaving out a few short tools saves is soon less than what one such change costs.
"""

from __future__ import annotations

READ, WRITE = 0.1, 1.25
"""Prices of a token that is read from the prompt cache, and of one written to it, in input tokens."""

REQUESTS = 20
"""Requests of an agent's session."""

CHANGES, BEHIND = 1.0, 2_000
"""How often a session's tools change that are chosen from a small block, and the messages' tokens by then."""

MOST_WHOLE = 2
"""Blocks of more than so many times the limit are always chosen from."""

AGENT_TOKENS = 200
"""A shorter system prompt doesn't tell of an agent: the request may well be the only one."""


def is_cheaper_whole(block_tokens: int, count: int, most: int, system_tokens: int) -> bool:
    """Whether *count* tools of *block_tokens*, of which *most* would be sent, had better all be.

    By what all turns of a session have in common: they're sent, or not, in each of them.
    """
    if system_tokens < AGENT_TOKENS:
        return False
    sent = block_tokens * most / count
    saved = (block_tokens - sent) * (WRITE + READ * (REQUESTS - 1))
    return saved <= CHANGES * (WRITE - READ) * (sent + system_tokens + BEHIND)


def is_cheaper_without(sent_tokens: float, message_tokens: int) -> bool:
    """Whether a session's first request, which may call no tool, had better go without any.

    If no other follows, the tools are saved; if one does, the messages are read afresh behind its tools.
    """
    return sent_tokens > message_tokens
