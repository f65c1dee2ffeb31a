"""What became of each message of one request: its level, its score, and what was done to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ..context.importance import Importance, importance
from ..context.kinds import read
from ..context.marks import is_own, summaries_in
from ..context.stage import places_of
from ..context.units import ARGUMENTS_CHARS, Level
from ..convert import AT, SYSTEM_AT
from ..pipeline import Outcome
from ..request import Message, is_system, text_of, tool_calls
from ..tokens import MESSAGE_OVERHEAD, count_message, count_text
from .rendering import STYLE

if TYPE_CHECKING:
    from rich.console import RenderableType

Action: TypeAlias = Literal[
    "kept", "prompt_cut", "condensed", "shortened", "digested", "summarised", "left_out", "answered"
]
"""kept: as it came. prompt_cut: a system prompt without some sections. condensed: the same in fewer tokens. shortened:
in its place, with marks for what is left out. digested: parts of it are quoted elsewhere. summarised: what a model says
of it and those beside it is sent, which counts for the first of them. left_out: nothing of it is sent. answered:
nothing is sent at all, the cache has the answer."""

ACTIONS: tuple[Action, ...] = get_args(Action)
CUT = frozenset({"shortened", "digested", "summarised", "left_out"})
SYSTEM_INDEX = -1
SHOWN_CHARS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One message of the request. `index` counts the request's own messages; -1 is a system prompt beside them.

    `why` names the rule that made it critical; it's empty where the trained head decided.
    """

    index: int
    role: str
    level: str
    score: float
    why: str
    action: Action
    tokens_before: int
    tokens_after: int
    begins: str


def explain(outcome: Outcome) -> list[Line]:
    """What became of each message of `outcome.original`, in order."""
    messages = outcome.original.messages
    pinned = places_of(messages, outcome.original.controls.pinned)
    weighed = importance(messages, pinned=pinned)
    sent = _Sent(outcome)
    lines = [
        _line(place, message, found, sent) for place, (message, found) in enumerate(zip(messages, weighed, strict=True))
    ]
    return list(_joined(lines))


