"""Switching on and off leaves no trace; what goes wrong never costs a request."""

from __future__ import annotations

import gc
import inspect
import logging
import resource
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import litellm
import pytest
from litellm.litellm_core_utils.thread_pool_executor import executor
from support.agent import PROMPT, TOOLS, callers_tools, question

import litellm_tokenopt
from litellm_tokenopt.adapters.interpose import original_cell
from litellm_tokenopt.adapters.late_imports import import_now

LISTS = [
    name for name in vars(litellm) if name.endswith(("callback", "callbacks")) and isinstance(vars(litellm)[name], list)
]


def snapshot():
    cells = [original_cell(f).cell_contents for f in (litellm.completion, litellm.acompletion, litellm.responses)]
    return cells, litellm.cache, {name: list(getattr(litellm, name)) for name in LISTS}


def messages_of(asked):
    return {"model": "gpt-4o", "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": asked}]}


def ask(server, asked=None, **more):
    given = {
        **messages_of(asked or question()),
        "model": "openai/gpt-4o",
        "tools": TOOLS,
        "api_base": server.base_url,
        "api_key": "x",
    }
    return litellm.completion(**{**given, **more})


def test_off_restores_litellm_exactly(server, switch_on):
    """Functions, cache slot and every callback list are what they were, also after calls were made."""
    before = snapshot()
    switch_on()
    ask(server)
    assert snapshot() != before
    litellm_tokenopt.disable()
    assert snapshot() == before
    litellm_tokenopt.disable()
    assert snapshot() == before


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def lasting_threads():
    """All but those of LiteLLM's own pool, of which there are more the busier the machine is."""
    return [thread for thread in threading.enumerate() if thread not in executor._threads]


