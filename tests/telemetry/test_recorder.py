"""The recorder costs little, and never gets in a request's way."""

from __future__ import annotations

import logging
import subprocess
import sys
from time import perf_counter
from typing import Any

import pytest
from opentelemetry.trace import TracerProvider

from litellm_tokenopt.settings import TelemetrySettings
from litellm_tokenopt.telemetry import Recorder


async def test_switched_off_it_writes_nothing(silent_recording: Any, decide: Any, stages: Any) -> None:
    """With telemetry.enabled false there are no spans and no metrics."""
    silent_recording.recorder.record(
        await decide(stages.keeps("cache", "miss")), started_ns=1, surface="chat", model="m"
    )
    silent_recording.recorder.record_failure("hook", ValueError())
    assert silent_recording.spans() == {}
    assert silent_recording.points("tokenopt.requests") == []


async def test_without_an_sdk_it_costs_next_to_nothing(decide: Any, stages: Any) -> None:
    """On OpenTelemetry's bare API a request takes 13 microseconds; the limit leaves room for a busy machine."""
    recorder = Recorder(TelemetrySettings())
    outcome = await decide(*(stages.keeps(name, "kept") for name in ("cache", "tools", "prompt", "context")))
    rounds = []
    for _ in range(20):
        start = perf_counter()
        for _ in range(50):
            recorder.record(outcome, started_ns=1, surface="chat", model="m")
        rounds.append((perf_counter() - start) / 50)
    assert min(rounds) < 60e-6


async def test_it_never_raises_and_says_so_once(decide: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A broken OpenTelemetry set-up is logged the first time, and never reaches the request."""

    class Broken(TracerProvider):
        def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no tracer today")

    recorder = Recorder(TelemetrySettings(), tracer_provider=Broken())
    outcome = await decide()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            recorder.record(outcome, started_ns=1, surface="chat", model="m")
            recorder.record_failure("hook", ValueError())
    assert [record.message for record in caplog.records] == [
        "telemetry failed; requests are not affected, and this is said once"
    ]


def test_importing_it_brings_no_sdk() -> None:
    """A program that doesn't trace pays for the API alone."""
    code = """
import sys, litellm_tokenopt.telemetry
print([name for name in sys.modules if "opentelemetry.sdk" in name or "otlp" in name])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
