"""One installed optimizer, and the calls that are under way through it.

LiteLLM asks at several seams about one and the same call (hook, cache look-up, cache store, interposer). The first
to ask has it decided; a `Call` tells the others.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator, Mapping, MutableMapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import litellm
from litellm.types.utils import is_litellm_owned_kwarg

from ..convert import Border, border_of, metadata_key, metadata_of
from ..errors import UnavailableError
from ..optimizer import TokenOptimizer
from ..own import is_own
from ..pipeline import Outcome
from ..replies import reply_of
from ..request import Surface
from ..rounds import is_decided, name_of
from ..saying import Sayings
from ..settings import Settings
from ..telemetry.spans import Replied
from ..telemetry.summary import summary
from .asking import ask_again, litellm_judge, litellm_summaries, tokens_of
from .callers_loop import CallersLoop
from .calls import Call, Calls, Ticket
from .groups import priced_as
from .late_imports import import_now
from .portal import Portal, PortalClosed
from .pricing import cache_rates, list_price
from .searching import provider_search
from .traces import trace_parent

logger = logging.getLogger("litellm_tokenopt")

_READ = frozenset(
    "api_base api_key base_url cache caching custom_llm_provider headers input instructions litellm_metadata messages "
    "metadata mock_response mock_timeout model system tool_choice tools user".split()
)
"""Arguments of LiteLLM's own that conversion reads all the same."""


