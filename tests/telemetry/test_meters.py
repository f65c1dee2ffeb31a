"""Metrics add up what the pipeline did, with few attribute values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.cache.tally import Tally, checked
from litellm_tokenopt.context.recall import RecallMessages
from litellm_tokenopt.pipeline import Split
from litellm_tokenopt.savings import Savings
from litellm_tokenopt.telemetry import names
from litellm_tokenopt.telemetry.meters import Capped

TRIED = Split(session="0123456789abcdef", experiment="fewer tools", arm="tried")


def record(recording: Any, outcome: Any, model: str = "gpt-test") -> None:
    recording.recorder.record(outcome, started_ns=1, surface="chat", model=model)


def value(recording: Any, metric: str, **attributes: str) -> Any:
    """The one value of *metric* whose attributes include *attributes* (``_`` for ``.``)."""
    wanted = {key.replace("__", "."): text for key, text in attributes.items()}
    (found,) = [v for a, v in recording.points(metric) if wanted.items() <= a.items()]
    return found


def with_savings(outcome: Any, usd: float | None = 0.5) -> Any:
    return replace(outcome, savings=Savings(input_tokens=100, output_tokens=20, usd=usd, seconds=1.5))


async def test_what_hits_save_is_counted(recording: Any, decide: Any, stages: Any) -> None:
    """Dollars, seconds and output tokens add up; a model without a price adds no dollars."""
    outcome = await decide(stages.answers("exact"))
    record(recording, with_savings(outcome))
    record(recording, with_savings(outcome, usd=None))
    assert value(recording, "tokenopt.saved.cost") == 0.5
    assert value(recording, "tokenopt.saved.time") == 3.0
    assert value(recording, "tokenopt.saved.output_tokens") == 40


async def test_tokens_are_counted_whole_and_by_stage(recording: Any, decide: Any, stages: Any) -> None:
    """What the stages save adds up to what the request saves."""
    outcome = await decide(stages.keeps("cache", "miss"), stages.shortens("prompt"))
    record(recording, outcome)
    record(recording, outcome)
    assert value(recording, "tokenopt.tokens.before") == 2 * outcome.tokens_before
    assert value(recording, "tokenopt.tokens.after") == 2 * outcome.tokens_after
    assert value(recording, "tokenopt.tokens.saved") == 2 * outcome.tokens_saved == 200
    assert value(recording, "tokenopt.stage.tokens.saved", tokenopt__stage="prompt") == 200
    assert value(recording, "tokenopt.stage.tokens.saved", tokenopt__stage="cache") == 0


@pytest.mark.parametrize(
    ("reason", "result", "why"),
    [
        ("miss", "miss", ""),
        ("miss:cold", "miss", "cold"),
        ("rejected:numbers", "rejected", "numbers"),
        ("rejected_numbers", "rejected", "numbers"),
        ("veto:negation", "rejected", "negation"),
        ("skipped:temperature", "skipped", "temperature"),
        ("media", "skipped", "media"),
        ("missing_question", "skipped", "missing_question"),
        ("error:RedisUnavailable", "error", "RedisUnavailable"),
    ],
)
async def test_cache_lookups_are_counted_by_result(
    recording: Any, decide: Any, stages: Any, reason: str, result: str, why: str
) -> None:
    """A kept request's reason says how the look-up ended, and why."""
    record(recording, await decide(stages.keeps("cache", reason)))
    assert value(recording, "tokenopt.cache.requests", tokenopt__cache__result=result, tokenopt__reason=why) == 1


@pytest.mark.parametrize(("reason", "result"), [("exact", "hit.exact"), ("semantic", "hit.semantic")])
async def test_hits_are_counted_by_kind(recording: Any, decide: Any, stages: Any, reason: str, result: str) -> None:
    """A hit is exact or semantic, saves every token, and answers the request."""
    outcome = await decide(stages.answers(reason))
    record(recording, outcome)
    assert value(recording, "tokenopt.cache.requests", tokenopt__cache__result=result) == 1
    assert value(recording, "tokenopt.requests", tokenopt__outcome="answered") == 1
    assert value(recording, "tokenopt.tokens.saved") == outcome.tokens_before


async def test_without_a_cache_no_lookup_is_counted(recording: Any, decide: Any, stages: Any) -> None:
    """A pipeline without a cache stage leaves no cache metric."""
    record(recording, await decide(stages.shortens("prompt")))
    assert recording.points("tokenopt.cache.requests") == []


async def test_errors_are_counted_by_stage_and_type(recording: Any, decide: Any, stages: Any) -> None:
    """Errors in stages, of the whole, and outside of it are all counted."""
    outcome = await decide(stages.fails("tools", ValueError("bad")))
    record(recording, outcome)
    recording.recorder.record(outcome, started_ns=1, surface="chat", model="m", error="KeyError")
    recording.recorder.record_failure("convert", TypeError("worse"))
    errors = {(a["tokenopt.stage"], a["error.type"]): n for a, n in recording.points("tokenopt.errors")}
    assert errors == {("tools", "ValueError"): 2, ("optimize", "KeyError"): 1, ("convert", "TypeError"): 1}


