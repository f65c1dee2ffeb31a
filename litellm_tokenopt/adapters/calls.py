"""Which call a seam is asked about.

A call is known by the logging object that LiteLLM makes for it and hands to every seam. Call ids and trace ids may
come from a client, who may use one for as many requests as he likes: neither says that two requests are one call.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from weakref import WeakKeyDictionary

from ..convert import Border, metadata_of
from ..memo import Memo
from ..pipeline import Outcome
from ..request import Surface

KEY_PREFIX = "tokenopt:"
_SHAPING = ("surface", "tenant", "controls", "options", "provider_search")
_RETRYING = 256
"""Calls of routers that may be retried, one a trace."""


@dataclass(slots=True, eq=False)
class Call:
    """A call under way: what came in, what was decided, and whether its reply has been seen.

    `undone`: in the end it's sent as it came in.
    """

    border: Border
    outcome: Outcome
    operator_cache: bool
    replied: bool = field(default=False)
    undone: bool = field(default=False)

    @property
    def surface(self) -> Surface:
        return self.border.request.surface

    @property
    def payload(self) -> Mapping[str, Any] | None:
        """The cached reply to give at once, if that was decided."""
        reply = self.outcome.reply
        return reply.payload if reply is not None and self.outcome.mode == "on" else None

    @property
    def awaits_reply(self) -> bool:
        """Whether something is to be done with the model's reply, and has not been yet."""
        return self.payload is None and not self.replied and bool(self.outcome.followups)

    def is_for(self, border: Border) -> bool:
        """Whether *border* holds this request once more: another seam, or a retry of what was not answered.

        A fallback to another model, or what the plugin itself has rewritten, is not what came in first; all that
        shapes the request, and whose it is, must be equal.
        """
        ours, theirs = self.border.request, border.request
        return (
            not self.replied
            and _base(ours.model) == _base(theirs.model)
            and all(getattr(ours, name) == getattr(theirs, name) for name in _SHAPING)
            and theirs.tool_choice in (ours.tool_choice, self._changes.get("tool_choice", ours.tool_choice))
            and border.native_kwargs in (self.border.native_kwargs, {**self.border.native_kwargs, **self._rewritten})
        )

    def sends(self, kwargs: Mapping[str, Any]) -> bool:
        """Whether *kwargs* are this call's own, as they came in or as they were rewritten."""
        came = self.border.native_kwargs
        model = metadata_of(kwargs).get("model_group") or kwargs.get("model")
        return (model is None or _base(self.border.request.model) == _base(str(model))) and all(
            kwargs.get(name) == came[name] or (name in self._changes and kwargs.get(name) == self._changes[name])
            for name in came
        )

    @property
    def _rewritten(self) -> Mapping[str, Any]:
        """The changes of what a border's native form holds."""
        return {name: value for name, value in self._changes.items() if name != "tool_choice"}

    @property
    def _changes(self) -> Mapping[str, Any]:
        return self.outcome.changes


class Ticket(str):
    """What was decided under one logging object: one call, or the several of a batch or of a router's fallbacks.

    It is the calls' cache key as well: LiteLLM hands that back with a stream's reply, when the logging object may be
    gone. A text that merely reads the same is no ticket.
    """

    __slots__ = ("__weakref__", "calls")
    calls: list[Call]

    @classmethod
    def new(cls) -> Self:
        ticket = cls(f"{KEY_PREFIX}{uuid.uuid4().hex}")
        ticket.calls = []
        return ticket

    def __deepcopy__(self, _: Any) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class Calls:
    """The calls under way; what LiteLLM has forgotten is forgotten here. Safe to use from threads."""

    def __init__(self) -> None:
        self._tickets: WeakKeyDictionary[Any, Ticket] = WeakKeyDictionary()
        self._retrying: Memo[str, Call] = Memo(_RETRYING)
        self._lock = threading.Lock()

    def add(self, kwargs: Mapping[str, Any], call: Call) -> None:
        """Have the later seams of the call in *kwargs* find *call*."""
        ticket = self.ticket(kwargs)
        if ticket is not None:
            ticket.calls.append(call)
        trace = _routed_trace(kwargs)
        if trace is not None and call.payload is None:
            self._retrying.put(trace, call)

    def known(self, kwargs: Mapping[str, Any], border: Border) -> Call | None:
        """The decision on the very request in *kwargs*, if it's been made: by another seam, or for an earlier attempt.

        A router of the SDK tries again under a new logging object; it says that in the metadata.
        """
        earlier = self._earlier(kwargs)
        if int(metadata_of(kwargs).get("attempted_retries") or 0) > 0:
            retried = self._retrying.get(_routed_trace(kwargs) or "")
            earlier = [*earlier, retried] if retried is not None else earlier
        return next((call for call in reversed(earlier) if call.is_for(border)), None)

    def inside(self, kwargs: Mapping[str, Any], surface: Surface) -> bool:
        """Whether LiteLLM makes the call in *kwargs* for one of another API, which has been seen to."""
        return any(call.surface != surface and not call.replied for call in self._earlier(kwargs))

    def of(self, kwargs: Mapping[str, Any]) -> Call | None:
        """The call that *kwargs* belong to, if it's been decided."""
        return next((call for call in reversed(self._earlier(kwargs)) if call.sends(kwargs)), None)

    def last(self, kwargs: Mapping[str, Any]) -> Call | None:
        """The last call under the logging object in *kwargs*, whatever model it went to."""
        earlier = self._earlier(kwargs)
        return earlier[-1] if earlier else None

    def described(self, details: Any) -> Call | None:
        """The last call of the logging object that tells loggers *details*, its very own."""
        with self._lock:
            found = [t for owner, t in self._tickets.items() if getattr(owner, "model_call_details", None) is details]
        return next((call for ticket in found for call in reversed(ticket.calls)), None)

    def ticket(self, kwargs: Mapping[str, Any]) -> Ticket | None:
        """The ticket of the call in *kwargs*; None where nothing says which call that is."""
        owner = kwargs.get("litellm_logging_obj")
        if owner is None:
            key = kwargs.get("cache_key")
            return key if isinstance(key, Ticket) else None
        with self._lock:
            ticket = self._tickets.get(owner)
            if ticket is None:
                ticket = self._tickets[owner] = Ticket.new()
            return ticket

    def _earlier(self, kwargs: Mapping[str, Any]) -> list[Call]:
        ticket = self.ticket(kwargs)
        return list(ticket.calls) if ticket is not None else []


def _routed_trace(kwargs: Mapping[str, Any]) -> str | None:
    """The trace of a call that comes from a router."""
    trace = kwargs.get("litellm_trace_id")
    return str(trace) if trace and "model_group" in metadata_of(kwargs) else None


def _base(model: str) -> str:
    """A model's name without its provider, which LiteLLM strips on the way."""
    return model.rpartition("/")[2]
