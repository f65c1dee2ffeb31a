"""What came of each call is written below its span, by whatever way it came: its price, its time, and how it failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import litellm
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.agent import TOOLS, question
from support.entry_points import ENTRY_POINTS, NOT_KEPT, chat, read

import litellm_tokenopt
from litellm_tokenopt.evaluation.observation import Observation, from_spans
from litellm_tokenopt.evaluation.script import script_of
from litellm_tokenopt.settings import TelemetrySettings
from litellm_tokenopt.telemetry import Recorder

SETTINGS = {
    "redis": {"url": "embedded"}, "time_budget_seconds": 60, "experiment": {"name": "x", "settings": {"tools": {}}},
}  # fmt: skip
FIND = {"name": "tokenopt_find_tools", "arguments": {"query": f"I need {TOOLS[-1]['function']['name']}"}}


CALLS = {**ENTRY_POINTS, **NOT_KEPT}


@pytest.fixture(scope="module", autouse=True)
def off_afterwards():
    """The plugin stays on from test to test here: what they ask differs, and its models are loaded once."""
    yield
    litellm_tokenopt.disable()


@pytest.fixture(scope="module")
def exporter(redis_server, off_afterwards) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    plugin = litellm_tokenopt.enable(SETTINGS).plugin
    plugin.optimizer.recorder = Recorder(
        TelemetrySettings(), tracer_provider=provider, meter_provider=MeterProvider()
    )  # fmt: skip
    return exporter


@pytest.fixture
def told(exporter) -> Iterator[Callable[[int], list[Observation]]]:
    """Waits for LiteLLM's logging threads: what is written of so many requests once their replies are."""
    exporter.clear()

    def wait(requests: int) -> list[Observation]:
        deadline = time.monotonic() + 10
        while True:
            found = from_spans(map(as_read, exporter.get_finished_spans()))
            if len(found) >= requests and all(one.failed is not None for one in found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    yield wait
    exporter.clear()


def ask(name, server, loop, asked=None):
    """Ask from a thread without a loop, or from the application's loop."""

    async def ask_there():
        return await read(CALLS[name](asked or question(), server))

    if name[0] == "a" or name.startswith(("messages", "Router.a")):
        loop.run(ask_there())
    else:
        asyncio.run(ask_there())


def as_read(span):
    """A span as a collector's reader gives it."""
    return {
        "name": span.name, "span_id": str(span.context.span_id), "start_ns": span.start_time, "end_ns": span.end_time,
        "parent_span_id": str(span.parent.span_id) if span.parent else "", "attributes": dict(span.attributes or {}),
    }  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_every_way_in(name, told, server, loop):
    """One request is one observation: with a price, a time, no failure, a session and its side.

    LiteLLM knows no price of a stream that tells no usage: then none is told.
    """
    ask(name, server, loop)
    time.sleep(0.1)  # a second word on the same call would come now
    (seen,) = told(1)
    assert "stream" in name if seen.usd is None else seen.usd > 0
    assert seen.seconds is not None
    assert 0 < seen.seconds < 60
    assert (seen.failed, seen.asked, seen.experiment) == (False, 0, "x")
    assert seen.arm in ("base", "tried")
    assert len(seen.session) == 16


def test_a_hit_costs_nothing(told, server):
    """An answer from the cache has a reply at no price."""
    asked = question()
    for _ in range(2):
        litellm.completion(model="openai/gpt-4o", **chat(asked, server))
    paid, hit = told(2)
    assert (paid.cache, hit.cache) == ("miss", "exact")
    assert (paid.usd or 0) > 0
    assert hit.usd == 0


@pytest.mark.parametrize("name", ["completion", "acompletion", "messages", "aresponses, stream"])
def test_what_is_asked_back_is_counted(name, told, server, loop):
    """The model's calls of our own tools are counted with the request that had left something out."""
    asked = question()
    server.model.script = script_of({asked: [{"calls": [FIND]}, "Found."]})
    ask(name, server, loop, asked)
    server.model.script = {}
    (seen,) = told(1)
    assert (seen.asked, seen.failed) == (1, False)


@pytest.mark.parametrize("sync", [True, False])
def test_a_failed_call_is_told(sync, told, server, loop):
    """A call that fails has its failure beside what was decided, and no price."""
    given = {**chat(question(), server), "api_base": f"{server.url}/nowhere", "max_retries": 0}
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(model="openai/gpt-4o", **given) if sync else loop.run(
            litellm.acompletion(model="openai/gpt-4o", **given)
        )
    (seen,) = told(1)
    assert (seen.failed, seen.usd) == (True, None)
