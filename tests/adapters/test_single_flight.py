"""Identical calls at once, through LiteLLM: one request reaches the model, whatever the API, streams included."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import litellm
import pytest
from aiohttp import web

from litellm_tokenopt.adapters.streams import WatchedStream
from litellm_tokenopt.cache.flights import Flights
from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE, server_folder

CALLS = 50


class SlowServer:
    """A model server that takes its time, and fails its first requests if told to."""

    def __init__(self) -> None:
        self.seconds, self.failures, self.finish, self.pause = 0.5, 0, "stop", 0.05
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.asked.set()
        fails = len(self.requests) <= self.failures
        await asyncio.sleep(self.seconds)
        if fails:
            return web.json_response({"error": {"message": "overloaded", "type": "server_error"}}, status=500)
        head = {"id": "c", "created": 1, "model": "gpt-4o"}
        if body.get("stream"):
            return await self._stream(request, head)
        message = {"role": "assistant", "content": "Grass and hay."}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def _stream(self, request: web.Request, head: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas = [
            ({"role": "assistant", "content": "Grass and "}, None),
            ({"content": "hay."}, None),
            ({}, self.finish),
        ]
        for delta, finish in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
            await asyncio.sleep(self.pause)
        await response.write(b"data: [DONE]\n\n")
        return response


@pytest.fixture
def slow(loop: Any) -> Iterator[SlowServer]:
    server = SlowServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1.0)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    server.url = loop.run(start())  # type: ignore[attr-defined]
    yield server
    loop.run(runner.cleanup())


@pytest.fixture
def given(slow: SlowServer, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of a chat call that no other test makes."""
    asked = [{"role": "user", "content": f"What does a llama eat ({request.node.name})?"}]
    return {
        "model": "openai/gpt-4o", "messages": asked, "api_base": slow.url, "api_key": "none",  # type: ignore[attr-defined]
        "max_retries": 0,
    }  # fmt: skip


async def text_of(call: Any) -> str:
    response = await call
    if isinstance(response, AsyncIterator):
        return "".join([chunk.choices[0].delta.content or "" async for chunk in response])
    return str(response.choices[0].message.content)


async def texts(calls: list[Any]) -> Counter[str]:
    found = await asyncio.gather(*map(text_of, calls), return_exceptions=True)
    return Counter(one if isinstance(one, str) else type(one).__name__ for one in found)


def test_plain_calls_and_streams_share_one_request(slow: SlowServer, given: dict[str, Any], loop: Any, on: Any) -> None:
    """Fifty at once, every second one a stream: all get the answer that one of them asked for."""
    calls = lambda: [litellm.acompletion(**given, stream=n % 2 == 1) for n in range(CALLS)]  # noqa: E731
    assert loop.run(texts(calls())) == {"Grass and hay.": CALLS}
    assert len(slow.requests) == 1


def test_a_stream_may_lead(slow: SlowServer, given: dict[str, Any], loop: Any, on: Any) -> None:
    """Others wait until its last word."""
    calls = lambda: [litellm.acompletion(**given, stream=n == 0) for n in range(10)]  # noqa: E731
    assert loop.run(texts(calls())) == {"Grass and hay.": 10}
    assert len(slow.requests) == 1


