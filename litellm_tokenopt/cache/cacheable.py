"""What is never looked up, and what is never stored; each with its reason."""

from __future__ import annotations

import re

from ..request import ChatRequest, Controls, Reply, canonical, last_question, tool_name
from ..settings import CacheSettings
from .kinds import Kind, sure_kind

FINISHED = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
FILTERED = frozenset({"content_filter", "refusal"})
SAMPLING_COUNTS = ("n", "best_of", "candidate_count")

DEFAULT_TEMPERATURE = 1.0
"""What providers take where a request names none."""

REFUSAL_CHARS = 300
"""Refusals say so at once."""

_SELF = r"\b(?:i|we)(?:\s+(?:am|are|do|will|would)|['\u2019](?:m|re|ll))?\s+(?:\w+ly\s+|just\s+|still\s+)?"
_CANT = (
    r"(?:can(?:no|['\u2019])t|can not|won['\u2019]t|(?:not able|unable|not allowed|not permitted) to)\s+(?:\w+ly\s+)?"
)
_REFUSES = re.compile(
    rf"{_SELF}(?:{_CANT}(?:help|assist|comply|provide|fulfill?|do that|answer|discuss|share|create|generate|"
    r"support|engage|continue|write|respond|give|offer|advise|recommend|participate|produce)\b|"
    r"(?:must|have to|need to) decline\b|decline to\b|not comfortable\b|(?:don['\u2019]t|do not) feel comfortable\b)"
    r"|\bagainst (?:my|our) (?:guidelines|policy|policies)\b|\bviolates? (?:my|our|"
    r"the) (?:content )?(?:guidelines|polic)",
    re.IGNORECASE,
)
_LACKS = re.compile(
    rf"{_SELF}(?:{_CANT}(?:access|browse|see|look up|check|retrieve|view|find|search|open|verify|determine|remember|"
    r"recall|track|locate|know|tell|confirm|perform|connect|read)\b|"
    r"(?:don['\u2019]t|do not|didn['\u2019]t|have no|lack)\s+(?:currently |actually |yet )?(?:have |find |see |"
    r"know of )?(?:\w+\s+){0,3}"
    r"(?:access|information|data|knowledge|records?|details|ability|tools?|visibility|memory|context|capability)\b)"
    r"|\bas an ai\b|\bknowledge cut-?off\b|\bmy (?:last |most recent )?(?:training data|training|knowledge update)\b"
    r"|^\W*(?:sorry,? )?(?:but )?i (?:really |honestly )?(?:don['\u2019]t|do not) know\b"
    r"|\b(?:no|insufficient|not enough) information (?:is |was )?(?:available|provided|about|on|in the)\b",
    re.IGNORECASE,
)

_REFUSES_ELSEWHERE = re.compile(
    r"\bich (?:kann|darf) (?:\w+ ){0,4}(?:nicht|keine\w*)\b|\btut mir (?:sehr )?leid\b[^.]{0,60}\b(?:nicht|keine\w*)\b"
    r"|\bje (?:ne (?:peux|suis) pas|n['\u2019]ai pas acc\u00e8s)\b|\bd\u00e9sol\u00e9e?\b[^.]{0,60}\bpas\b"
    r"|\b(?:lo siento|disculp\w+|lamento)\b[^.]{0,40}\bno (?:puedo|tengo|es posible)\b|\bno puedo (?:ayudar|"
    r"proporcionar|"
    r"responder|acceder|hacer|cumplir)"
    r"|\bnon posso (?:aiutar|fornir|risponder|acceder)|\bn\u00e3o posso (?:ajudar|fornecer|responder|acessar)",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"^\W*(?:(?:an? )?(?:internal|unexpected|unknown|server|system) (?:server )?error\b|an error (?:has )?occurred\b|"
    r"error:|(?:oops|sorry)?[,!. ]*something went wrong\b|(?:the )?(?:service|server|"
    r"model) (?:is )?(?:temporarily |currently )?"
    r"(?:unavailable|overloaded)\b|(?:rate limit exceeded|too many requests|request timed out|timeout)\b)",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"\b(?:(?:could|can|would) you (?:please )?(?:clarify|specify|provide (?:me )?(?:with )?(?:more|some|"
    r"additional|the)|"
    r"tell me (?:more|which|what)|share (?:more|some|the)|be more specific)|please (?:clarify|specify|"
    r"provide (?:more|the))|"
    r"what (?:exactly )?do you mean|which (?:\w+ )?(?:do|did|are) you (?:mean|referring|asking|talking)|"
    r"could you give me more)\b",
    re.IGNORECASE,
)
ASKING_BACK_CHARS = 200
"""A reply that does no more than ask back is short, or ends with its question within `REFUSAL_CHARS`."""


def lookup_refusal(request: ChatRequest, settings: CacheSettings) -> str | None:
    """Why *request* has nothing to do with the cache at all; None when it may be answered or stored.

    One of: bypass, mock, server_state, no_question, several_answers, temperature, live_tool, and the kinds of question
    (`kinds.Kind`) that rules tell and whose answers aren't kept.
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
    if settings.max_temperature is not None and _temperature(request) > settings.max_temperature:
        return "temperature"
    if any(tool_name(tool) is None for tool in request.tools) or request.options.get("web_search_options") is not None:
        # A tool that the provider runs (search, code, MCP) looks at a world that changes.
        return "live_tool"
    kind = sure_kind(question)
    return kind if kind is not None and seconds_kept(kind, request.controls, settings) <= 0 else None


def seconds_kept(kind: Kind, controls: Controls, settings: CacheSettings) -> float:
    """How long the answer to a question of this *kind* is kept; 0 where it isn't.

    A caller's ``ttl`` counts; where it's longer than what the settings allow to a kind that isn't stable, only beside
    ``use-cache``.
    """
    asked = controls.ttl_seconds
    if kind == "stable" or controls.use_cache:
        stable = settings.ttl_by_class.stable
        return asked if asked is not None else settings.ttl_seconds if stable is None else stable
    allowed = 0 if kind == "personal" and settings.share != "user" else getattr(settings.ttl_by_class, kind)
    return float(allowed if asked is None else min(asked, allowed))


def reply_refusal(reply: Reply, max_answer_bytes: int) -> str | None:
    """Why *reply* must not be stored; None when it may be.

    One of: tool_calls, filtered, unfinished, empty, refusal, lacks_information, failed, asks_back, too_long.
    """
    if reply.has_tool_calls:
        return "tool_calls"
    if reply.finish not in FINISHED:
        return "filtered" if reply.finish in FILTERED else "unfinished"
    if not reply.text.strip():
        return "empty"
    if (reason := _no_answer(reply.text.strip())) is not None:
        return reason
    return "too_long" if len(canonical(reply.payload).encode("utf-8", "surrogatepass")) > max_answer_bytes else None


def _no_answer(text: str) -> str | None:
    opening = text[:REFUSAL_CHARS]
    if _REFUSES.search(opening) or _REFUSES_ELSEWHERE.search(opening):
        return "refusal"
    if _LACKS.search(opening):
        return "lacks_information"
    if len(text) <= REFUSAL_CHARS and _FAILED.search(opening):
        return "failed"
    asks_back = len(text) <= ASKING_BACK_CHARS or (len(text) <= REFUSAL_CHARS and text.endswith("?"))
    return "asks_back" if asks_back and _ASKS_BACK.search(opening) else None


def _temperature(request: ChatRequest) -> float:
    named = request.options.get("temperature")
    return DEFAULT_TEMPERATURE if named is None else _count(named)


def _count(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0
