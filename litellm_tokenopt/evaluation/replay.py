"""A file of recorded requests, run through the optimizer with no model called.

Each line of the JSON Lines file is one request: the arguments themselves (``{"messages": […], "tools": […]}``), or
under ``body`` (OpenAI's batch format) or ``request``. ``response``, where a line has one, is what the model said
then; else a placeholder stands for it, so that repeats are answered from the cache.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, UnavailableError
from ..optimizer import TokenOptimizer
from ..pipeline import Outcome
from ..request import Surface, digest
from ..settings import Settings
from . import wire
from .bodies import pieces
from .observation import Observation, from_outcome
from .pricing import bill_of, prices_of, prices_with_cache
from .report import Report, money_of, report_of
from .script import ScriptedReply

DEFAULT_MODEL = "gpt-4o"
PLACEHOLDER = "(recorded without an answer)"
_WIRE = {"chat": wire.chat, "messages": wire.messages, "responses": wire.responses}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One line: the request's arguments, the API that they belong to, and the recorded response if there is one."""

    body: Mapping[str, Any]
    surface: Surface
    response: Any = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be replayed, as ``file:line: what is wrong``."""

    text: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """The report, and the lines that were left out."""

    report: Report
    bad_lines: tuple[BadLine, ...]


async def replay(
    path: str | Path,
    settings: Settings,
    *,
    model: str | None = None,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replayed:
    """Run the requests in *path* through an optimizer, in order.

    *model* names requests that don't name one, and the prices; *limit* ends after so many requests; *progress* is
    told (done, total). Raises `InputError` for a file that can't be read or holds no request at all.
    """
    lines = list(read_requests(path))
    requests = [line for line in lines if isinstance(line, RecordedRequest)][:limit]
    bad_lines = [line for line in lines if isinstance(line, BadLine)]
    if not requests:
        raise InputError(f"{path}: no request in it{f'; {bad_lines[0].text}' if bad_lines else ''}")
    default = model or DEFAULT_MODEL
    named = [{"model": default, **request.body} for request in requests]
    outcomes: list[Outcome | None] = []
    async with TokenOptimizer(settings) as optimizer:
        with suppress(UnavailableError):
            await optimizer.warm()
        for request, body in zip(requests, named, strict=True):
            outcomes.append(await _replay_one(optimizer, request, body))
            progress(len(outcomes), len(requests))
    return Replayed(_report(path, named, outcomes, model), tuple(bad_lines))


async def _replay_one(optimizer: TokenOptimizer, request: RecordedRequest, body: Mapping[str, Any]) -> Outcome | None:
    outcome = await optimizer.before(body, request.surface)
    if outcome is not None and outcome.reply is None:
        await optimizer.after(outcome, _response(request, body))
    return outcome


def _response(request: RecordedRequest, body: Mapping[str, Any]) -> Any:
    """The recorded response, or a placeholder in the API's own form."""
    if isinstance(request.response, Mapping):
        return request.response
    text = request.response if isinstance(request.response, str) else PLACEHOLDER
    name = digest(*(piece.text for piece in pieces(body)))
    made = wire.Rendering(id=name, model=str(body["model"]), reply=ScriptedReply(text), input_tokens=0, cached_tokens=0)
    return _WIRE[request.surface](made)


# --- reading --------------------------------------------------------------------------------------------------