async def test_an_error_that_a_stage_got_over_is_counted(recording: Any, decide: Any, stages: Any) -> None:
    """A cache that went on without its store counts as an error, though the stage did not fail."""
    record(recording, await decide(stages.keeps("cache", "miss", error="RedisUnavailable")))
    assert value(recording, "tokenopt.errors", tokenopt__stage="cache", error__type="RedisUnavailable") == 1
    assert value(recording, "tokenopt.cache.requests", tokenopt__cache__result="error") == 1


@pytest.mark.parametrize("up", [True, False])
async def test_redis_is_watched_at_each_export(recording: Any, decide: Any, up: bool) -> None:
    """Whether Redis answers is asked when metrics are read, requests or not; before it's watched nothing is said."""
    record(recording, await decide())
    assert recording.points("tokenopt.redis.up") == []
    recording.recorder.watch_redis(lambda: up)
    assert recording.points("tokenopt.redis.up") == [({}, int(up))]


async def test_durations_and_sizes_are_histograms(recording: Any, decide: Any, stages: Any) -> None:
    """Seconds and tokens fall into buckets that fit them."""
    outcome = await decide(stages.shortens("prompt"))
    record(recording, outcome)
    duration = value(recording, "tokenopt.duration")
    assert (duration.count, duration.sum) == (1, pytest.approx(outcome.seconds))
    assert tuple(duration.explicit_bounds) == names.SECOND_BUCKETS
    assert value(recording, "tokenopt.stage.duration", tokenopt__stage="prompt").count == 1
    assert value(recording, "tokenopt.request.tokens", tokenopt__point="before").sum == outcome.tokens_before
    assert value(recording, "tokenopt.request.tokens", tokenopt__point="after").sum == outcome.tokens_after


async def test_models_beyond_fifty_are_one(recording: Any, decide: Any) -> None:
    """However many models are named, metrics keep fifty apart; spans keep them all."""
    outcome = await decide()
    for number in range(60):
        record(recording, outcome, model=f"model-{number}")
    models = {a["gen_ai.request.model"]: n for a, n in recording.points("tokenopt.requests")}
    assert (len(models), models["other"]) == (51, 10)
    seen = {s.attributes["gen_ai.request.model"] for s in recording.exporter.get_finished_spans()}
    assert "model-59" in seen


@given(values=st.lists(st.text(max_size=3)), limit=st.integers(0, 4))
@settings(max_examples=50)
def test_a_cap_is_kept_and_is_stable(values: list[str], limit: int) -> None:
    """At most *limit* values pass, and a value that passed once always passes."""
    cap = Capped(limit)
    passed = [cap(value) for value in values]
    assert len({p for p, v in zip(passed, values, strict=True) if p == v and p != names.OTHER}) <= limit
    assert [cap(value) for value in values] == [
        p if p != names.OTHER else cap(v) for p, v in zip(passed, values, strict=True)
    ]


async def test_compressions_and_sides_are_counted(recording: Any, decide: Any, stages: Any) -> None:
    """Passages that were taken and refused add up, and a request's side of an experiment is an attribute."""
    outcome = await decide(stages.shortens("prompt", squeezed=2, squeeze_refused=1, kept_facts=0.9))
    record(recording, outcome)
    record(recording, replace(outcome, split=TRIED))
    assert value(recording, "tokenopt.compressions", tokenopt__outcome="taken", tokenopt__arm="tried") == 2
    assert value(recording, "tokenopt.compressions", tokenopt__outcome="refused", tokenopt__arm="tried") == 1
    assert value(recording, "tokenopt.requests", tokenopt__arm="tried") == 1
    recording.recorder.record_asked(replace(outcome, split=TRIED), ["tokenopt_recall"])
    assert value(recording, "tokenopt.asked", tokenopt__arm="tried", gen_ai__tool__name="tokenopt_recall") == 1


async def test_conversations_are_counted(recording: Any, decide: Any, stages: Any) -> None:
    """Sizes, what was done, and who may ask back are counted for each request; levels where an epoch begins."""
    known = {"messages_cut": 7, "recalled": 1, "critical": 3, "important": 2, "background": 6}
    cut = replace(await decide(stages.shortens("context", "cut", **known)), offers=(RecallMessages(),))
    for outcome in (cut, await decide(stages.shortens("context", "stable", condensed=4, **known))):
        record(recording, outcome)
    levels = {a["tokenopt.level"]: n for a, n in recording.points("tokenopt.context.levels")}
    assert levels == {"critical": 3, "important": 2, "background": 6}
    done = {a["tokenopt.outcome"]: n for a, n in recording.points("tokenopt.context.messages")}
    assert done == {"cut": 14, "condensed": 4, "recalled": 2}
    reasons = {a["tokenopt.reason"]: n for a, n in recording.points("tokenopt.context.requests")}
    assert reasons == {"cut": 1, "stable": 1}
    assert value(recording, "tokenopt.context.tokens", tokenopt__point="before").sum == 2 * cut.tokens_before
    assert value(recording, "tokenopt.context.tokens", tokenopt__point="after").sum == 2 * cut.tokens_after
    assert value(recording, "tokenopt.offered", gen_ai__tool__name="tokenopt_recall") == 1


