"""Where a model's work is done: in threads, or at once for who is alone."""

from __future__ import annotations

import asyncio
import threading

import pytest

from litellm_tokenopt.models.workers import Workers, alone


@pytest.mark.parametrize("is_so", [True, False])
async def test_small_work_is_done_at_once_for_who_is_alone(is_so: bool) -> None:
    """In the thread of who asks then, else in one of its own; what it raises comes out either way."""
    workers = Workers(1, "test")
    try:
        with alone(is_so):
            here = await workers.run_small(threading.get_ident) == threading.get_ident()
            with pytest.raises(ValueError, match="invalid literal"):
                await workers.run_small(int, "no number")
        assert here == is_so
        assert await workers.run_small(threading.get_ident) != threading.get_ident(), "only within the block"
    finally:
        workers.close()


async def test_others_go_on_between_small_works() -> None:
    """The event loop gets to what is ready before each of them."""
    done: list[str] = []

    async def many() -> None:
        with alone(True):
            for _ in range(3):
                await Workers(1, "test").run_small(done.append, "work")

    async def other() -> None:
        for _ in range(3):
            done.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(many(), other())
    assert done[:4] == ["other", "work", "other", "work"]
