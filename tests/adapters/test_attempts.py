"""Retries and fallbacks: decided once, never compressed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import litellm
import pytest
from aiohttp import web
from support.agent import PROMPT, TOOLS, callers_tools, question


def messages():
    return [{"role": "system", "content": PROMPT}, {"role": "user", "content": question()}]


class Flaky:
    """A model server that fails its first *failures* requests."""

    def __init__(self, failures: int) -> None:
        self.bodies: list[dict] = []
        self._failures = failures

    async def handle(self, request):
        self.bodies.append(await request.json())
        if len(self.bodies) <= self._failures:
            return web.json_response({"error": {"message": "overloaded", "type": "server_error"}}, status=500)
        message = {"role": "assistant", "content": "On its way."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response(
            {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o",
                "choices": [choice],
                "usage": usage,
            }
        )


@pytest.fixture
def flaky(loop) -> Iterator[tuple[Flaky, str]]:
    flaky = Flaky(failures=2)
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/chat/completions", flaky.handle)
    runner = web.AppRunner(app)

    async def start():
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.addresses[0][1]

    yield flaky, f"http://127.0.0.1:{loop.run(start())}/v1"
    loop.run(runner.cleanup())


def decisions(plugin):
    """Count how often the optimizer is asked."""
    asked = []
    decide = plugin.optimizer.decide

    async def counted(border, **more):
        asked.append(border)
        return await decide(border, **more)

    plugin.optimizer.decide = counted
    return asked


@pytest.mark.parametrize("sync", [True, False])
def test_the_sdks_retries_are_decided_once(sync, flaky, loop, on):
    """Each attempt sends the same bytes; the plugin was asked once."""
    server, base = flaky
    asked = decisions(on)
    given = {"model": "openai/gpt-4o", "messages": messages(), "tools": TOOLS, "api_base": base, "api_key": "x"}
    given |= {"num_retries": 3, "max_retries": 0}
    response = litellm.completion(**given) if sync else loop.run(litellm.acompletion(**given))
    assert response.choices[0].message.content == "On its way."
    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[1] == server.bodies[2]
    assert len(callers_tools(server.bodies[0])) <= 10
    assert len(asked) == 1


@pytest.mark.parametrize("sync", [True, False])
def test_a_routers_retries_are_decided_once(sync, flaky, loop, on):
    """A router starts each attempt from the original messages and with a new id: still one decision."""
    server, base = flaky
    asked = decisions(on)
    deployment = {"model": "openai/gpt-4o", "api_base": base, "api_key": "x", "max_retries": 0}
    router = litellm.Router(
        model_list=[{"model_name": "agent", "litellm_params": deployment}], num_retries=3, retry_after=0
    )
    given = {"model": "agent", "messages": messages(), "tools": TOOLS}
    response = router.completion(**given) if sync else loop.run(router.acompletion(**given))
    assert response.choices[0].message.content == "On its way."
    assert len(server.bodies) == 3
    assert server.bodies[0] == server.bodies[2]
    assert len(asked) == 1


def test_a_fallback_gets_the_same_request_decided_for_its_model(flaky, loop, on):
    """Another model's attempt is smaller too, and its answer is not stored under the first model's name."""
    server, base = flaky
    deployment = {"model": "openai/gpt-4o", "api_base": base, "api_key": "x", "max_retries": 0}
    second = {**deployment, "model": "openai/gpt-4o-mini"}
    router = litellm.Router(
        model_list=[
            {"model_name": "first", "litellm_params": deployment},
            {"model_name": "second", "litellm_params": second},
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=1,
        retry_after=0,
    )
    asked = messages()
    loop.run(router.acompletion(model="first", messages=asked, tools=TOOLS))
    assert [body["model"] for body in server.bodies] == ["gpt-4o", "gpt-4o", "gpt-4o-mini"]
    assert server.bodies[0]["messages"] == server.bodies[2]["messages"]
    loop.run(asyncio.sleep(0.2))
    loop.run(router.acompletion(model="first", messages=asked, tools=TOOLS))
    assert len(server.bodies) == 4
    loop.run(router.acompletion(model="second", messages=asked, tools=TOOLS))
    assert len(server.bodies) == 4
