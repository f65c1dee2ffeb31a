"""What was embedded once is not embedded again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.errors import ModelUnavailable, RedisUnavailable
from litellm_tokenopt.models.memoised import MemoisedEmbedder


class CountingEmbedder:
    """Unit vectors made from a text's hash; remembers what it was asked."""

    name = "counting"
    dimensions = 8

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([self.vector(text) for text in texts], np.float32).reshape(-1, self.dimensions)

    def vector(self, text: str) -> np.ndarray:
        raw = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[: self.dimensions]
        row = np.frombuffer(raw, np.uint8).astype(np.float32) + 1
        return row / np.linalg.norm(row)


class DictStore:
    """A vector store in a dict, which can be switched off."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.works = True

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        self._check()
        return [self.values.get(key) for key in keys]

    async def put_many(self, items: Mapping[str, bytes]) -> None:
        self._check()
        self.values |= items

    def _check(self) -> None:
        if not self.works:
            raise RedisUnavailable("switched off")


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def counting() -> CountingEmbedder:
    return CountingEmbedder()


@given(calls=st.lists(st.lists(st.text(max_size=3), max_size=6), max_size=5), size=st.integers(1, 8))
@settings(max_examples=60)
def test_a_memo_changes_no_vector(calls, size):
    """Whatever was asked before, whatever the memo's size: the inner embedder's vectors, in order."""
    inner = CountingEmbedder()
    memoised = MemoisedEmbedder(inner, size, DictStore())
    for texts in calls:
        vectors = asyncio.run(memoised.embed(texts))
        assert vectors.shape == (len(texts), inner.dimensions)
        assert all(np.array_equal(row, inner.vector(text)) for row, text in zip(vectors, texts, strict=True))
    assert len(inner.asked) == len(set(inner.asked))


async def test_identical_texts_of_one_call_are_embedded_once(counting):
    """In the order of their first appearance."""
    await MemoisedEmbedder(counting, 10).embed(["b", "a", "b", "a", "a"])
    assert counting.asked == ["b", "a"]


async def test_the_least_recently_used_vector_goes_first(counting):
    """At most memo_entries are kept."""
    memoised = MemoisedEmbedder(counting, 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await memoised.embed([text])
    assert counting.asked == ["a", "b", "c", "b"]


async def test_callers_may_change_what_they_get(counting):
    """The memo's own vectors stay as they are."""
    memoised = MemoisedEmbedder(counting, 10)
    (await memoised.embed(["a"]))[:] = 0
    assert np.array_equal((await memoised.embed(["a"]))[0], counting.vector("a"))


async def test_another_process_finds_what_one_stored(store):
    """The bits are the same, and the second model isn't asked."""
    first, second = CountingEmbedder(), CountingEmbedder()
    stored = await MemoisedEmbedder(first, 10, store).embed(["a", "b"])
    found = await MemoisedEmbedder(second, 10, store).embed(["b", "a", "c"])
    assert np.array_equal(found[:2], stored[::-1])
    assert second.asked == ["c"]


async def test_models_never_share_vectors(store):
    """The embedder's name is part of a stored key."""
    other = CountingEmbedder()
    other.name = "other"
    await MemoisedEmbedder(CountingEmbedder(), 10, store).embed(["a"])
    await MemoisedEmbedder(other, 10, store).embed(["a"])
    assert other.asked == ["a"]


@pytest.mark.parametrize("junk", [b"", b"abc", b"\0" * 32, b"\xff" * 32, b"junkjunk" * 4])
async def test_junk_in_the_store_is_not_a_vector(counting, store, junk):
    """What isn't a unit vector is embedded anew."""
    memoised = MemoisedEmbedder(counting, 10, store)
    await memoised.embed(["a"])
    store.values = dict.fromkeys(store.values, junk)
    fresh = MemoisedEmbedder(counting, 10, store)
    assert np.array_equal((await fresh.embed(["a"]))[0], counting.vector("a"))


async def test_without_its_store_embedding_goes_on(counting, store, caplog):
    """One line is logged per outage, and none per request."""
    memoised = MemoisedEmbedder(counting, 10, store)
    with caplog.at_level(logging.WARNING):
        for works, text in ((False, "a"), (False, "b"), (True, "c"), (False, "d")):
            store.works = works
            assert np.array_equal((await memoised.embed([text]))[0], counting.vector(text))
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "switched off" in caplog.text


async def test_a_missing_model_is_told(counting):
    """The memo swallows its store's errors, not the model's."""

    async def embed(texts):
        raise ModelUnavailable("no model")

    counting.embed = embed
    with pytest.raises(ModelUnavailable, match="no model"):
        await MemoisedEmbedder(counting, 10).embed(["a"])


async def test_a_memoised_text_costs_next_to_nothing(counting):
    """Under 0.1 ms for one text."""
    memoised = MemoisedEmbedder(counting, 10)
    await memoised.embed(["a question of usual length, about this and that?"])
    costs = []
    for _ in range(200):
        start = time.perf_counter()
        await memoised.embed(["a question of usual length, about this and that?"])
        costs.append(time.perf_counter() - start)
    assert min(costs) < 1e-4
