"""What every store of answers does: memory, Redis, and memory in front of Redis."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from litellm_tokenopt.cache.stores import AnswerStore


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.zeros(64, dtype=np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


async def test_exact_gives_the_very_entry(store: AnswerStore, make: SimpleNamespace) -> None:
    """What was stored under a key comes back equal, payload and all."""
    entry = make.entry(payload={"text": "ünï ☃ \ud800", "list": [1, 2.5, None, True], "nested": {"a": {}}})
    await store.put(entry, unit(1), 60)
    assert await store.get_exact(entry.key) == entry


async def test_unknown_key_is_a_miss(store: AnswerStore) -> None:
    """Nothing is found where nothing was stored."""
    assert await store.get_exact("nothing") is None
    assert await store.search("s1", unit(1), 5, 0.0) == []


async def test_search_ranks_and_cuts(store: AnswerStore, make: SimpleNamespace) -> None:
    """Search gives the nearest first, at most k, none below the threshold, with their cosines."""
    for key, vector in {"a": unit(1), "b": unit(1, 0.2), "c": unit(1, 0.5), "d": unit(0, 1)}.items():
        await store.put(make.entry(key=key), vector, 60)
    hits = await store.search("s1", unit(1), 2, 0.8)
    assert [hit.entry.key for hit in hits] == ["a", "b"]
    assert hits[1].similarity == pytest.approx(float(unit(1) @ unit(1, 0.2)), abs=1e-4)
    assert [hit.entry.key for hit in await store.search("s1", unit(1), 5, 0.85)] == ["a", "b", "c"]


async def test_search_keeps_to_its_scope(store: AnswerStore, make: SimpleNamespace) -> None:
    """The same vector in another scope is not found."""
    await store.put(make.entry(scope="s1"), unit(1), 60)
    assert await store.search("s2", unit(1), 5, 0.0) == []
    assert await store.search("s", unit(1), 5, 0.0) == []


async def test_entries_expire(store: AnswerStore, make: SimpleNamespace) -> None:
    """After its time to live an entry is gone, though it was hit meanwhile."""
    entry = make.entry()
    await store.put(entry, unit(1), 0.4)
    await asyncio.sleep(0.2)
    assert await store.get_exact(entry.key) is not None
    assert await store.search("s1", unit(1), 5, 0.9)
    await asyncio.sleep(0.3)
    assert await store.get_exact(entry.key) is None
    assert await store.search("s1", unit(1), 5, 0.9) == []


async def test_put_replaces(store: AnswerStore, make: SimpleNamespace) -> None:
    """A later entry under the same key takes the earlier one's place, vector included."""
    await store.put(make.entry(key="k", text="old"), unit(1), 60)
    await store.put(make.entry(key="k", text="new"), unit(0, 1), 60)
    found = await store.get_exact("k")
    assert found is not None
    assert found.text == "new"
    assert await store.search("s1", unit(1), 5, 0.9) == []
    assert len(await store.search("s1", unit(0, 1), 5, 0.9)) == 1


async def test_no_vector_is_exact_only(store: AnswerStore, make: SimpleNamespace) -> None:
    """An entry without a vector is found by its key alone, also when it had one before."""
    entry = make.entry()
    await store.put(entry, unit(1), 60)
    await store.put(entry, None, 60)
    assert await store.get_exact(entry.key) == entry
    assert await store.search("s1", unit(1), 5, 0.0) == []


async def test_drop(store: AnswerStore, make: SimpleNamespace) -> None:
    """A dropped entry is found neither way; dropping what isn't there is no error."""
    entry = make.entry()
    await store.put(entry, unit(1), 60)
    await store.drop(entry.key)
    await store.drop(entry.key)
    assert await store.get_exact(entry.key) is None
    assert await store.search("s1", unit(1), 5, 0.0) == []


async def test_health(store: AnswerStore) -> None:
    """A store says what it is and that it's there."""
    health = await store.health()
    assert health["store"] in ("memory", "redis")
    assert health["reachable"] is True
