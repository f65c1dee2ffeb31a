"""The pipeline runs each stage once, writes down what it did, and never loses a request."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.pipeline import Pipeline
from litellm_tokenopt.request import ChatRequest, Reply
from litellm_tokenopt.stage import Answer, Change, Keep, Wait

REQUEST = ChatRequest(model="m", messages=({"role": "user", "content": "one two three"},))
REPLY = Reply(text="hi", finish="stop", has_tool_calls=False, payload={})


class Says:
    """A stage that gives a verdict, or raises."""

    def __init__(self, name, verdict):
        self.name, self._verdict, self.asked = name, verdict, []

    async def __call__(self, request):
        self.asked.append(request)
        if isinstance(self._verdict, BaseException):
            raise self._verdict
        return self._verdict(request) if callable(self._verdict) else self._verdict


async def count(request):
    return sum(len(message["content"].split()) for message in request.messages)


def said(text):
    return REQUEST.with_(messages=({"role": "user", "content": text},))


def pipeline(*stages, **more):
    return Pipeline(stages, counter=lambda: count, **more)


async def test_each_stage_sees_what_the_one_before_left():
    """A change is what the next stage works on, and what is sent in the end."""
    second = Says("b", Keep("kept"))
    outcome = await pipeline(Says("a", Change(said("one"), "cut")), second).before(REQUEST)
    assert second.asked == [said("one")] == [outcome.request]
    assert outcome.original is REQUEST
    assert [(s.stage, s.verdict.reason, s.tokens_before, s.tokens_after) for s in outcome.steps] == [
        ("a", "cut", 3, 1),
        ("b", "kept", 1, 1),
    ]


async def test_an_answer_ends_it():
    """Nothing behind an answer runs, and nothing is left to do afterwards."""
    late = Says("late", Keep("kept"))
    outcome = await pipeline(Says("a", Answer(REPLY, "exact")), late).before(REQUEST)
    assert outcome.reply is REPLY
    assert late.asked == []
    assert (outcome.tokens_before, outcome.tokens_after, outcome.followups) == (3, 0, ())


@pytest.mark.parametrize("error", [ValueError("boom"), KeyError("x"), RecursionError(), TimeoutError()])
async def test_a_failing_stage_costs_tokens_and_never_the_request(error, caplog):
    """The request goes on as it was; the failure is logged and becomes the step's reason."""
    with caplog.at_level(logging.WARNING):
        outcome = await pipeline(Says("bad", error), Says("good", Change(said("one"), "cut"))).before(REQUEST)
    assert outcome.steps[0].verdict.reason.startswith("error:")
    assert outcome.request == said("one")
    assert "bad" in caplog.text


async def test_what_goes_wrong_is_said_once(caplog):
    """Each kind of failure of each stage is one warning, however many requests it befalls; the steps tell of all."""

    async def fail(reply):
        raise OSError("disk full")

    line = pipeline(Says("a", ValueError("boom")), Says("b", ValueError("bang")), Says("c", Keep("miss", then=fail)))
    with caplog.at_level(logging.WARNING):
        outcomes = [await line.before(REQUEST) for _ in range(3)]
        told = [await line.after(outcome, REPLY) for outcome in outcomes]
    assert len(caplog.records) == 3
    assert all(outcome.steps[0].verdict.reason == "error:ValueError" for outcome in outcomes)
    assert told == [("error:OSError",)] * 3


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), asyncio.CancelledError()])
async def test_cancellation_and_interrupts_pass_through(signal):
    """Failing open does not mean swallowing what stops the program."""
    with pytest.raises(type(signal)):
        await pipeline(Says("a", signal)).before(REQUEST)


