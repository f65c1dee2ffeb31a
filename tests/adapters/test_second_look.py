"""Hits checked against the model, and a judge for what was nearly refused, over real LiteLLM."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import litellm
import pytest

from litellm_tokenopt.evaluation.model_server import ModelServer

ASKED = "How do I reset the password of my Fenwick account?"
LIKE = "How can I reset my Fenwick account password?"
RIGHT = "Open Settings, choose Security, and press Reset."
WRONG = "Nobody can help you, it is lost for good and forever."
OPENAI, ANTHROPIC = "openai/gpt-4o", "anthropic/claude-sonnet-4-5-20250929"


@pytest.fixture
def model() -> Any:
    with ModelServer({ASKED: [RIGHT], LIKE: [WRONG]}) as server:
        yield server


@pytest.fixture
def checking(switch_on: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **cache: switch_on(redis={"url": "memory"}, cache={"shadow_fraction": 1.0, **cache})


def chat(server: ModelServer, asked: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": asked}]
    return litellm.completion(model=OPENAI, messages=messages, api_base=server.base_url, api_key="none", **more)


def idle(plugin: Any) -> None:
    plugin.portal.run(plugin.optimizer.parts.beside.idle())


def checks(plugin: Any) -> Any:
    return plugin.portal.run(plugin.optimizer.parts.cache.stats()).checks


def stored(plugin: Any) -> None:
    """Wait for a stream's reply: one that tells no usage is stored once its tokens are counted, in a thread."""
    end = time.monotonic() + 60
    while not plugin.portal.run(plugin.optimizer.parts.cache.stats()).entries:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_wrong_hit_is_found_and_replaced(checking, model, log):
    """The client gets the cached answer at once; the model's own, which differs, answers the question from then on."""
    plugin = checking()
    litellm.callbacks.append(log)
    assert chat(model, ASKED).choices[0].message.content == RIGHT
    assert chat(model, LIKE, user="", temperature=None).choices[0].message.content == RIGHT
    idle(plugin)
    assert (checks(plugin).different, checks(plugin).same) == (1, 0)
    assert chat(model, LIKE).choices[0].message.content == WRONG
    assert chat(model, ASKED).choices[0].message.content == RIGHT
    assert len(model.bodies) == 2
    log.wait(lambda calls: any((c["tokenopt"] or {}).get("purpose") == "shadow" for c in calls))


def test_checks_ask_with_the_callers_own_parameters(checking, model):
    """What the model is asked is the request that was answered, whole and as a plain call."""
    plugin = checking()
    more = {"temperature": 0.3, "max_tokens": 77, "seed": 5}
    for asked in (ASKED, LIKE):
        assert list(chat(model, asked, stream=True, **more))
        stored(plugin)
    idle(plugin)
    body = model.bodies[1]
    assert body["messages"] == [{"role": "user", "content": LIKE}]
    assert {name: body[name] for name in more} == more
    assert not body.get("stream")


def ask_chat(server: ModelServer, asked: str) -> Any:
    messages = [{"role": "user", "content": asked}]
    return litellm.acompletion(model=OPENAI, messages=messages, api_base=server.base_url, api_key="none")


def ask_responses(server: ModelServer, asked: str) -> Any:
    return litellm.aresponses(model=OPENAI, input=asked, api_base=server.base_url, api_key="none")


def ask_messages(server: ModelServer, asked: str) -> Any:
    messages = [{"role": "user", "content": asked}]
    return litellm.anthropic.messages.acreate(
        model=ANTHROPIC, messages=messages, max_tokens=90, api_base=server.url, api_key="none"
    )


def ask_router(server: ModelServer, asked: str) -> Any:
    deployment = {"model": OPENAI, "api_base": server.base_url, "api_key": "none"}
    router = litellm.Router(model_list=[{"model_name": "agent", "litellm_params": deployment}])
    return router.acompletion(model="agent", messages=[{"role": "user", "content": asked}])