def as_json(line: Line) -> dict[str, Any]:
    return {
        "index": line.index, "role": line.role, "level": line.level, "score": line.score, "why": line.why,
        "action": line.action, "tokens_before": line.tokens_before, "tokens_after": line.tokens_after,
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Tokens of one level's messages; the `older` ones are those up to the last that was cut: what came after is sent
    in full until the next cut, whatever its level."""

    tokens_before: int
    tokens_after: int
    older_before: int
    older_after: int


def shares(lines: Sequence[Line]) -> dict[str, Share]:
    """What is kept of each level's messages, the highest first; of system prompts nothing is told."""
    stop = max((n for n, line in enumerate(lines, 1) if line.action in CUT), default=0)
    told = [(line, n < stop) for n, line in enumerate(lines) if not is_system({"role": line.role})]
    levels = [level.name.lower() for level in sorted(Level, reverse=True)]
    return {level: _share([(line, older) for line, older in told if line.level == level]) for level in levels}


def _share(told: Sequence[tuple[Line, bool]]) -> Share:
    return Share(
        tokens_before=sum(line.tokens_before for line, _ in told),
        tokens_after=sum(line.tokens_after for line, _ in told),
        older_before=sum(line.tokens_before for line, older in told if older),
        older_after=sum(line.tokens_after for line, older in told if older),
    )


class _Sent:
    """What is sent, to be looked up by the messages that came in."""

    def __init__(self, outcome: Outcome) -> None:
        sent = () if outcome.reply is not None else outcome.request.messages
        self.answered = outcome.reply is not None
        self._same = {id(message) for message in sent}
        self._results = {str(m.get("tool_call_id")): m for m in sent if m.get("role") == "tool"}
        self._system = [m for m in sent if is_system(m)]
        self._by_address = {m[AT]: m for m in sent if AT in m}
        self._quoted = "\n".join(text_of(m.get("content")) for m in sent if is_own(m) and m.get("role") == "user")
        front = len(tuple(takewhile(is_system, outcome.original.messages)))
        self._summaries = {
            front + place: count_text(text) * (place == places.start)
            for places, text in summaries_in(self._quoted)
            for place in places
        }

    def of(self, message: Message, place: int) -> tuple[Action, int]:
        """What became of *message*, and the tokens that it still takes."""
        if self.answered:
            return "answered", 0
        if id(message) in self._same:
            return "kept", count_message(message)
        other = self._other(message, place)
        if other is not None:
            return self._rewritten(message, other), count_message(other)
        tokens = self._tokens_quoted(message)
        if place in self._summaries:
            return "digested" if tokens else "summarised", tokens + self._summaries[place]
        return ("digested", tokens) if tokens else ("left_out", 0)

    def _other(self, message: Message, place: int) -> Message | None:
        """The message that is sent in place of *message*."""
        if message.get("role") == "tool":
            return self._results.get(str(message.get("tool_call_id")))
        if is_system(message):
            return self._system[place] if place < len(self._system) else None
        return self._by_address.get(message[AT]) if AT in message else None

    def _rewritten(self, message: Message, other: Message) -> Action:
        if message == other:
            return "kept"
        if is_system(message):
            return "prompt_cut"
        return "shortened" if is_own(other) else "condensed"

    def _tokens_quoted(self, message: Message) -> int:
        """Tokens of what is quoted of *message*; a quotation counts for one message alone."""
        quoted = 0
        for piece in _pieces(message):
            before, found, behind = self._quoted.partition(piece)
            if found:
                quoted += count_text(piece)
                self._quoted = f"{before}\0{behind}"
        return quoted


def _pieces(message: Message) -> Iterator[str]:
    """What a digest may quote of a message."""
    yield from filter(None, map(str.strip, read(text_of(message.get("content"))).passages))
    yield from (f"{name}({arguments[:ARGUMENTS_CHARS]})" for _, name, arguments in tool_calls(message))


def _line(place: int, message: Message, weighed: Importance, sent: _Sent) -> Line:
    action, tokens = sent.of(message, place)
    before = count_message(message)
    at = message.get(AT)
    called = ", ".join(f"{name}({arguments})" for _, name, arguments in tool_calls(message))
    says = " ".join(f"{text_of(message.get('content'))} {called}".split())
    return Line(
        index=place if at is None else SYSTEM_INDEX if at[0] == SYSTEM_AT else at[0],
        role=str(message.get("role")), level=weighed.level.name.lower(), score=weighed.score, why=weighed.rule,
        action=action, tokens_before=before,
        tokens_after=min(before, tokens + MESSAGE_OVERHEAD * (action == "digested")),
        begins=says[:SHOWN_CHARS],
    )  # fmt: skip


def _joined(lines: Iterable[Line]) -> Iterator[Line]:
    """One line for each native message: what was split at the border is put together again."""
    last: Line | None = None
    for line in lines:
        if last is not None and last.index == line.index:
            last = _both(last, line)
            continue
        if last is not None:
            yield last
        last = line
    if last is not None:
        yield last


def _both(one: Line, other: Line) -> Line:
    more = one if one.score >= other.score else other
    return Line(
        index=one.index, role="user" if "user" in (one.role, other.role) else one.role, level=more.level,
        score=more.score, why=more.why, action=max(one.action, other.action, key=ACTIONS.index),
        tokens_before=one.tokens_before + other.tokens_before, tokens_after=one.tokens_after + other.tokens_after,
        begins=one.begins or other.begins,
    )  # fmt: skip


# --- for people -------------------------------------------------------------------------------------------------

HEADS = ("#", "role", "level", "score", "action", "before", "after", "message")
NUMBERS = frozenset({"#", "score", "before", "after"})
LEAST_SHOWN, GAP_CHARS = 16, 2


def said(lines: Sequence[Line]) -> str:
    """What is kept of each level, in a sentence; empty where nothing was cut."""
    found = shares(lines)
    if not any(share.older_before for share in found.values()):
        return ""
    whole, older = (
        ", ".join(f"{level} {after / before:.0%}" for level, (before, after) in counts.items() if before)
        for counts in (
            {level: (share.tokens_before, share.tokens_after) for level, share in found.items()},
            {level: (share.older_before, share.older_after) for level, share in found.items()},
        )
    )
    return f"Tokens kept: {whole}; but for the newest messages, which are not cut yet: {older}."


def terminal(lines: Sequence[Line], width: int) -> RenderableType:
    """A table for a rich console that is *width* characters wide."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import set_cell_size
    from rich.markup import escape as markup_escape
    from rich.table import Table

    rows = [_cells(line) for line in lines]
    used = sum(max(len(head), *(len(row[at]) for row in rows)) + GAP_CHARS for at, head in enumerate(HEADS[:-1]))
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), caption=said(lines) or None, caption_justify="left"
    )
    for head in HEADS:
        table.add_column(head, justify="right" if head in NUMBERS else "left", no_wrap=True)
    for line, row in zip(lines, rows, strict=True):
        begins = set_cell_size(row[-1], max(LEAST_SHOWN, width - used - 2)).rstrip()
        style = "dim" if line.level == "background" else ""
        table.add_row(*map(markup_escape, (*row[:-1], begins)), style=style)
    return table


def _cells(line: Line) -> tuple[str, ...]:
    level = f"{line.level} ({line.why})" if line.why else line.level
    index = "" if line.index == SYSTEM_INDEX else str(line.index)
    return (
        index, line.role, level, f"{line.score:.2f}", line.action.replace("_", " "), f"{line.tokens_before:,}",
        f"{line.tokens_after:,}", line.begins,
    )  # fmt: skip


_MORE_STYLE = """
td:nth-child(n) { text-align: left } td:nth-child(4), td:nth-child(6), td:nth-child(7) { text-align: right }
th:nth-child(n) { text-align: left } td:last-child { max-width: 26rem; overflow-wrap: anywhere; font-size: .85em }
.critical td:nth-child(3) { color: #c0392b; font-weight: 600 } .important td:nth-child(3) { color: #b9770e }
.background { opacity: .75 } .left_out td:last-child { text-decoration: line-through }
"""


def page(outcome: Outcome, lines: Sequence[Line]) -> str:
    """One HTML page that needs nothing else."""
    title = "What the plugin does to a request"
    total = f"{outcome.tokens_before:,} input tokens came in, {outcome.tokens_after:,} are sent."
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}{_MORE_STYLE}</style>'
    steps = "".join(
        f"<li>{escape(step.stage)}: {step.tokens_before:,} → {step.tokens_after:,} ({escape(step.verdict.reason)})</li>"
        for step in outcome.steps
    )
    heads = "".join(f"<th>{escape(name)}</th>" for name in HEADS)
    rows = "".join(
        f'<tr class="{line.level} {line.action}">{"".join(f"<td>{escape(cell)}</td>" for cell in _cells(line))}</tr>'
        for line in lines
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    body = f"<h1>{title}</h1><p>{total}</p><ul>{steps}</ul><h2>Messages</h2><p>{said(lines)}</p>{table}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'
