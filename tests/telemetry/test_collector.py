"""What is recorded arrives at a real OpenTelemetry collector."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from litellm_tokenopt.evaluation.collector import Collector
from litellm_tokenopt.settings import TelemetrySettings
from litellm_tokenopt.telemetry import Recorder


async def test_spans_and_metrics_arrive(collector: Collector, decide: Any, stages: Any) -> None:
    """With an endpoint in the settings the recorder exports there itself: names, parents, attributes and totals."""
    recorder = Recorder(TelemetrySettings(otlp_endpoint=collector.endpoint))
    started = time.time_ns()
    for outcome in (
        await decide(stages.keeps("cache", "rejected:numbers", similarity=0.9), stages.shortens("prompt", kept=2)),
        await decide(stages.answers("semantic", similarity=0.95)),
        await decide(stages.fails("cache", ConnectionError("away")), stages.shortens("prompt")),
    ):
        recorder.record(outcome, started_ns=started, surface="chat", model="gpt-arrives")
    recorder.close()
    collector.wait_for("tokenopt.optimize", "tokenopt.stage.prompt", "tokenopt.requests", "tokenopt.errors")

    roots = [s for s in collector.spans() if s["attributes"].get("gen_ai.request.model") == "gpt-arrives"]
    assert [s["name"] for s in roots] == ["tokenopt.optimize"] * 3
    assert {s["parent_span_id"] for s in roots} == {""}
    assert [s["attributes"]["tokenopt.cache.hit"] for s in roots].count(True) == 1
    assert {s["start_ns"] for s in roots} == {started}
    trace = {s["trace_id"]: s["span_id"] for s in roots}
    children = [s for s in collector.spans() if s["trace_id"] in trace and s["parent_span_id"]]
    assert sorted(s["name"] for s in children) == ["tokenopt.stage.cache"] * 3 + ["tokenopt.stage.prompt"] * 2
    assert all(s["parent_span_id"] == trace[s["trace_id"]] for s in children)
    assert [s["status"]["message"] for s in children if s["status"]["code"] == "error"] == ["ConnectionError"]
    assert any(s["attributes"].get("tokenopt.detail.kept") == 2 for s in children)
    assert {s["resource"]["service.name"] for s in roots} == {"litellm-tokenopt"}

    points = [p for p in collector.metrics() if p["attributes"].get("gen_ai.request.model") == "gpt-arrives"]
    saved = [p["value"] for p in points if p["name"] == "tokenopt.tokens.saved"]
    assert saved == [100 + 106 + 100]
    results = {
        p["attributes"]["tokenopt.cache.result"]: p["value"] for p in points if p["name"] == "tokenopt.cache.requests"
    }
    assert results == {"rejected": 1, "hit.semantic": 1, "error": 1}
    (duration,) = [p for p in points if p["name"] == "tokenopt.duration"]
    assert (duration["count"], duration["unit"], sum(duration["buckets"])) == (3, "s", 3)


async def test_a_closed_recorder_starts_again(collector: Collector, decide: Any) -> None:
    """Closing sends what is waiting; a record after that opens a new connection."""
    recorder = Recorder(TelemetrySettings(otlp_endpoint=collector.endpoint))
    outcome = await decide()
    for model in ("first-life", "second-life"):
        recorder.record(outcome, started_ns=time.time_ns(), surface="chat", model=model)
        recorder.close()
        await asyncio.to_thread(_wait_for_model, collector, model)


PROGRAM = """
import time
from opentelemetry import trace
from litellm_tokenopt.pipeline import Outcome
from litellm_tokenopt.request import ChatRequest
from litellm_tokenopt.settings import TelemetrySettings
from litellm_tokenopt.telemetry import Recorder, configure

recorder = Recorder(TelemetrySettings())
shutdown = configure()
assert shutdown.installed is not None
assert configure().installed is None
outcome = Outcome(original=(request := ChatRequest(model="gpt-configured", messages=())), request=request)
with trace.get_tracer("app").start_as_current_span("app-span"):
    recorder.record(outcome, started_ns=time.time_ns(), surface="chat", model="gpt-configured")
shutdown()
"""


def test_configure_serves_programs_without_an_sdk(collector: Collector) -> None:
    """`configure` installs global providers once, that take endpoint and name from OpenTelemetry's own variables.

    Each process sends under an instance id of its own, so that workers' counters add up and don't overwrite each other.
    """
    environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_SERVICE_NAME": "shop"}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60)
    collector.wait_for("app-span")
    apps = {s["trace_id"]: s for s in _spans_of(collector, "app-span", 2)}
    ours = [s for s in collector.spans() if s["attributes"].get("gen_ai.request.model") == "gpt-configured"]
    assert all(s["parent_span_id"] == apps[s["trace_id"]]["span_id"] for s in ours)
    assert {s["resource"]["service.name"] for s in ours} == {"shop"}
    assert len({s["resource"]["service.instance.id"] for s in ours}) == len(ours) == 2


def test_a_closed_collector_leaves_no_process() -> None:
    """What arrived can be read after the collector is closed; its process is gone."""
    with Collector() as collector:
        process = collector._process
        assert process is not None
        assert process.poll() is None
    assert process.poll() is not None
    assert (collector.spans(), collector.metrics()) == ([], [])


def _wait_for_model(collector: Collector, model: str) -> None:
    _until(lambda: any(s["attributes"].get("gen_ai.request.model") == model for s in collector.spans()))


def _spans_of(collector: Collector, name: str, count: int) -> list[dict[str, Any]]:
    _until(lambda: sum(s["name"] == name for s in collector.spans()) >= count)
    return [s for s in collector.spans() if s["name"] == name]


def _until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not arrive"
        time.sleep(0.02)