@pytest.mark.parametrize("ask", [ask_chat, ask_responses, ask_messages, ask_router])
def test_hits_of_every_api_can_be_checked(ask, checking, model, loop):
    """One check for one hit; it's neither answered from the cache nor checked itself."""
    plugin = checking()
    for asked in (ASKED, LIKE):
        loop.run(ask(model, asked))
    idle(plugin)
    assert (checks(plugin).different, len(model.bodies)) == (1, 2)


def test_nothing_is_asked_unless_wanted(switch_on, model):
    """By default no model is asked beside the requests."""
    plugin = switch_on(redis={"url": "memory"})
    for asked in (ASKED, LIKE, LIKE):
        assert chat(model, asked).choices[0].message.content == RIGHT
    idle(plugin)
    assert len(model.bodies) == 1
    assert checks(plugin).wrong_rate is None


def test_the_client_does_not_wait_for_the_check(checking, model):
    """The hit is back while the check's call is held up."""
    plugin = checking()
    chat(model, ASKED)
    with model.model._lock:  # the server answers nobody
        assert chat(model, LIKE).choices[0].message.content == RIGHT
        assert len(model.model.recorded) == 1
    idle(plugin)
    assert len(model.bodies) == 2


def test_a_check_that_fails_harms_nobody(checking):
    """A model out of reach is an error counted, no outcome, and no trouble for the client."""
    plugin = checking()
    with ModelServer({ASKED: [RIGHT]}) as server:
        chat(server, ASKED)
    seen: list[str] = []
    plugin.optimizer.recorder.record_failure = lambda where, error: seen.append(where)
    assert chat(server, LIKE, max_retries=0).choices[0].message.content == RIGHT
    idle(plugin)
    assert seen == ["second_look"]
    assert (checks(plugin).same, checks(plugin).different) == (0, 0)


def test_shadow_mode_checks_at_no_cost(switch_on, model):
    """Where the model is asked anyway, what would have been a hit is compared with its reply."""
    plugin = switch_on(mode="shadow", redis={"url": "memory"}, cache={"shadow_fraction": 1.0})
    for asked in (ASKED, LIKE):
        chat(model, asked)
    end = time.monotonic() + 10
    while not checks(plugin).different and time.monotonic() < end:
        time.sleep(0.05)
    idle(plugin)
    assert (checks(plugin).different, len(model.bodies)) == (1, 2)


NARROW = (
    "How do I change the language of the Fenwick app?",
    "Where can the language of the Fenwick app be switched?",
)


@pytest.mark.parametrize(("verdict", "served"), [("SAME", True), ("DIFFERENT", False), ("Perhaps the same", False)])
def test_the_judge_decides_what_is_narrow(verdict, served, switch_on, monkeypatch):
    """A pair refused by a narrow margin goes to the model at once; what the judge says meanwhile decides the next."""
    pair = json.dumps({"first": NARROW[0], "second": NARROW[1]})
    with ModelServer({NARROW[0]: "In Settings.", NARROW[1]: "Under Profile.", pair: verdict}) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        plugin = switch_on(redis={"url": "memory"}, cache={"judge_model": "openai/judge"})
        chat(server, NARROW[0])
        answers = []
        for _ in range(2):
            answers.append(chat(server, NARROW[1], cache={"no-store": True}).choices[0].message.content)
            idle(plugin)
        assert answers == ["Under Profile.", "In Settings." if served else "Under Profile."]
        judged = [body for body in server.bodies if body["model"] == "judge"]
        assert [body["temperature"] for body in judged] == [0] * (2 if verdict.startswith("P") else 1)


def test_closing_cancels_checks(checking, model):
    """Switching off does not wait for a model."""
    plugin = checking()
    chat(model, ASKED)
    with model.model._lock:
        chat(model, LIKE)
        begun = time.monotonic()
        plugin.close()
        assert time.monotonic() - begun < 20
