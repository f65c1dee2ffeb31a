"""`tokenopt report`: what a collector's trace file says of the traffic, and of an experiment."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from litellm_tokenopt.cli import main
from litellm_tokenopt.evaluation.observation import Passages, from_spans
from litellm_tokenopt.evaluation.spans import read_spans
from litellm_tokenopt.pipeline import Arm, Outcome, Split, Step
from litellm_tokenopt.request import ChatRequest
from litellm_tokenopt.settings import TelemetrySettings
from litellm_tokenopt.stage import Change, Keep
from litellm_tokenopt.telemetry import Recorder
from litellm_tokenopt.telemetry.spans import Replied

REQUEST = ChatRequest(model="m", messages=({"role": "user", "content": "A secret question"},))
SQUEEZED = {"squeezed": 2, "squeeze_refused": 1, "kept_facts": 0.9, "kept_words": 0.8, "ratio": 0.5}


def outcome_of(arm: Arm, session: int, after: int) -> Outcome:
    steps = (
        Step("cache", Keep("miss"), 100, 100, 0.001),
        Step("prompt", Change(REQUEST, "squeezed", detail=SQUEEZED), 100, after, 0.002),
    )
    return Outcome(
        original=REQUEST, request=REQUEST, steps=steps, tokens_before=100, tokens_after=after, seconds=0.003,
        split=Split(session=f"{arm}{session}", experiment="shorter", arm=arm),
    )  # fmt: skip


def written(path: Path, *batches: Sequence[Any]) -> Path:
    """Spans as a collector's file exporter writes them."""
    lines = (json.dumps(_hexed(MessageToDict(encode_spans(batch)))) for batch in batches)
    path.write_text("".join(line + "\n" for line in lines))
    return path


def _hexed(value: Any) -> Any:
    """Protobuf's JSON has base64 where OTLP's has hexadecimal digits."""
    if isinstance(value, list):
        return [_hexed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        k: base64.b64decode(v).hex() if k in ("traceId", "spanId", "parentSpanId") else _hexed(v)
        for k, v in value.items()
    }


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty sessions of two requests on each side; the tried one sends less, costs less, and is asked back more."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    recorder = Recorder(TelemetrySettings(), tracer_provider=provider, meter_provider=MeterProvider())
    sides: tuple[tuple[Arm, int], ...] = (("base", 60), ("tried", 20))
    now = time.time_ns()
    for arm, after in sides:
        for number in range(40):
            outcome = outcome_of(arm, number // 2, after + number % 3)
            trace = recorder.record(outcome, started_ns=now, surface="chat", model="m")
            outcome = replace(outcome, trace=trace)
            if arm == "tried":
                recorder.record_asked(outcome, ["tokenopt_recall"])
            failed = Replied(started_ns=now, ended_ns=now + 10**9, error="Timeout")
            recorder.record_reply(outcome, failed)
            recorder.record_reply(outcome, Replied(started_ns=now + 10**9, ended_ns=now + 3 * 10**9, usd=after / 1e4))
    spans = exporter.get_finished_spans()
    # A batch that the collector was sent twice, and replies that come in an earlier one than what they belong to.
    return written(tmp_path_factory.mktemp("traces") / "traces.jsonl", spans[::-1], spans[:7])


def test_what_a_file_says(traces: Path) -> None:
    """Sessions, sides, passages and what came of the replies are read; nothing counts twice."""
    faults: list[str] = []
    seen = from_spans(read_spans(traces, faults))
    assert (len(seen), faults) == (80, [])
    last = seen[-1]
    assert (last.experiment, last.mode, last.cache, last.tokens_after) == ("shorter", "on", "miss", last.tokens_after)
    assert [stage.stage for stage in last.stages] == ["cache", "prompt"]
    assert last.stages[1].passages == Passages(taken=2, refused=1, kept_facts=0.9, kept_words=0.8, ratio=0.5)
    assert {(one.arm, one.usd, one.seconds, one.failed, one.asked) for one in seen} == {
        ("base", 0.006, 3.0, False, 0), ("tried", 0.002, 3.0, False, 1),
    }  # fmt: skip
    assert "secret" not in traces.read_text()


def test_the_command_reports_both_sides(traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command gives tables, JSON and a page with a plot, from the live traffic's traces."""
    page = tmp_path / "report.html"
    assert main(["report", str(traces), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "Side 'tried': better in tokens saved, 1,000 requests; worse in asked back; no telling yet in" in " ".join(
        shown.split()
    )
    assert main(["report", str(traces), "--json", "--since", "1h"]) == 0
    told = json.loads(capsys.readouterr().out)
    (experiment,) = told["experiments"]
    assert [side["sessions"] for side in experiment["sides"]] == [20, 20]
    assert told["passages"] | {"taken": 160, "refused": 80, "facts_least": 0.9, "ratio_mean": 0.5} == told["passages"]
    assert '<g class="better">' in page.read_text()
    assert '<g class="worse">' in page.read_text()


def test_wrong_files_are_said(traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is cut off is an error beside the report; a file without requests, or a wrong age, is one alone."""
    cut = tmp_path / "cut.jsonl"
    cut.write_text(traces.read_text() + '{"resourceSpans": [{"scopeSp\n{"spans": 1}\n')
    assert main(["report", str(cut)]) == 1
    errors = capsys.readouterr().err
    assert "cut.jsonl:3: not JSON" in errors
    assert "cut.jsonl:4: not OTLP's JSON" in errors
    (tmp_path / "empty.jsonl").write_text("")
    for arguments, complaint in (
        ([str(tmp_path / "empty.jsonl")], "no request of ours in"),
        ([str(tmp_path / "nowhere.jsonl")], "can't be read"),
        ([str(traces), "--since", "soon"], "--since is 'soon'"),
    ):
        assert main(["report", *arguments]) == 1
        assert complaint in capsys.readouterr().err
