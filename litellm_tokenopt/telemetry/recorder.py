"""Tell OpenTelemetry what the pipeline did."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, Tracer, TracerProvider

from ..errors import UnavailableError
from ..pipeline import Outcome, Trace
from ..settings import TelemetrySettings
from . import names
from .meters import Meters
from .setup import Providers, open_providers
from .spans import Replied, write_asked, write_reply, write_spans

if TYPE_CHECKING:
    from ..cache.tally import Tally

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sinks:
    tracer: Tracer
    meters: Meters


class Recorder:
    """Turns each `Outcome` into a span tree and metrics; never raises.

    Without providers of its own it uses OpenTelemetry's global ones, which are cheap no-ops until somebody
    configures an SDK. With `settings.otlp_endpoint` it exports there itself, beside the global ones, from the first
    record on; call `close` then, so that the last records are sent.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._settings = settings
        self._enabled = settings.enabled
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._redis_up: Callable[[], bool] | None = None
        self._checks: Callable[[], Tally] | None = None
        self._memory: Callable[[], int] | None = None
        self._own: Providers | None = None
        self._sinks: _Sinks | None = None
        self._lock = threading.Lock()
        self._complained = False

    def record(
        self,
        outcome: Outcome,
        *,
        started_ns: int,
        surface: str,
        model: str,
        parent: Span | Context | None = None,
        tracer: Tracer | None = None,
        error: str | None = None,
    ) -> Trace | None:
        """Write one request's spans and metrics; what later belongs below them, if they're recorded, is returned.

        The spans start at *started_ns* (nanoseconds since the epoch), below *parent* or else the current span, and go
        through *tracer* if given. *error* is the type of an error that kept the request from being optimised at all.
        """

        def write() -> Trace | None:
            sinks = self._sinks or self._open()
            sinks.meters.record(outcome, surface=surface, model=model, error=error)
            return write_spans(
                tracer or sinks.tracer, outcome, started_ns=started_ns, surface=surface, model=model,
                parent=parent, error=error,
            )  # fmt: skip

        return self._safely(write)

    def record_reply(self, outcome: Outcome, reply: Replied) -> None:
        """Write below *outcome*'s span what an attempt to have it answered came to."""
        if outcome.trace is not None:
            self._safely(write_reply, outcome.trace, reply)

    def record_stores(self, outcome: Outcome, results: Sequence[str]) -> None:
        """Count what became of a model's reply: *results* are those of the outcome's follow-ups."""
        for result in results:
            self._count(Meters.record_store, outcome, result)

    def record_failure(self, where: str, error: BaseException) -> None:
        """Count an error that happened outside the stages, at *where* (one of few words: ``convert``, ``hook``, …)."""
        self._count(Meters.record_error, where, type(error).__name__)

    def record_check(self, kind: str, outcome: str) -> None:
        """Count what a second look at the cache came to; *kind* is shadow, judge or report."""
        self._count(Meters.record_check, kind, outcome)

    def record_check_tokens(self, kind: str, tokens: int) -> None:
        """Count what a second look of this *kind* cost."""
        self._count(Meters.record_check_tokens, kind, tokens)

    def record_summary(self, result: str) -> None:
        """Count a summary by what came of it: ``made``, ``refused:…`` with why, ``failed``."""
        self._count(Meters.record_summary, result)

    def record_summary_tokens(self, tokens: int) -> None:
        """Count what a summary cost."""
        self._count(Meters.record_summary_tokens, tokens)

    def watch_cache(self, checks: Callable[[], Tally]) -> None:
        """Have *checks* asked at each export of metrics, from any thread; it must not wait for anything."""
        self._checks = checks

    def watch_memory(self, held: Callable[[], int]) -> None:
        """Have *held* asked for bytes at each export of metrics, from any thread; it must not wait for anything."""
        self._memory = held

    def record_asked(
        self, outcome: Outcome, tools: Iterable[str], became: Literal["answered", "dropped"] = "answered"
    ) -> None:
        """Count calls of our own *tools*, by which the model asked for what *outcome* had left out."""
        for tool in tools:
            self._count(Meters.record_asked, outcome, tool, became)
            if outcome.trace is not None:
                self._safely(write_asked, outcome.trace, tool)

    def record_tools(self, events: Iterable[tuple[str, str]]) -> None:
        """Count what became of tools: (name, one of chosen, called, found, failed)."""
        for tool, what in events:
            self._count(Meters.record_tool, tool, what)

    def watch_redis(self, up: Callable[[], bool]) -> None:
        """Have *up* asked at each export of metrics, from any thread; it must not wait for anything."""
        self._redis_up = up

    def close(self) -> None:
        """Send what is waiting, and stop exporting (in at most 20 seconds; a later record starts it again).

        Providers that were handed in, or are global, stay open.
        """
        with self._lock:
            own, self._own = self._own, None
            if own is not None:
                self._sinks = None
        if own is not None:
            own.shutdown()

    def _open(self) -> _Sinks:
        with self._lock:
            if self._sinks is None:
                self._own = self._open_own()
                tracer_provider = self._own.tracer_provider if self._own else self._tracer_provider
                meter_provider = self._own.meter_provider if self._own else self._meter_provider
                tracer = trace.get_tracer(names.SCOPE, _version(), tracer_provider)
                meter = metrics.get_meter(names.SCOPE, _version(), meter_provider)
                asked = (_weakly(self._ask_redis), _weakly(self._ask_cache), _weakly(self._ask_memory))
                self._sinks = _Sinks(tracer, Meters(meter, *asked))
            return self._sinks

    def _open_own(self) -> Providers | None:
        endpoint = self._settings.otlp_endpoint
        if endpoint is None or self._tracer_provider is not None or self._meter_provider is not None:
            return None
        try:
            return open_providers(endpoint)
        except UnavailableError as error:
            logger.warning("telemetry.otlp_endpoint is set, but nothing can be sent there: %s", error)
            return None

    def _ask_redis(self) -> bool | None:
        return self._redis_up() if self._redis_up is not None else None

    def _ask_cache(self) -> Tally | None:
        return self._checks() if self._checks is not None else None

    def _ask_memory(self) -> int | None:
        return self._memory() if self._memory is not None else None

    def _count(self, record: Callable[Concatenate[Meters, P], None], *args: P.args, **kwargs: P.kwargs) -> None:
        self._safely(lambda: record((self._sinks or self._open()).meters, *args, **kwargs))

    def _safely(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What *write* gives; None where telemetry is off, or fails: that touches no request, and is said once."""
        if not self._enabled:
            return None
        try:
            return write(*args, **kwargs)
        except Exception:
            self._complain()
            return None

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("telemetry failed; requests are not affected, and this is said once", exc_info=True)


def _weakly(method: Callable[[], T | None]) -> Callable[[], T | None]:
    """*method*, without keeping its object: OpenTelemetry keeps gauges, and what they ask, for good."""
    reference = weakref.WeakMethod(method)

    def ask() -> T | None:
        found = reference()
        return found() if found is not None else None

    return ask


def _version() -> str:
    try:
        return version("litellm-tokenopt")
    except PackageNotFoundError:
        return ""
