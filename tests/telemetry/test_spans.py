"""Each request leaves one span, and below it one for each stage."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode, set_span_in_context

STARTED = 1_790_000_000_000_000_000


async def test_a_request_is_one_span_with_a_child_for_each_stage(recording: Any, decide: Any, stages: Any) -> None:
    """The stages' spans are children of tokenopt.optimize, in the order in which they ran."""
    outcome = await decide(stages.keeps("cache", "miss"), stages.shortens("prompt"))
    recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="gpt-test")
    spans = recording.spans()
    root = spans["tokenopt.optimize"]
    assert set(spans) == {"tokenopt.optimize", "tokenopt.stage.cache", "tokenopt.stage.prompt"}
    assert root.parent is None
    for name in ("tokenopt.stage.cache", "tokenopt.stage.prompt"):
        assert spans[name].parent.span_id == root.context.span_id
    assert spans["tokenopt.stage.cache"].end_time <= spans["tokenopt.stage.prompt"].start_time


async def test_the_spans_tell_tokens_verdicts_and_details(recording: Any, decide: Any, stages: Any) -> None:
    """Model, surface, mode and token counts are on the request's span; verdict, reason and detail on the stage's."""
    outcome = await decide(stages.keeps("cache", "miss"), stages.shortens("prompt", "sections", kept=3), mode="shadow")
    recording.recorder.record(outcome, started_ns=STARTED, surface="messages", model="gpt-test")
    spans = recording.spans()
    root, stage = spans["tokenopt.optimize"].attributes, spans["tokenopt.stage.prompt"].attributes
    assert root["gen_ai.request.model"] == "gpt-test"
    assert (root["tokenopt.surface"], root["tokenopt.mode"], root["tokenopt.outcome"]) == (
        "messages",
        "shadow",
        "changed",
    )
    assert root["tokenopt.tokens.before"] - root["tokenopt.tokens.after"] == root["tokenopt.tokens.saved"] == 100
    assert root["tokenopt.cache.hit"] is False
    assert (stage["tokenopt.stage"], stage["tokenopt.verdict"], stage["tokenopt.reason"]) == (
        "prompt",
        "change",
        "sections",
    )
    assert stage["tokenopt.tokens.before"] > stage["tokenopt.tokens.after"]
    assert stage["tokenopt.detail.kept"] == 3


async def test_times_are_those_of_the_outcome(recording: Any, decide: Any, stages: Any) -> None:
    """A span starts and ends when the work did, not when it's recorded."""
    outcome = await decide(stages.keeps("cache", "miss"))
    recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="m")
    root, stage = (recording.spans()[f"tokenopt.{name}"] for name in ("optimize", "stage.cache"))
    assert root.start_time == STARTED
    # Differences first: a float is too coarse for nanoseconds since 1970.
    assert root.end_time - STARTED == pytest.approx(outcome.seconds * 1e9, abs=2)
    assert root.start_time <= stage.start_time <= stage.end_time <= root.end_time + 2
    assert stage.end_time - stage.start_time == pytest.approx(outcome.steps[0].seconds * 1e9, abs=2)


async def test_a_semantic_hit_tells_its_similarity(recording: Any, decide: Any, stages: Any) -> None:
    """An answered request is a hit, with the similarity that was found."""
    outcome = await decide(stages.answers("semantic", similarity=0.93))
    recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="m")
    root = recording.spans()["tokenopt.optimize"].attributes
    assert root["tokenopt.cache.hit"] is True
    assert (root["tokenopt.cache.result"], root["tokenopt.cache.similarity"]) == ("hit.semantic", 0.93)
    assert root["tokenopt.outcome"] == "answered"


async def test_a_failed_stage_marks_its_own_span(recording: Any, decide: Any, stages: Any) -> None:
    """The stage's span has an error status and type; the request's has not, because the request passed on."""
    outcome = await decide(stages.fails("tools", ValueError("bad")), stages.keeps("context", "small"))
    recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="m")
    spans = recording.spans()
    assert spans["tokenopt.stage.tools"].status.status_code is StatusCode.ERROR
    assert spans["tokenopt.stage.tools"].attributes["error.type"] == "ValueError"
    assert spans["tokenopt.stage.context"].status.status_code is StatusCode.UNSET
    assert spans["tokenopt.optimize"].status.status_code is StatusCode.UNSET


async def test_an_error_of_the_whole_marks_the_request(recording: Any, decide: Any) -> None:
    """An error that kept the request from being optimised marks its span."""
    recording.recorder.record(await decide(), started_ns=STARTED, surface="chat", model="m", error="KeyError")
    root = recording.spans()["tokenopt.optimize"]
    assert root.status.status_code is StatusCode.ERROR
    assert (root.attributes["error.type"], root.attributes["tokenopt.outcome"]) == ("KeyError", "error")


@pytest.mark.parametrize("wrap", [lambda span: span, set_span_in_context], ids=["span", "context"])
async def test_a_parent_is_a_span_or_a_context(recording: Any, decide: Any, wrap: Any) -> None:
    """The request's span goes below the parent that is given, in its trace."""
    with recording.tracer_provider.get_tracer("proxy").start_as_current_span("POST /chat/completions") as server:
        parent = wrap(server)
    recording.recorder.record(await decide(), started_ns=STARTED, surface="chat", model="m", parent=parent)
    root = recording.spans()["tokenopt.optimize"]
    assert root.parent.span_id == server.get_span_context().span_id
    assert root.context.trace_id == server.get_span_context().trace_id


async def test_the_current_span_is_the_parent_when_none_is_given(recording: Any, decide: Any) -> None:
    """The request's span goes below the program's own open span; an empty context makes it a root."""
    outcome = await decide()
    with recording.tracer_provider.get_tracer("app").start_as_current_span("handle") as current:
        recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="m")
        assert recording.spans()["tokenopt.optimize"].parent.span_id == current.get_span_context().span_id
        recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="m", parent=Context())
    assert recording.spans()["tokenopt.optimize"].parent is None


async def test_a_given_tracer_is_used(recording: Any, decide: Any, stages: Any) -> None:
    """All spans of a request go through the tracer that is handed in, so that one exporter gets them."""
    theirs = recording.tracer_provider.get_tracer("litellm")
    outcome = await decide(stages.keeps("cache", "miss"))
    recording.recorder.record(outcome, started_ns=STARTED, surface="chat", model="m", tracer=theirs)
    assert {span.instrumentation_scope.name for span in recording.spans().values()} == {"litellm"}
