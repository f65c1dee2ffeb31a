"""``tokenopt_recall``: the model reads what was left out of the instructions or the conversation.

One tool for the stages that leave text out; each answers for its own part, from the request as it came in.
"""

from __future__ import annotations

import re

from .own import Asked
from .request import OWN_TOOL_PREFIX, ChatRequest, Tool, tool_name

NAME = f"{OWN_TOOL_PREFIX}recall"

RECALLED_TOKENS = 2_000
"""What one stage says at most in answer to one call."""

_TOOLLESS = frozenset(
    "audio modalities output_format prediction response_format text text_format web_search_options".split()
)
_MESSAGES = re.compile(r"[m\d\s,@\u2013-]*", re.IGNORECASE)

TOOL: Tool = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Read what was left out of this conversation or its instructions.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "id": {"type": "string", "description": "As in a […] mark: m12 or m12-m15."},
            },
        },
    },
}


def may_recall(request: ChatRequest) -> bool:
    """Whether the model may get the tool amidst a session: it may call tools of its own choice, and has some already.

    A first tool would have the provider read all of the session afresh.
    """
    return request.own_tools and _has_tools(request)


def may_keep_recall(request: ChatRequest) -> bool:
    """Whether the tool may stand there from a session's start, be it that this turn's `tool_choice` forbids to call it.

    It may be the only one, unless the answer is to have a form that providers don't combine with tools.
    """
    may_be_first = request.own_tools and _TOOLLESS.isdisjoint(request.options)
    return may_be_first or ((request.own_tools or request.keeps_own_tools) and _has_tools(request))


def _has_tools(request: ChatRequest) -> bool:
    return any(tool_name(tool) is not None for tool in request.tools)


def query_of(asked: Asked) -> str:
    """What a call looks for; empty where it names an id alone."""
    return asked.text("query")


def name_of_section(asked: Asked) -> str:
    """What a call gives for an id that is none of a message: models put the name of a section there."""
    name = asked.text("id")
    return "" if _MESSAGES.fullmatch(name) else name
