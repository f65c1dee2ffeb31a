"""Which sessions are left alone, or go by an experiment's settings: told by whose they are and their first question."""

from __future__ import annotations

from .own import is_own
from .pipeline import Arm, Mode, Split
from .request import ChatRequest, canonical, digest, text_of, tool_name, user_turns
from .settings import Settings

SESSION_DIGITS = 16
"""Of a session's digest, so much stands for it in spans."""


def mode_of(settings: Settings, request: ChatRequest) -> Mode:
    """What is done to *request*: all, nothing, or nothing for comparison."""
    if request.controls.bypass or settings.mode == "off" or any(map(is_own, map(tool_name, request.tools))):
        return "bypass"  # what has a tool of ours has been through here
    if settings.holdout_fraction and _position(session_of(request)) < settings.holdout_fraction:
        return "holdout"
    return settings.mode


def split_of(settings: Settings, request: ChatRequest, mode: Mode) -> Split | None:
    """The side of a request's session, whatever `holdout_fraction` is; None where no sessions are split.

    What stands for the session is another in each experiment.
    """
    experiment = settings.experiment
    if mode == "bypass" or not (experiment.name or settings.holdout_fraction):
        return None
    session = digest(experiment.name, session_of(request))
    if mode == "holdout" or not experiment.name:
        return Split(session=session[:SESSION_DIGITS])
    arm: Arm = "tried" if _position(session) < experiment.share else "base"
    return Split(session=session[:SESSION_DIGITS], experiment=experiment.name, arm=arm)


def session_of(request: ChatRequest) -> str:
    """A digest of what all turns of a session have in common: whose it is, and its first question.

    A system prompt may tell the time, or hold what was looked up for the last question; another model may stand in.
    """
    first = [request.messages[at] for at in user_turns(request.messages)[:1]]
    return digest(repr(request.tenant), *(text_of(m.get("content")) or canonical(m) for m in first))


def _position(session: str) -> float:
    """Where a digest lies in [0, 1)."""
    return int(session[:13], 16) / 16**13
