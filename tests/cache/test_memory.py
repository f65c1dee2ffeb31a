"""The in-process store: bounds and expiry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.stores import Entry

VECTORS = np.eye(8, dtype=np.float32)


async def test_least_used_goes_first(make: SimpleNamespace) -> None:
    """A full store lets go of what was used longest ago."""
    store = MemoryAnswerStore(2)
    store.keep(make.entry(key="a"), None, 60)
    store.keep(make.entry(key="b"), None, 60)
    assert store.peek("a")
    store.keep(make.entry(key="c"), None, 60)
    assert [bool(store.peek(key)) for key in "abc"] == [True, False, True]


async def test_expired_is_gone(make: SimpleNamespace, clock: Any) -> None:
    """At the end of its time an entry is found no more, and holds no memory."""
    store = MemoryAnswerStore(10, clock)
    store.keep(make.entry(key="a"), VECTORS[0], 60)
    clock.seconds += 60
    assert await store.search("s1", VECTORS[0], 5, 0.5) == []
    assert (await store.health())["entries"] == 0


OPERATIONS = st.lists(st.tuples(st.sampled_from("pd"), st.integers(0, 7), st.sampled_from("xy")), max_size=40)


@settings(max_examples=60, deadline=None)
@given(OPERATIONS)
async def test_search_agrees_with_a_dictionary(operations: list[tuple[str, int, str]]) -> None:
    """After any puts and drops each scope holds just the entries put last and not dropped."""
    store, model = MemoryAnswerStore(100), {}
    for operation, number, scope in operations:
        key = f"k{number}"
        if operation == "p":
            store.keep(
                Entry(key=key, scope=scope, question="q", payload={}, text="t", finish="stop", created=0, model="m"),
                VECTORS[number],
                60,
            )
            model[key] = scope
        else:
            await store.drop(key)
            model.pop(key, None)
    for number in range(8):
        for scope in "xy":
            found = await store.search(scope, VECTORS[number], 5, 0.9)
            assert bool(found) == (model.get(f"k{number}") == scope)