@pytest.mark.parametrize("answer", ["stored", "refused"])
def test_a_stream_that_was_read_is_not_lost(
    answer: str, slow: SlowServer, given: dict[str, Any], loop: Any, on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader drops it while its reply is on its way to the store: those who wait hear what came of the reply."""
    landed: list[str] = []
    land = Flights.land
    monkeypatch.setattr(Flights, "land", lambda self, flight, end: (landed.append(end), land(self, flight, end)))
    slow.seconds, slow.pause, slow.finish = 0.05, 0.0, "stop" if answer == "stored" else "length"
    asked = [{"role": "user", "content": f"{given['messages'][0]['content']} ({answer})"}]
    for n in range(5):
        call = {**given, "messages": asked, "seed": n, "stream": True}
        assert loop.run(text_of(litellm.acompletion(**call))) == "Grass and hay."
        for _ in range(100):
            if len(landed) > n:
                break
            time.sleep(0.02)
        loop.run(asyncio.sleep(0.05))
    assert landed == [answer] * 5


def test_sync_calls_from_threads_share_one_request(slow: SlowServer, given: dict[str, Any], on: Any) -> None:
    """As the async ones do."""
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda _: litellm.completion(**given).choices[0].message.content, range(8)))
    assert done == ["Grass and hay."] * 8
    assert len(slow.requests) == 1


def test_one_failure_costs_one_more_request(slow: SlowServer, given: dict[str, Any], loop: Any, on: Any) -> None:
    """The leader's caller gets the error; the rest the answer to a second call."""
    slow.failures = 1
    calls = lambda: [litellm.acompletion(**given) for _ in range(20)]  # noqa: E731
    assert loop.run(texts(calls())) == {"InternalServerError": 1, "Grass and hay.": 19}
    assert len(slow.requests) == 2


def test_an_unfinished_answer_is_nobody_elses(slow: SlowServer, given: dict[str, Any], loop: Any, on: Any) -> None:
    """Everybody makes a call of his own, as soon as that is known."""
    slow.finish = "length"
    calls = lambda: [litellm.acompletion(**given) for _ in range(5)]  # noqa: E731
    assert loop.run(texts(calls())) == {"Grass and hay.": 5}
    assert len(slow.requests) == 5


def test_a_cancelled_leader_is_replaced(slow: SlowServer, given: dict[str, Any], loop: Any, on: Any) -> None:
    """Those who wait don't wait for somebody who has left."""

    async def cancelled() -> Counter[str]:
        slow.seconds = 60
        leader = asyncio.create_task(litellm.acompletion(**given))
        await slow.asked.wait()
        slow.seconds = 0.2
        rest = asyncio.gather(*[text_of(litellm.acompletion(**given)) for _ in range(5)])
        await asyncio.sleep(0.3)
        leader.cancel()
        return Counter(await rest)

    assert loop.run(asyncio.wait_for(cancelled(), 25)) == {"Grass and hay.": 5}
    assert len(slow.requests) == 2


def test_a_stream_that_nobody_reads_is_not_waited_for(
    slow: SlowServer, given: dict[str, Any], loop: Any, on: Any
) -> None:
    """Once LiteLLM has forgotten it, the next one asks for himself."""

    async def left() -> str:
        stream = await litellm.acompletion(**given, stream=True)
        await anext(stream)
        waiting = asyncio.create_task(text_of(litellm.acompletion(**given)))
        await asyncio.sleep(0.3)
        del stream
        for _ in range(50):
            gc.collect()
            await asyncio.sleep(0.1)
            if waiting.done():
                break
        return await waiting

    assert loop.run(asyncio.wait_for(left(), 25)) == "Grass and hay."
    assert len(slow.requests) == 2


@pytest.mark.parametrize("way", ["closed", "cancelled", "dropped"])
def test_a_stream_that_is_left_is_not_waited_for(
    way: str, slow: SlowServer, given: dict[str, Any], loop: Any, on: Any
) -> None:
    """Who stops a stream and asks again need not wait until LiteLLM's objects are collected."""

    async def left() -> str:
        stream = await litellm.acompletion(**given, stream=True)
        await anext(stream)
        waiting = asyncio.create_task(text_of(litellm.acompletion(**given)))
        await asyncio.sleep(0.05)
        if way == "closed":
            await stream.aclose()
        elif way == "dropped":
            del stream
        else:
            reading = asyncio.create_task(text_of(_already(stream)))
            await asyncio.sleep(0.05)
            reading.cancel()
        return await waiting

    slow.pause = 1.0
    gc.disable()
    try:
        assert loop.run(asyncio.wait_for(left(), 20)) == "Grass and hay."
    finally:
        gc.enable()
    assert len(slow.requests) == 2


def test_a_sync_stream_that_is_dropped_is_not_waited_for(slow: SlowServer, given: dict[str, Any], on: Any) -> None:
    """Though LiteLLM's log of a sync call would hold its stream until the next full collection."""
    slow.pause = 1.0
    gc.disable()
    try:
        next(litellm.completion(**given, stream=True))
        begun = time.monotonic()
        assert litellm.completion(**given).choices[0].message.content == "Grass and hay."
        assert time.monotonic() - begun < 15
    finally:
        gc.enable()
    assert len(slow.requests) == 2


async def _already(stream: Any) -> Any:
    return stream


@pytest.mark.parametrize("end", ["read", "closed", "cancelled", "failed", "dropped"])
def test_a_watched_stream_tells_once_that_its_reader_has_gone(end: str, loop: Any) -> None:
    """Not where it was read to its end, or failed by itself; closing it afterwards tells nothing more."""
    gone: list[str] = []

    async def events() -> AsyncIterator[int]:
        yield 1
        if end == "cancelled":
            await asyncio.sleep(60)
        if end == "failed":
            raise ValueError

    async def use() -> None:
        stream = WatchedStream(events(), lambda: gone.append(end))
        assert await anext(stream) == 1
        if end == "dropped":
            return
        if end != "closed":
            reading = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.wait([reading])
        await stream.aclose()
        await stream.aclose()

    loop.run(use())
    assert gone == ([end] if end in ("closed", "cancelled", "dropped") else [])


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_a_failure_in_the_other_apis_is_told_at_once(
    api: str, loop: Any, switch_on: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM's own word that a call has failed ends the waiting."""
    landed: list[str] = []
    land = Flights.land
    monkeypatch.setattr(Flights, "land", lambda self, flight, end: (landed.append(end), land(self, flight, end)))
    switch_on()
    nowhere = {"api_base": "http://127.0.0.1:9/v1", "api_key": "none"}

    asked = f"How far is Lima from Cusco ({api})?"
    calls = {
        "messages": lambda: litellm.anthropic.messages.acreate(
            model="anthropic/claude-sonnet-4-5", max_tokens=9, messages=[{"role": "user", "content": asked}], **nowhere
        ),
        "responses": lambda: litellm.aresponses(model="openai/gpt-4o", input=asked, **nowhere),
    }

    async def fail() -> None:
        with pytest.raises(Exception, match=r"(?i)connect"):
            await calls[api]()
        for _ in range(100):
            if landed:
                break
            await asyncio.sleep(0.02)

    gc.disable()
    try:
        loop.run(fail())
    finally:
        gc.enable()
    assert landed[0] == "lost"


OFF = {"enabled": False}
LITERAL: dict[str, Any] = {"cache": {"max_wrong_rate": 0}, "tools": OFF, "prompt": OFF, "context": OFF}
WORKER = """
import asyncio, json, sys
import litellm, litellm_tokenopt
given, settings = map(json.loads, sys.argv[1:])
litellm_tokenopt.enable(settings)
async def main():
    first = [{"role": "user", "content": "How tall is the tower?"}]
    await litellm.acompletion(**given | {"messages": first})
    print("ready", flush=True)
    sys.stdin.readline()
    replies = await asyncio.gather(*(litellm.acompletion(**given) for _ in range(10)))
    print([reply.choices[0].message.content for reply in replies], flush=True)
asyncio.run(main())
litellm_tokenopt.disable()
"""


def test_two_processes_share_one_request(
    slow: SlowServer, given: dict[str, Any], loop: Any, switch_on: Callable[..., Any]
) -> None:
    """Workers of one Redis, this process and another one, wait for each other."""
    slow.seconds = 2
    shared = {**os.environ, FOLDER_VARIABLE: str(server_folder())}
    command = [sys.executable, "-c", WORKER, json.dumps(given), json.dumps({"redis": {"url": "embedded"}, **LITERAL})]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=shared)
    switch_on(**LITERAL)
    try:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline().strip() == "ready"
        worker.stdin.write("go\n")
        worker.stdin.flush()
        ours = loop.run(texts([litellm.acompletion(**given) for _ in range(10)]))
        theirs = worker.communicate(timeout=60)[0]
    finally:
        worker.kill()
    assert ours == {"Grass and hay.": 10}
    assert theirs.strip() == str(["Grass and hay."] * 10)
    assert [body["messages"] for body in slow.requests].count(given["messages"]) == 1
