"""What becomes of tools: read from what requests show, so that the same turn sent again counts once.

An `Event` has a key made of its content (session, call id, name, arguments); a store counts each key once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..request import ChatRequest, Message, Tenant, digest, is_system, text_of, tool_calls, user_turns
from .failures import has_failed

What: TypeAlias = Literal["chosen", "called", "found", "failed"]
"""chosen: sent to a session; called: by the model; found: called though it hadn't been chosen (by
tokenopt_find_tools, or by name); failed: a call whose result tells of an error."""

LABEL_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened once to one tool; `full`: while the session had its full schema."""

    key: str
    tool: str
    what: What
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How often each thing happened to one tool; with its full schema (`full_…`), and in all."""

    chosen: int = 0
    called: int = 0
    found: int = 0
    failed: int = 0
    full_called: int = 0
    full_failed: int = 0


def label_of(tenant: Tenant) -> str:
    """Whose usage it is: the team's, else the key's (its hash's first letters), else the user's; ``-`` if unknown."""
    parts = (("team", tenant.team), ("key", (tenant.key or "")[:12]), ("user", tenant.user))
    return next((f"{name}:{value}"[:LABEL_CHARS] for name, value in parts if value), "-")


def session_of(request: ChatRequest) -> str:
    """The same for all turns of a session: whose it is, the system prompt and the first user turn."""
    turns = user_turns(request.messages)
    head = [m for m in request.messages if is_system(m)] + [request.messages[at] for at in turns[:1]]
    return digest(repr(request.tenant), *(text_of(message.get("content")) for message in head))


def position_of(session: str) -> float:
    """Where a session lies in [0, 1)."""
    return int(session[:13], 16) / 16**13


def events(
    request: ChatRequest, session: str, *, sent: Collection[str], chosen: Collection[str], full: Collection[str]
) -> Iterator[Event]:
    """What *request* shows of its tools.

    *sent* are the names of the tools that go on, *chosen* of those among them that were chosen by what the user says,
    not because they had been called; *full* of those whose schema is the original.
    """
    for name in sorted(set(chosen) & set(sent)):
        yield Event(key=digest(session, "chosen", name), tool=name, what="chosen", full=name in full)
    results = dict(_results(request.messages))
    now = max(user_turns(request.messages), default=0)
    for place, message in enumerate(request.messages):
        for call_id, name, arguments in tool_calls(message):
            if name not in sent:
                continue
            key = digest(session, call_id or str(place), name, arguments)
            happened: list[What] = ["called"]
            # What was chosen for earlier turns may have gone since; their calls were seen at their time.
            happened += ["found"] if place > now and name not in chosen else []
            happened += ["failed"] if has_failed(results.get(call_id)) else []
            for what in happened:
                yield Event(key=digest(key, what), tool=name, what=what, full=name in full)


def _results(messages: Sequence[Message]) -> Iterator[tuple[str, Message]]:
    for message in messages:
        if message.get("role") == "tool" and message.get("tool_call_id"):
            yield str(message["tool_call_id"]), message


def field_of(event: Event) -> str:
    """The name under which an event is counted."""
    return f"{'full_' if event.full else ''}{event.what}:{event.tool}"


def counts_of(fields: Mapping[str, int]) -> dict[str, Counts]:
    """Tool → counts, from what is counted under `field_of`."""
    by_tool: dict[str, dict[str, int]] = {}
    for name, count in fields.items():
        what, _, tool = name.partition(":")
        here = by_tool.setdefault(tool, {})
        plain = what.removeprefix("full_")
        here[plain] = here.get(plain, 0) + count
        if what in ("full_called", "full_failed"):
            here[what] = count
    known = Counts.__slots__
    return {
        tool: Counts(**{what: count for what, count in here.items() if what in known})
        for tool, here in sorted(by_tool.items())
    }
