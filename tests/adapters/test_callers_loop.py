"""What the plugin asks of LiteLLM itself is asked in the event loop of the callers."""

from __future__ import annotations

import asyncio
import logging
import threading

import litellm
import pytest

from litellm_tokenopt.adapters.callers_loop import CallersLoop


@pytest.fixture
def callers(loop):
    """Callers that have called from the tests' loop."""
    callers = CallersLoop()
    loop.run(_noted(callers))
    return callers


async def _noted(callers):
    callers.note()


async def _where():
    return threading.current_thread()


def test_work_runs_where_the_last_call_came_from(callers, loop):
    """From whatever loop it's asked for; what it raises comes out."""
    assert asyncio.run(callers.run(_where)) is loop.run(_where())

    async def fails():
        raise ValueError("said")

    with pytest.raises(ValueError, match="said"):
        asyncio.run(callers.run(fails))


def test_without_a_caller_work_runs_here():
    """A program of sync calls has no loop of its own."""
    assert asyncio.run(CallersLoop().run(_where)) is threading.current_thread()


def test_a_loop_that_waits_for_a_sync_call_gets_no_work(callers, loop):
    """It would wait for itself; afterwards it does again."""

    async def sync_call():
        with callers.held_up():
            return await asyncio.to_thread(asyncio.run, callers.run(_where))

    assert loop.run(sync_call()) is not loop.run(_where())
    assert asyncio.run(callers.run(_where)) is loop.run(_where())


@pytest.mark.parametrize("cancels", [True, False], ids=["asyncio.run", "stopped"])
def test_work_outlives_its_loop(cancels):
    """A caller's loop that ends meanwhile, with or without cancelling, leaves the work to be done here."""
    callers = CallersLoop()
    called, begun, ends = threading.Event(), threading.Event(), threading.Event()

    async def work():
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return threading.current_thread()

    async def call():
        callers.note()
        called.set()
        await asyncio.to_thread(ends.wait)

    loop = asyncio.new_event_loop()

    def program():
        asyncio.run(call()) if cancels else loop.run_until_complete(call())

    async def ask():
        asked = asyncio.create_task(callers.run(work))
        await asyncio.to_thread(begun.wait)
        ends.set()
        return await asked

    thread = threading.Thread(target=program)
    thread.start()
    called.wait()
    assert asyncio.run(ask()) is threading.current_thread()
    thread.join()
    loop.run_until_complete(asyncio.sleep(0))  # what was cancelled there ends
    loop.close()


def test_cancelling_the_asker_cancels_the_work(callers):
    """As when the plugin is switched off."""
    cancelled = threading.Event()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def ask():
        async with asyncio.timeout(0.1):
            await callers.run(work)

    with pytest.raises(TimeoutError):
        asyncio.run(ask())
    assert cancelled.wait(10)


def test_checks_and_calls_share_litellms_worker(switch_on, server, loop, caplog):
    """With checks amidst calls LiteLLM has nothing to say of event loops, and loses no log."""
    plugin = switch_on(redis={"url": "memory"}, cache={"shadow_fraction": 1.0, "checks_per_minute": 1_000})

    def ask(text):
        return litellm.acompletion(
            model="openai/gpt-4o",
            api_base=server.base_url,
            api_key="none",
            messages=[{"role": "user", "content": text}],
        )

    async def calls():
        await asyncio.gather(*(ask(f"How do I change the language of the app {i}?") for i in range(4)))
        for turn in range(6):
            like = (ask(f"How can I change the language of the app {i}?") for i in range(4))
            await asyncio.gather(*like, *(ask(f"Where is room {turn} {i}?") for i in range(4)))

    with caplog.at_level(logging.WARNING):
        loop.run(calls())
        plugin.portal.run(plugin.optimizer.parts.beside.calls.idle())
    assert [record.getMessage() for record in caplog.records if record.name == "LiteLLM"] == []
    stats = plugin.portal.run(plugin.optimizer.parts.cache.stats())
    assert stats.checks.same + stats.checks.different + stats.checks.unknown == 24