def eventually(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's account of memory")
def test_off_gives_back_threads_and_memory(server, switch_on, models_anew):
    """Switched on and off again and again, with models loaded each time, the process stays as large as it was."""

    def once() -> weakref.ref:
        plugin = switch_on()
        for asked in ("How do I reset the router?", "How can I reset my router?"):
            ask(server, messages=[{"role": "user", "content": f"{asked} {question()}"}])
        parts = weakref.ref(plugin.optimizer.parts)
        del plugin
        litellm_tokenopt.disable()
        gc.collect()
        return parts

    import_now()  # LiteLLM's late imports, which no switching off gives back
    for _ in range(2):
        once()
    threads, size = lasting_threads(), resident_mb()
    parts = [once() for _ in range(6)]
    # LiteLLM's threads may still be logging the calls, and hold them.
    eventually(lambda: gc.collect() >= 0 and all(part() is None for part in parts))
    eventually(lambda: len(lasting_threads()) <= len(threads))
    assert resident_mb() - size < 120  # six pairs would keep 240, if models stayed


def test_on_twice_is_on_once_with_the_new_settings(server, switch_on):
    """Enabling again starts afresh; nothing is wrapped twice."""
    before = snapshot()
    switch_on(tools={"max_tools": 9})
    callback = switch_on(tools={"max_tools": 3}) and litellm.callbacks[-1]
    assert [c for c in litellm.callbacks if type(c).__name__ == "TokenOptCallback"] == [callback]
    seen = len(server.bodies)
    ask(server)
    assert len(callers_tools(server.bodies[seen])) <= 3
    litellm_tokenopt.disable()
    assert snapshot() == before


def test_looking_changes_nothing(server):
    """Whoever looks at ``litellm_tokenopt.callback``, as debuggers and doc tools do, leaves LiteLLM as it was."""
    before = snapshot()
    assert hasattr(litellm_tokenopt, "callback")
    assert dict(inspect.getmembers(litellm_tokenopt))["callback"]
    inspect.getmembers(litellm_tokenopt.callback)
    assert snapshot() == before


def test_litellm_installs_what_it_calls(server, loop, monkeypatch):
    """In ``litellm.callbacks`` the callback switches the plugin on with LiteLLM's first call, and off as ever."""
    monkeypatch.setattr(litellm, "callback_settings", {"litellm_tokenopt": {"redis": {"url": "memory"}}}, raising=False)
    before, seen = snapshot(), len(server.bodies)
    litellm.callbacks.append(litellm_tokenopt.callback)
    assert snapshot()[:2] == before[:2]
    asked = {"role": "user", "content": question()}
    for _ in range(2):
        loop.run(litellm.acompletion(model="openai/gpt-4o", messages=[asked], api_base=server.base_url, api_key="x"))
    assert len(server.bodies) - seen == 1
    litellm_tokenopt.disable()
    assert snapshot() == before


def test_wrong_settings_change_nothing():
    """A mistake is told at once, and LiteLLM stays as it was."""
    before = snapshot()
    with pytest.raises(litellm_tokenopt.SettingsError, match=r"tools\.max_tools: got 'many'"):
        litellm_tokenopt.enable({"tools": {"max_tools": "many"}})
    assert snapshot() == before


@pytest.mark.parametrize("settings", [{"mode": "off"}, {"mode": "shadow"}, {"holdout_fraction": 1.0}])
def test_off_shadow_and_holdout_send_what_came_in(settings, server, switch_on):
    """The request reaches the model as it is, and repeats reach it too."""
    switch_on(**settings)
    asked, seen = question(), len(server.bodies)
    for _ in range(2):
        ask(server, asked)
    assert [len(body["tools"]) for body in server.bodies[seen:]] == [len(TOOLS)] * 2
    assert all(body["messages"][0]["content"] == PROMPT for body in server.bodies[seen:])


def test_a_broken_optimizer_costs_no_request(server, caplog):
    """Whatever raises inside, the call goes through as it was; it's logged once and counted."""
    plugin = litellm_tokenopt.enable({"redis": {"url": "memory"}}).plugin

    async def broken(*_, **__):
        raise RuntimeError("kaputt")

    plugin.optimizer.decide = broken
    seen = len(server.bodies)
    with caplog.at_level(logging.WARNING, logger="litellm_tokenopt"):
        assert ask(server).choices[0].message.content
        assert ask(server).choices[0].message.content
    assert [len(body["tools"]) for body in server.bodies[seen:]] == [len(TOOLS)] * 2
    assert [r.levelname for r in caplog.records if "kaputt" in str(r.exc_info)] == ["WARNING"]


def test_no_redis_costs_no_request(server, caplog):
    """With nothing listening at the configured address, calls go through, and the log says what is missing."""
    litellm_tokenopt.enable(
        {"redis": {"url": "redis://127.0.0.1:1/0", "connect_timeout_seconds": 0.2}, "time_budget_seconds": 60}
    )
    seen = len(server.bodies)
    with caplog.at_level(logging.WARNING, logger="litellm_tokenopt"):
        assert ask(server).choices[0].message.content
        assert len(callers_tools(server.bodies[seen])) <= 10
    assert any("127.0.0.1:1" in record.getMessage() for record in caplog.records)


def test_malformed_messages_are_litellms_to_judge(server):
    """The error is the one that LiteLLM raises without the plugin."""
    errors = []
    for on in (False, True):
        if on:
            litellm_tokenopt.enable({"redis": {"url": "memory"}})
        with pytest.raises(Exception) as caught:  # noqa: PT011
            ask(server, messages=[{"content": "no role"}, 7])
        errors.append((type(caught.value), str(caught.value)[:60]))
    assert errors[0] == errors[1]


def test_an_operators_cache_goes_on_working(server):
    """Their exact cache still answers, under the request as it came in, and comes back when the plugin goes."""
    theirs = litellm.Cache(type="local")
    litellm.cache = theirs
    try:
        ask(server, messages=[{"role": "user", "content": "What is stored before?"}])
        litellm_tokenopt.enable({"redis": {"url": "memory"}, "cache": {"enabled": True}})
        seen = len(server.bodies)
        ask(server, messages=[{"role": "user", "content": "What is stored before?"}])
        assert len(server.bodies) == seen
        ask(server, messages=[{"role": "user", "content": "What is stored since?"}])
        litellm_tokenopt.disable()
        assert litellm.cache is theirs
        ask(server, messages=[{"role": "user", "content": "What is stored since?"}])
        assert len(server.bodies) == seen + 1
    finally:
        litellm.cache = None
        for name in LISTS:
            getattr(litellm, name)[:] = [c for c in getattr(litellm, name) if c != "cache"]


def test_a_silent_embedding_api_costs_one_request_its_time_budget(server, switch_on, monkeypatch):
    """The next ones pass on at once: its silence is remembered for a while."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        monkeypatch.setenv("OPENAI_API_BASE", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        embedder = {"backend": "litellm", "model": "openai/text-embedding-3-small"}
        plugin = switch_on(redis={"url": "memory"}, embedder=embedder, time_budget_seconds=2)
        ask(server, "Where is parcel number 1?")
        time.sleep(0.5)
        ask(server, "Where is parcel number 2?")
        asked = plugin.portal.run(plugin.optimizer.before(messages_of("Where is parcel number 3?")))
    assert asked.seconds < 1.5
    assert [step.verdict.reason for step in asked.steps if step.stage == "prompt"] == ["no_model"]


LOADS = """
import sys, time, litellm_tokenopt
light = "onnxruntime" not in sys.modules
litellm_tokenopt.enable({"redis": {"url": "memory"}})
end = time.time() + 60
while "onnxruntime" not in sys.modules and time.time() < end:
    time.sleep(0.05)
print(light, "onnxruntime" in sys.modules)
"""
ENDS = """
import time, litellm, litellm_tokenopt
litellm_tokenopt.enable({{"redis": {{"url": "memory"}}}})
time.sleep({seconds})
{last}
"""
ENDINGS = [(0.0, "pass"), (0.3, "pass"), (0.2, "litellm_tokenopt.disable()")]


@pytest.fixture(scope="module")
def ended() -> Callable[[str], subprocess.CompletedProcess[str]]:
    """How a program ended; all run beside each other, since each imports LiteLLM for seconds."""

    def run(program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)

    programs = [LOADS, *(ENDS.format(seconds=seconds, last=last) for seconds, last in ENDINGS)]
    with ThreadPoolExecutor() as threads:
        return dict(zip(programs, threads.map(run, programs), strict=True)).__getitem__


def test_enabling_loads_the_model_without_a_request(ended):
    """In the background: the first request finds it there."""
    assert ended(LOADS).stdout.split() == ["True", "True"]


@pytest.mark.parametrize(("seconds", "last"), ENDINGS)
def test_a_program_that_ends_at_once_ends(seconds, last, ended):
    """Also while the model is being loaded: a thread inside an import would leave its lock to nobody."""
    done = ended(ENDS.format(seconds=seconds, last=last))
    assert (done.returncode, done.stdout) == (0, "")