def read_requests(path: str | Path) -> Iterator[RecordedRequest | BadLine]:
    """Every line of *path* but empty ones. Raises `InputError` for a file that can't be read."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _read_line(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def _read_line(line: str, where: str) -> RecordedRequest | BadLine:
    try:
        return request_of(json.loads(line))
    except json.JSONDecodeError as error:
        return BadLine(f"{where}: not JSON: {error.msg} at column {error.colno}")
    except InputError as error:
        return BadLine(f"{where}: {error}")


def request_of(line: Any) -> RecordedRequest:
    """The request in a parsed line. Raises `InputError` that says what is wrong."""
    if not isinstance(line, Mapping):
        raise InputError(f"a line is a JSON object; got {_kind(line)}")
    body = next((line[key] for key in ("body", "request") if key in line), line)
    if not isinstance(body, Mapping):
        raise InputError(f"the request is a JSON object; got {_kind(body)}")
    arguments = {key: value for key, value in body.items() if key != "response"}
    surface = _surface(arguments, str(line.get("url") or ""))
    _check(arguments, surface)
    return RecordedRequest(body=arguments, surface=surface, response=_recorded(line, body))


def _surface(body: Mapping[str, Any], url: str) -> Surface:
    if url.endswith("/responses") or "input" in body:
        return "responses"
    tools = body.get("tools")
    anthropic = isinstance(tools, list) and any(isinstance(tool, Mapping) and "input_schema" in tool for tool in tools)
    if url.endswith("/messages") or "system" in body or anthropic or _has_blocks_of_tools(body.get("messages")):
        return "messages"
    return "chat"


def _has_blocks_of_tools(messages: Any) -> bool:
    """Whether tools are called, or answered, in blocks of a message's content: Anthropic's way alone."""
    contents = [m.get("content") for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return any(isinstance(block, Mapping) and block.get("type") in ("tool_use", "tool_result") for block in blocks)


def _check(body: Mapping[str, Any], surface: Surface) -> None:
    key = "input" if surface == "responses" else "messages"
    given = body.get(key)
    if key not in body:
        raise InputError(f"no {key!r} in it; keys: {', '.join(sorted(body)) or 'none'}")
    if surface == "responses" and isinstance(given, str) and given:
        return
    if not isinstance(given, list) or not given:
        raise InputError(f"{key!r} is a list with at least one entry; got {_kind(given)}")
    for index, item in enumerate(given):
        if not isinstance(item, Mapping):
            raise InputError(f"{key}[{index}] is an object; got {_kind(item)}")
        if surface != "responses" and not isinstance(item.get("role"), str):
            raise InputError(f"{key}[{index}] has no 'role'")
    _check_tools(body.get("tools"))


def _check_tools(tools: Any) -> None:
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, Mapping) for tool in tools)):
        raise InputError(f"'tools' is a list of objects; got {_kind(tools)}")


def _recorded(line: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
    """The response beside the request; OpenAI's batch output keeps it under ``response.body``."""
    response = line.get("response", body.get("response"))
    inner = response.get("body") if isinstance(response, Mapping) else None
    return inner if isinstance(inner, Mapping) else response


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), repr(value)[:40])


# --- report ---------------------------------------------------------------------------------------------------


def _report(
    path: str | Path, bodies: list[dict[str, Any]], outcomes: list[Outcome | None], model: str | None
) -> Report:
    pairs = list(zip(bodies, outcomes, strict=True))
    sent = [{**body, **_changes(outcome)} for body, outcome in pairs if _is_sent(outcome)]
    name = model or str(Counter(str(body["model"]) for body in bodies).most_common(1)[0][0])
    title = f"Replay of {Path(path).name}"
    try:
        prices = prices_of(name)
    except InputError as error:
        if model is not None:
            raise
        return report_of([_seen(*pair, usd=None) for pair in pairs], title=title, notes=(f"No prices: {error}",))
    charged = iter(prices_with_cache(sent, prices))
    observations = [_seen(*pair, usd=next(charged) if _is_sent(pair[1]) else 0.0) for pair in pairs]
    money = money_of(name, bill_of(bodies, prices), bill_of(sent, prices))
    return report_of(observations, title=title, money=money, notes=("Prices are of input tokens.",))


def _is_sent(outcome: Outcome | None) -> bool:
    return outcome is None or outcome.reply is None or outcome.mode != "on"


def _changes(outcome: Outcome | None) -> Mapping[str, Any]:
    return outcome.changes if outcome is not None else {}


def _seen(body: Mapping[str, Any], outcome: Outcome | None, *, usd: float | None) -> Observation:
    """What was done to a request; one that wasn't understood would pass on as it is."""
    if outcome is not None:
        return from_outcome(outcome, usd)
    tokens = sum(piece.tokens for piece in pieces(body))
    return Observation(tokens_before=tokens, tokens_after=tokens, ms=0.0, cache="skip", usd=usd)
