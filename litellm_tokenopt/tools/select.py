"""Which tools are sent, decided by folding over the user's turns.

The first turn that says something chooses broadly, up to the limit (fewer where the rest is far behind). Later turns
keep that choice, because a changed tool block makes the provider read everything behind it afresh. Only when a tool is
missing that a question clearly asks for, or another one was called, does the block change, and then at once for all
that was asked and may be needed; when the subject is another one, the tools are chosen anew (an *epoch*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .rank import Fit, joined

NEEDED_COSINE = 0.35
"""Similarity from which on a tool that isn't there may be needed, where the question shares a word with it."""

NEEDED_COSINE_ALONE = 0.45
"""The same where it shares none."""

AHEAD_SCORE, AHEAD_LEAST = 2.5, 0.25
"""The best tool is needed, though less similar, if it is so far (standard deviations) ahead of all that are there.

Less similar than the second figure it isn't: "the number is S-2207" asks for nothing, but shares a word with some tool.
"""

AHEAD_COSINE, LIKE_COSINE, LIKE_SCORE = 0.1, 0.3, 3.0
"""So is one of the best that is so much more similar than all that are there, if it comes to so much by itself."""

TOP = 3
"""So many tools are the best; a subject has changed when none of them is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One user turn: how it fits the tools, and the tools (indices) that each message after it called.

    `talk`: it and all before it are plain conversation. `refers`: it goes on with what was said before.
    """

    fit: Fit
    calls: tuple[frozenset[int], ...] = ()
    talk: bool = False
    refers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Tools by their index, most wanted first, and how often they were chosen anew.

    `talk`: nothing is chosen yet, for only plain conversation was heard. `by_words`: it isn't final, because there
    were no vectors in time; a later turn may choose others.
    """

    tools: tuple[int, ...] = ()
    epoch: int = 0
    told: bool = False
    talk: bool = False
    by_words: bool = False


def capacity(protected: int, max_tools: int) -> int:
    """How many tools may be sent: *max_tools*, but never less than half of it beside the protected ones."""
    return max(max_tools, protected + (max_tools + 1) // 2)


def select(turns: Sequence[Turn], fixed: frozenset[int], protected: frozenset[int], max_tools: int) -> Selection:
    """The tools to send after *turns*.

    *fixed* tools are protected in every request; *protected* ones (named by `tool_choice`, or called before the first
    turn) in this one.
    """
    selection, seated = Selection(), fixed
    heard: tuple[Fit, ...] = ()
    for turn in turns:
        before, selection = selection, _after(selection, turn, heard, seated, max_tools)
        heard = (*heard, turn.fit) if selection.epoch == before.epoch else (turn.fit,)
        for called in turn.calls:
            seated |= called
            selection = _called(selection, heard, seated, max_tools)
    return _seat(selection, seated | protected, max_tools)


def _called(before: Selection, heard: Sequence[Fit], protected: frozenset[int], max_tools: int) -> Selection:
    """The selection once *protected* tools were called: where that changes it, at once for all that belongs to them."""
    if protected <= set(before.tools):
        return before
    near = replace(before, tools=tuple(joined(heard).near(protected, before.tools)), talk=False)
    return _seat(near, protected, max_tools)


def _after(before: Selection, turn: Turn, heard: Sequence[Fit], protected: frozenset[int], max_tools: int) -> Selection:
    """The selection once a turn has been heard."""
    unchosen = before.talk or not before.tools
    if turn.talk and unchosen:
        return _seat(Selection(talk=True), protected, max_tools)
    fit, telling, order = turn.fit, turn.fit.says_something, turn.fit.order
    if unchosen:
        return _seat(Selection(tools=fit.broad_order, told=telling), protected, max_tools)
    kept = _seat(before, protected, max_tools)
    if not telling or (before.told and not _lacks(kept, fit, order)):
        return kept
    asked = _asked(heard, kept) if turn.refers else ()
    if not before.told or set(order[:TOP]).isdisjoint(kept.tools):
        first = fit.broad_order[: max_tools - len(asked)]
        anew = Selection(tools=fit.broad_order, epoch=kept.epoch + 1, told=True)
        return _seat(_with(anew, tuple(dict.fromkeys((*first, *asked)))), protected, max_tools)
    wanted = order[: (max_tools + 1) // 2]
    near = joined((*heard, fit)).near(wanted, kept.tools)
    first = tuple(dict.fromkeys((*wanted, *asked)))
    return _seat(_with(replace(kept, tools=tuple(near)), first), protected, max_tools)


def _asked(heard: Sequence[Fit], kept: Selection) -> tuple[int, ...]:
    """The sent tools that fit best what was asked before."""
    return tuple(index for index in joined(heard).order[:TOP] if index in kept.tools) if heard else ()


def asks_for_a_tool(fit: Fit) -> bool:
    """Whether the best tool is close to what a turn says."""
    return _is_near(fit.order[0], fit)


def _seat(selection: Selection, protected: frozenset[int], max_tools: int) -> Selection:
    """*selection* with every protected tool, cut to what may be sent."""
    others = [index for index in selection.tools if index not in protected]
    room = capacity(len(protected), max_tools) - len(protected)
    seated = protected.union(others[:room])
    ordered = [index for index in selection.tools if index in seated]
    return replace(selection, tools=(*ordered, *sorted(seated.difference(ordered))))


def _is_near(index: int, fit: Fit) -> bool:
    least = NEEDED_COSINE if fit.words[index] > 0 else NEEDED_COSINE_ALONE
    return float(fit.cosine[index]) >= least


def _lacks(kept: Selection, fit: Fit, order: Sequence[int]) -> bool:
    """Whether a tool is missing from *kept* although the turn, which has *order*, clearly asks for it."""
    missing = [index for index in order[:TOP] if index not in kept.tools]
    if not missing:
        return False
    there, best = list(kept.tools), order[0]
    ahead = fit.score[best] - fit.score[there].max() >= AHEAD_SCORE and fit.cosine[best] >= AHEAD_LEAST
    if best in missing and (ahead or _is_near(best, fit)):
        return True
    like = [index for index in missing if fit.cosine[index] >= LIKE_COSINE and fit.score[index] >= LIKE_SCORE]
    return bool(like) and any(fit.cosine[index] >= float(fit.cosine[there].max()) + AHEAD_COSINE for index in like)


def _with(selection: Selection, wanted: Sequence[int]) -> Selection:
    """*selection* with the *wanted* tools before all others."""
    rest = [index for index in selection.tools if index not in wanted]
    return replace(selection, tools=(*wanted, *rest))