async def test_summaries_are_counted(recording: Any) -> None:
    """By what came of them, and what they cost."""
    for result in ("made", "refused:invented", "refused:long", "failed", "made"):
        recording.recorder.record_summary(result)
    recording.recorder.record_summary_tokens(900)
    found = {
        (a["tokenopt.outcome"], a["tokenopt.reason"]): n for a, n in recording.points("tokenopt.context.summaries")
    }
    assert found == {("made", ""): 2, ("refused", "invented"): 1, ("refused", "long"): 1, ("failed", ""): 1}
    assert value(recording, "tokenopt.context.summary.tokens") == 900


async def test_memory_is_told_at_each_export(recording: Any, decide: Any) -> None:
    """What conversations hold is asked for when metrics are read; before it's watched nothing is said."""
    held = [0]
    record(recording, await decide())
    assert recording.points("tokenopt.context.memory") == []
    recording.recorder.watch_memory(lambda: held[0])
    held[0] = 4_096
    assert recording.points("tokenopt.context.memory") == [({}, 4_096)]


async def test_metrics_carry_no_other_names_than_listed(recording: Any, decide: Any, stages: Any) -> None:
    """Every metric and attribute that is recorded is listed in names.py, with its unit and description."""
    recording.recorder.watch_redis(lambda: True)
    recording.recorder.watch_memory(lambda: 4_096)
    outcome = await decide(stages.keeps("cache", "miss"), stages.fails("tools", ValueError()))
    record(recording, outcome)
    record(recording, with_savings(outcome))
    record(
        recording,
        replace(await decide(stages.shortens("prompt", squeezed=1, kept_facts=0.9, beyond_budget=70)), split=TRIED),
    )
    cut = await decide(stages.shortens("context", "cut", messages_cut=2, recalled=1, critical=3))
    record(recording, replace(cut, offers=(RecallMessages(),)))
    recording.recorder.record_stores(outcome, ("stored",))
    recording.recorder.record_asked(outcome, ["tokenopt_find_tools"])
    recording.recorder.record_tools([("get_weather", "called")])
    recording.recorder.watch_cache(lambda: checked(Tally(), "different", 20_000, 0.01))
    recording.recorder.record_check("shadow", "different")
    recording.recorder.record_check("judge", "same")
    recording.recorder.record_check_tokens("judge", 90)
    recording.recorder.record_summary("refused:invented")
    recording.recorder.record_summary_tokens(900)
    data = recording.reader.get_metrics_data()
    seen = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    known = {m.name: (m.unit, m.description) for m in names.METRICS}
    assert {m.name: (m.unit, m.description) for m in seen} == known
    assert {key for m in seen for p in m.data.data_points for key in p.attributes} <= names.METRIC_ATTRIBUTES


@pytest.mark.parametrize(
    ("said", "result", "why"),
    [
        ("stored", "stored", ""),
        ("skip:tool_calls", "skipped", "tool_calls"),
        ("error:RedisUnavailable", "error", "RedisUnavailable"),
    ],
)
async def test_replies_are_counted_by_what_became_of_them(
    recording: Any, decide: Any, stages: Any, said: str, result: str, why: str
) -> None:
    """Whether a reply was stored is counted, and why not; an error on the way is an error too."""
    outcome = await decide(stages.keeps("cache", "miss"))
    recording.recorder.record_stores(outcome, (said,))
    assert value(recording, "tokenopt.cache.stores", tokenopt__cache__result=result, tokenopt__reason=why) == 1
    errors = [(a["tokenopt.stage"], a["error.type"]) for a, _ in recording.points("tokenopt.errors")]
    assert errors == ([("store", why)] if result == "error" else [])


async def test_the_wrong_rate_is_shown_with_its_interval(recording: Any, decide: Any) -> None:
    """One gauge gives the observed share and both bounds; without checks it gives nothing."""
    known = [Tally()]
    recording.recorder.watch_cache(lambda: known[0])
    record(recording, await decide())
    assert recording.points("tokenopt.cache.wrong_rate") == []
    for outcome in ("same", "same", "same", "different"):
        known[0] = checked(known[0], outcome, 20_000, 0.5)
    shown = {a["tokenopt.bound"]: v for a, v in recording.points("tokenopt.cache.wrong_rate")}
    assert shown["lower"] < shown["observed"] == 0.25 < shown["upper"]
    assert value(recording, "tokenopt.cache.tightening") == 0.0
