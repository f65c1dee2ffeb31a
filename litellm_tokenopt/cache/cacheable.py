"""What is never looked up, and what is never stored; each with its reason."""

from __future__ import annotations

import re

from ..request import ChatRequest, Reply, canonical, last_question, tool_name

FINISHED = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
SAMPLING_COUNTS = ("n", "best_of", "candidate_count")

_TIME_BOUND = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|nowadays|currently|presently|now|latest|newest|most recent|"
    r"up[- ]to[- ]date|breaking|at the moment|at present|at this (?:moment|time|point)|so far|as of|just happened|"
    r"(?:this|last|next|past|coming) (?:second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|"
    r"quarter|season|year|monday|tuesday|wednesday|thursday|friday|saturday|sunday)|"
    r"current(?= (?!accounts?|liabilit|assets?|ratio|transformer|density|flow|divider|loop|in|of|through|is)\w)|"
    r"what(?: is|'s) the (?:time|date)|what (?:time|day|date|year|month) is it|"
    r"weather|forecast|traffic|headlines?|news|exchange rates?|(?:stock|share|gold|oil|bitcoin|crypto) prices?|"
    r"live (?:score|price|result)s?|(?:second|minute|hour|day|week|month|year)s? ago)(?!\w)",
    re.IGNORECASE,
)


def lookup_refusal(request: ChatRequest) -> str | None:
    """Why *request* has nothing to do with the cache at all; None when it may be answered or stored.

    One of: bypass, mock, server_state, no_question, several_answers, live_tool, time_bound.
    """
    if request.controls.bypass:
        return "bypass"
    if request.controls.mocked:
        return "mock"
    if request.server_state:
        return "server_state"  # an answer of ours would be missing there in the next turn
    question = last_question(request.messages)
    if not question.strip():
        return "no_question"
    if any(_count(request.options.get(name)) > 1 for name in SAMPLING_COUNTS):
        return "several_answers"
    if any(tool_name(tool) is None for tool in request.tools) or request.options.get("web_search_options") is not None:
        # A tool that the provider runs (search, code, MCP) looks at a world that changes.
        return "live_tool"
    return "time_bound" if time_bound(question) else None


def time_bound(question: str) -> bool:
    """Whether the right answer to *question* depends on when it's asked."""
    return _TIME_BOUND.search(question) is not None


def reply_refusal(reply: Reply, max_answer_bytes: int) -> str | None:
    """Why *reply* must not be stored: tool_calls, unfinished, empty or too_long; None when it may be."""
    if reply.has_tool_calls:
        return "tool_calls"
    if reply.finish not in FINISHED:
        return "unfinished"
    if not reply.text.strip():
        return "empty"
    return "too_long" if len(canonical(reply.payload).encode("utf-8", "surrogatepass")) > max_answer_bytes else None


def _count(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0