class Plugin:
    """Owns the optimizer and its loop; every seam comes here.

    `answers_own_tools`: every entry point is interposed, so that no caller sees a call of our tools.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.portal = Portal()
        self.callers = CallersLoop()
        self.optimizer = TokenOptimizer(
            settings,
            embed=_litellm_embed(settings, self.callers),
            ask=litellm_judge(settings.cache, self.callers),
            summaries=partial(litellm_summaries, callers=self.callers),
            price=list_price,
            rates=cache_rates,
        )
        self.calls = Calls()
        self.answers_own_tools = False
        self._asks_provider = "provider" in (settings.tools.search, settings.tried().tools.search)
        self._say = Sayings(logger)

    @property
    def awaits_replies(self) -> bool:
        """Whether anything is done with the model's replies: they are stored, or the use of tools is counted."""
        if self.settings.cache.enabled:
            return True
        return self.settings.tools.enabled and self.optimizer.parts.learning is not None

    def warm(self) -> None:
        """Begin to load, in the background, what the first request would wait for."""
        self.portal.submit(self._warm())

    async def before(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Call | None:
        """Decide on a call from any event loop, once; None where it passes on as it is."""
        self.callers.note()
        # Stores of earlier replies that are due in the caller's loop get ahead of this look-up.
        await asyncio.sleep(0)
        try:
            return await self.portal.wait(self._decide(kwargs, surface))
        except PortalClosed:
            return None

    def before_sync(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Call | None:
        """`before`, for callers without a loop."""
        try:
            with self.callers.held_up():
                return self.portal.run(self._decide(kwargs, surface))
        except PortalClosed:
            return None

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
        try:
            return self.portal.submit(self.optimizer.after(call.outcome, reply))
        except PortalClosed:
            return None

    def abandon(self, call: Call | None) -> None:
        """No reply to *call* is to be expected of this attempt: nobody need wait for it."""
        if call is not None:
            self.portal.post(partial(self._abandoned, call))

    def _abandoned(self, call: Call) -> None:
        # Asked here: a stream that was read to its end is dropped while its reply is on its way.
        if call.awaits_reply:
            self.optimizer.abandon(call.outcome)

    def replied(
        self, details: Mapping[str, Any], started: datetime, ended: datetime, error: BaseException | None = None
    ) -> None:
        """LiteLLM's word on the call that its *details* are of: write down what the reply cost, or how it failed.

        A price of nothing isn't known but of a hit: streams may tell no tokens, and models may have no price.
        """
        call = self.calls.described(details)
        if call is None:
            return
        usd = 0.0 if details.get("cache_hit") else details.get("response_cost") or None
        reply = Replied(
            started_ns=_ns(started), ended_ns=_ns(ended), usd=usd,
            error=type(error).__name__ if error is not None else None,
        )  # fmt: skip
        self.optimizer.recorder.record_reply(call.outcome, reply)

    @contextmanager
    def attempting(self, call: Call | None) -> Iterator[None]:
        """What goes on within is an attempt at *call*."""
        try:
            yield
        except BaseException:
            self.abandon(call)
            raise

    def asked_in(self, kwargs: Mapping[str, Any]) -> Call | None:
        """The call that *kwargs* belong to, if the model may call tools of ours in it."""
        if not any(is_own(name_of(tool)) for tool in kwargs.get("tools") or ()):
            return None
        call = self.calls.of(kwargs) or self.calls.last(kwargs)
        return call if call is not None and call.outcome.offers else None

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
        self._say(kind, "%s failed; the request passes on as it was", where, error=error)

    def close(self) -> None:
        """Close the optimizer's connections and end its loop."""
        self.portal.close(self.optimizer.aclose)

    async def _warm(self) -> None:
        with suppress(UnavailableError):  # logged where it is loaded; requests pass on without it
            await self.optimizer.warm()
        if self.settings.mode != "off":
            await asyncio.to_thread(import_now)
        # What was loaded brings on a full collection, which stops every thread: now rather than amidst requests.
        gc.collect()
        await self.optimizer.warm_verifier()

    async def _decide(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Call | None:
        border = self._border(kwargs, surface)
        if border is None:
            return None
        known = self.calls.known(kwargs, border)
        last = self.calls.last(kwargs)
        if last is not None and last.undone:
            return None
        if known is not None or self.calls.inside(kwargs, surface) or is_decided(surface, kwargs):
            return known
        parent, tracer = trace_parent(kwargs)
        own_tools = self.answers_own_tools and _takes_tools(kwargs)
        outcome = await self.optimizer.decide(border, own_tools=own_tools, parent=parent, tracer=tracer)
        routed = "model_group" in metadata_of(kwargs)
        call = Call(border, outcome, operator_cache=kwargs.get("caching") is not False or not routed)
        self.calls.add(kwargs, call)
        self._abandon_with(self.calls.ticket(kwargs), call)
        if call.payload is not None and outcome.followups:
            self.optimizer.parts.beside.calls.submit(partial(self._check, call, dict(kwargs)))
        return call

    def _border(self, kwargs: MutableMapping[str, Any], surface: Surface) -> Border | None:
        """The request in *kwargs*, with the provider's own search of tools where it's asked for; None for others."""
        read = {k: v for k, v in kwargs.items() if k in _READ or not is_litellm_owned_kwarg(k)}
        border = border_of(read, surface)
        if border is None:
            return None
        border = replace(border, request=border.request.with_(priced_as=priced_as(kwargs)))
        if not self._asks_provider:
            return border
        search = provider_search(kwargs, surface)
        if search is None and border.request.tools:
            said = "this LiteLLM reaches no tool search of %s (%s API); tokenopt_find_tools stands in for it"
            self._say(f"search:{surface}", said, border.request.model, surface)
        return replace(border, request=border.request.with_(provider_search=search))

    async def _check(self, call: Call, kwargs: Mapping[str, Any]) -> None:
        """Ask the model what a hit has answered, and hand its reply to those who want to compare."""
        response = await ask_again(kwargs, call.surface, self.callers)
        self.optimizer.recorder.record_check_tokens("shadow", tokens_of(response))
        await self.optimizer.after(call.outcome, response)

    def _abandon_with(self, ticket: Ticket | None, call: Call) -> None:
        """A call that LiteLLM has forgotten, such as a stream that nobody read to its end, gets no reply any more.

        It's told by the ticket: a reply on its way to the store holds that, though no longer LiteLLM's logging object.
        """
        if ticket is not None and call.awaits_reply:
            forgotten = weakref.finalize(ticket, self.abandon, call)
            forgotten.atexit = False


def _ns(time: datetime) -> int:
    """Nanoseconds since the epoch."""
    return int(time.timestamp() * 1e9)


def _takes_tools(kwargs: Mapping[str, Any]) -> bool:
    """Whether the model can be given tools: as it's given some, or LiteLLM says so."""
    model, provider = str(kwargs.get("model")), kwargs.get("custom_llm_provider")
    return bool(kwargs.get("tools")) or litellm.supports_function_calling(model, provider)


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


def _litellm_embed(settings: Settings, callers: CallersLoop) -> Any:
    """API embeddings through LiteLLM, where the settings ask for them."""
    if settings.embedder.backend != "litellm":
        return None

    async def embed(texts: list[str]) -> list[list[float]]:
        # LiteLLM tries again in its own time, whatever `timeout` and `max_retries` say.
        async with asyncio.timeout(settings.time_budget_seconds):
            response = await callers.run(
                lambda: litellm.aembedding(model=settings.embedder.model, input=texts, max_retries=0)
            )
        return [item["embedding"] for item in response.data]

    return embed