async def test_a_stage_beyond_the_time_budget_is_dropped():
    """One slow stage can't hold a request up; the quick ones before it count."""

    class Slow:
        name = "slow"

        async def __call__(self, request):
            await asyncio.sleep(5)
            return Keep("late")

    outcome = await pipeline(Says("a", Change(said("one"), "cut")), Slow(), budget_seconds=0.05).before(REQUEST)
    assert outcome.steps[1].verdict.reason == "error:timeout"
    assert outcome.request == said("one")
    assert outcome.seconds < 1


@pytest.mark.parametrize("verdict", [Keep("kept"), Change(said("one"), "cut"), ValueError("boom")])
async def test_a_last_edit_is_made_whatever_became_of_the_stages(verdict, caplog):
    """It takes no time, so that no budget keeps from it; one that fails leaves the request as it was."""

    def shout(request):
        return request.with_(messages=tuple({**m, "content": m["content"].upper()} for m in request.messages))

    outcome = await pipeline(Says("a", verdict), budget_seconds=0, finish=shout).before(REQUEST)
    plain = await pipeline(Says("a", verdict), budget_seconds=0, finish=lambda request: request.lost).before(REQUEST)
    assert outcome.request == shout(plain.request)
    assert outcome.original is REQUEST


@given(words=st.integers(min_value=0, max_value=9))
def test_never_more_tokens_out_than_in(words):
    """A change that does not save is not made, whatever the stage says."""
    longer = said("w " * words)
    outcome = asyncio.run(pipeline(Says("a", Change(longer, "grown"))).before(REQUEST))
    assert outcome.tokens_after <= outcome.tokens_before
    assert (outcome.request is REQUEST) == (words > 3)


async def test_followups_get_the_reply_and_one_failure_does_not_stop_the_rest(caplog):
    """Every stage that wants the reply gets it, and what came of each is told."""
    line, store = _followed()
    results = await line.after(await line.before(REQUEST), REPLY)
    assert (store.got, results) == ([REPLY], ("error:OSError", "stored"))
    assert "disk full" in caplog.text


async def test_followups_are_told_that_no_reply_comes(caplog):
    """All of them, whatever one of them says to that; and also where the request never gets as far as the model."""
    line, store = _followed()
    line.abandon(await line.before(REQUEST))
    assert store.got == ["nothing"]
    assert "disk full" in caplog.text
    cut = Pipeline([*line.stages, Says("c", asyncio.CancelledError())], counter=lambda: count)
    with pytest.raises(asyncio.CancelledError):
        await cut.before(REQUEST)
    assert store.got == ["nothing"] * 2
    answered = Pipeline([*line.stages, Says("c", Answer(REPLY, "exact"))], counter=lambda: count)
    assert (await answered.before(REQUEST)).reply is REPLY
    assert store.got == ["nothing"] * 3


class Store:
    """A follow-up that notes what it's told, or fails."""

    def __init__(self, error=None):
        self.got, self._error = [], error

    async def __call__(self, reply):
        self._note(reply)
        return "stored"

    def abandon(self):
        self._note("nothing")

    def _note(self, what):
        if self._error:
            raise self._error
        self.got.append(what)


def _followed():
    """A pipeline with two follow-ups, of which the first fails; and the second."""
    store, failing = Store(), Store(OSError("disk full"))
    return pipeline(Says("a", Keep("miss", then=failing)), Says("b", Change(said("x"), "cut", then=store))), store


async def test_waiting_is_beside_the_budget():
    """A stage that has to wait for others has its time, and leaves the next stage's alone."""

    async def decide():
        await asyncio.sleep(0.6)
        return Keep("waited")

    class Next:
        name = "next"

        async def __call__(self, request):
            await asyncio.sleep(0.01)
            return Keep("done")

    outcome = await pipeline(Says("a", Wait(decide, 5)), Next(), budget_seconds=0.5).before(REQUEST)
    assert [step.verdict.reason for step in outcome.steps] == ["waited", "done"]
    late = await pipeline(Says("a", Wait(decide, 0.01)), budget_seconds=0.05).before(REQUEST)
    assert late.steps[0].verdict.reason == "error:timeout"
