"""One installed optimizer, and the calls that are under way through it.

LiteLLM asks at several seams about one and the same call (hook, cache look-up, cache store, interposer). The first
to ask has it decided; a `Call` under its ``litellm_call_id`` tells the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import litellm
from litellm.types.utils import is_litellm_owned_kwarg

from ..convert import Border, border_of, metadata_key, metadata_of
from ..memo import Memo
from ..optimizer import TokenOptimizer
from ..pipeline import Outcome
from ..replies import reply_of
from ..request import Surface
from ..settings import Settings
from ..telemetry.summary import summary
from .portal import Portal
from .traces import trace_parent

logger = logging.getLogger("litellm_tokenopt")

_READ = frozenset(
    "api_base api_key base_url cache caching custom_llm_provider headers input instructions litellm_metadata messages "
    "metadata mock_response mock_timeout model system tool_choice tools user".split()
)
"""Arguments of LiteLLM's own that conversion reads all the same."""


@dataclass(slots=True, eq=False)
class Call:
    """A call under way: what came in, what was decided, and whether its reply has been seen."""

    border: Border
    outcome: Outcome
    operator_cache: bool
    replied: bool = field(default=False)

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
        return not self.replied and bool(self.outcome.followups)


class Plugin:
    """Owns the optimizer and its loop; every seam comes here."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.portal = Portal()
        self.optimizer = TokenOptimizer(settings, embed=_litellm_embed(settings))
        self._calls: Memo[str, Call] = Memo(max_entries=10_000)
        self._failures: set[str] = set()

    async def before(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Call | None:
        """Decide on a call from any event loop, once; None where it passes on as it is."""
        # Stores of earlier replies that are due in the caller's loop get ahead of this look-up.
        await asyncio.sleep(0)
        return await self.portal.wait(self._decide(kwargs, surface))

    def before_sync(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Call | None:
        """`before`, for callers without a loop."""
        return self.portal.run(self._decide(kwargs, surface))

    def after(self, call: Call | None, response: Any) -> Future[None] | None:
        """Start what is to be done with a model's reply; what is asked afterwards finds it done or under way.

        None where nothing is to be done, or where *response* is not of the call's own API: LiteLLM answers one API
        by calling another, under the same id.
        """
        if call is None or not call.awaits_reply:
            return None
        reply = reply_of(call.surface, response)
        if reply is None:
            return None
        call.replied = True
        return self.portal.submit(self.optimizer.after(call.outcome, reply))

    def call_of(self, kwargs: Mapping[str, Any]) -> Call | None:
        """The call that *kwargs* belong to, if it's been decided."""
        call_id = kwargs.get("litellm_call_id")
        call = self._calls.get(call_id) if isinstance(call_id, str) else None
        return call if call is not None and _same_model(call, kwargs) else None

    def last_call(self, kwargs: Mapping[str, Any]) -> Call | None:
        """The last call under the id in *kwargs*, whatever model it went to."""
        return self._calls.get(str(kwargs.get("litellm_call_id")))

    def apply(self, call: Call, kwargs: MutableMapping[str, Any]) -> None:
        """Put what was decided into *kwargs*, and say so in the call's metadata."""
        _write_metadata(kwargs, call)
        kwargs.update(call.outcome.changes)
        if call.payload is not None:  # LiteLLM logs a hit with `metadata` alone, and no provider will see it
            kwargs["metadata"] = {**(kwargs.get("metadata") or {}), **kwargs[metadata_key(call.surface)]}
            return
        logging_obj = kwargs.get("litellm_logging_obj")
        if "messages" in call.outcome.changes and hasattr(logging_obj, "update_messages"):
            logging_obj.update_messages(kwargs["messages"])  # type: ignore[union-attr]

    def failed(self, where: str, error: BaseException) -> None:
        """Count what went wrong at a seam, and log it the first time."""
        self.optimizer.recorder.record_failure(where, error)
        kind = f"{where}:{type(error).__name__}"
        level = logging.DEBUG if kind in self._failures else logging.WARNING
        self._failures.add(kind)
        logger.log(level, "%s failed; the request passes on as it was", where, exc_info=error)

    def close(self) -> None:
        """Close the optimizer's connections and end its loop."""
        if self.portal.started:
            self.portal.run(self.optimizer.aclose())
        self.portal.stop()

    async def _decide(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Call | None:
        read = {k: v for k, v in kwargs.items() if k in _READ or not is_litellm_owned_kwarg(k)}
        border = border_of(read, surface)
        if border is None:
            return None
        for known in filter(None, map(self._calls.get, _keys(kwargs))):
            if _again(known, border):
                return known
            if known.surface != surface and not known.replied:
                return None  # a call that LiteLLM makes for that one, which has been seen to
        parent, tracer = trace_parent(kwargs)
        outcome = await self.optimizer.decide(border, parent=parent, tracer=tracer)
        routed = "model_group" in metadata_of(kwargs)
        call = Call(border, outcome, operator_cache=kwargs.get("caching") is not False or not routed)
        for key in _keys(kwargs):
            self._calls.put(key, call)
        return call


def _keys(kwargs: Mapping[str, Any]) -> list[str]:
    """A call's own id, and that of its trace (a router's retries share it)."""
    return [str(kwargs[name]) for name in ("litellm_call_id", "litellm_trace_id") if kwargs.get(name)]


def _again(known: Call, border: Border) -> bool:
    """Whether this is *known* once more: another seam of the same call, or a retry of it that was not answered.

    A fallback to another model, or what the plugin itself has rewritten, is not what came in first.
    """
    if known.replied or _base(known.border.request.model) != _base(border.request.model):
        return False
    given, first = border.native_kwargs, known.border.native_kwargs
    return given == first or given == {**first, **known.outcome.changes}


def _same_model(call: Call, kwargs: Mapping[str, Any]) -> bool:
    """A fallback to another model goes by the same id, and is decided anew."""
    model = metadata_of(kwargs).get("model_group") or kwargs.get("model")
    return model is None or _base(call.border.request.model) == _base(str(model))


def _base(model: str) -> str:
    """A model's name without its provider, which LiteLLM strips on the way."""
    return model.rpartition("/")[2]


def _write_metadata(kwargs: MutableMapping[str, Any], call: Call) -> None:
    """Into the proxy's own dict (its header hook reads that very object); an SDK caller's dict is copied first."""
    key = metadata_key(call.surface)
    given = kwargs.get(key)
    metadata = given if isinstance(given, dict) else {}
    own = metadata.get("tokenopt")
    written = {
        "tokenopt": {**(own if isinstance(own, Mapping) else {}), **summary(call.outcome)},
        "compression_savings": _savings(call.outcome),
    }
    if "user_api_key_hash" in metadata or "user_api_key" in metadata:
        metadata.update(written)
    else:
        kwargs[key] = {**metadata, **written}


def _savings(outcome: Outcome) -> dict[str, Any]:
    """What LiteLLM's own usage page reads."""
    saved = outcome.tokens_saved if outcome.mode == "on" and outcome.reply is None else 0
    return {
        "tokens_before": outcome.tokens_before,
        "tokens_after": outcome.tokens_before - saved,
        "tokens_saved": saved,
        "source": "compression_interception",
    }


def _litellm_embed(settings: Settings) -> Any:
    """API embeddings through LiteLLM, where the settings ask for them."""
    if settings.embedder.backend != "litellm":
        return None

    async def embed(texts: list[str]) -> list[list[float]]:
        response = await litellm.aembedding(model=settings.embedder.model, input=texts)
        return [item["embedding"] for item in response.data]

    return embed
