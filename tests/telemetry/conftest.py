"""Outcomes of a real pipeline, a recorder whose spans and points can be read, and a real collector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from litellm_tokenopt.evaluation.collector import Collector
from litellm_tokenopt.pipeline import Mode, Outcome, Pipeline
from litellm_tokenopt.request import ChatRequest, Reply
from litellm_tokenopt.settings import TelemetrySettings
from litellm_tokenopt.stage import Answer, Change, Keep, Verdict
from litellm_tokenopt.telemetry import Recorder

QUESTION = {"role": "user", "content": "How do I enable two-factor authentication?"}
LONG = {"role": "system", "content": "You are a helpful assistant. " * 20}
REPLY = Reply(text="Open Settings.", finish="stop", has_tool_calls=False, payload={})


@dataclass(frozen=True)
class Stub:
    """A stage that decides what it's told to; an exception is raised."""

    name: str
    decide: Callable[[ChatRequest], Verdict]

    async def __call__(self, request: ChatRequest) -> Verdict:
        return self.decide(request)


def keeps(name: str, reason: str, **detail: str | int | float) -> Stub:
    return Stub(name, lambda _: Keep(reason, detail=detail))


def shortens(name: str, reason: str = "shortened", **detail: str | int | float) -> Stub:
    return Stub(name, lambda r: Change(r.with_(messages=r.messages[-1:]), reason, detail=detail))


def answers(reason: str, **detail: str | int | float) -> Stub:
    return Stub("cache", lambda _: Answer(REPLY, reason, detail=detail))


def fails(name: str, error: Exception) -> Stub:
    def decide(_: ChatRequest) -> Verdict:
        raise error

    return Stub(name, decide)


async def count(request: ChatRequest) -> int:
    return sum(len(message["content"].split()) for message in request.messages)


Decide = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def decide() -> Decide:
    """Takes a request through stubbed stages in a real pipeline."""

    async def run(*stages: Stub, model: str = "gpt-test", mode: Mode = "on") -> Outcome:
        request = ChatRequest(model=model, messages=(LONG, QUESTION))
        return replace(await Pipeline(stages, counter=lambda: count).before(request), mode=mode)

    return run


@pytest.fixture
def stages() -> Any:
    """Makers of stubbed stages."""

    class Makers:
        keeps, shortens, answers, fails = (staticmethod(f) for f in (keeps, shortens, answers, fails))

    return Makers


@dataclass
class Recording:
    """A recorder on a real SDK that keeps everything in memory."""

    settings: TelemetrySettings = field(default_factory=TelemetrySettings)

    def __post_init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider(metric_readers=[self.reader])
        self.recorder = Recorder(
            self.settings, tracer_provider=self.tracer_provider, meter_provider=self.meter_provider
        )

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def points(self, metric: str) -> list[tuple[dict[str, Any], Any]]:
        """(attributes, value or histogram point) of each series of *metric*."""
        data = self.reader.get_metrics_data()
        found = [
            m
            for r in (data.resource_metrics if data else ())
            for s in r.scope_metrics
            for m in s.metrics
            if m.name == metric
        ]
        return [(dict(p.attributes or {}), getattr(p, "value", p)) for m in found for p in m.data.data_points]


@pytest.fixture
def recording() -> Iterator[Recording]:
    made = Recording()
    yield made
    made.tracer_provider.shutdown()
    made.meter_provider.shutdown()


@pytest.fixture
def silent_recording() -> Recording:
    """A recording whose recorder is switched off."""
    return Recording(TelemetrySettings(enabled=False))


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A real collector process."""
    with Collector() as running:
        yield running
