"""What every store of answers does: memory, Redis, and memory in front of Redis."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from litellm_tokenopt.cache import redisvl_store
from litellm_tokenopt.cache.scope import entry_key
from litellm_tokenopt.cache.stores import AnswerStore, Selection


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
    for text, vector in {"a": unit(1), "b": unit(1, 0.2), "c": unit(1, 0.5), "d": unit(0, 1)}.items():
        await store.put(make.entry(key=entry_key("s1", text), text=text), vector, 60)
    hits = await store.search("s1", unit(1), 2, 0.8)
    assert [hit.entry.text for hit in hits] == ["a", "b"]
    assert hits[1].similarity == pytest.approx(float(unit(1) @ unit(1, 0.2)), abs=1e-4)
    assert [hit.entry.text for hit in await store.search("s1", unit(1), 5, 0.85)] == ["a", "b", "c"]


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
    key = entry_key("s1", "k")
    await store.put(make.entry(key=key, text="old"), unit(1), 60)
    await store.put(make.entry(key=key, text="new"), unit(0, 1), 60)
    found = await store.get_exact(key)
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


TAGGED = [
    {"key": "a", "model": "gpt-4o", "tenant": "team:blue user:ann", "tags": ("docs", "v1"), "created": 100.0},
    {"key": "b", "model": "gpt-4o", "tenant": "team:blue user:bob", "tags": ("docs",), "created": 200.0},
    {"key": "c", "model": "x/y/sonnet", "tenant": "team:red", "tags": (), "created": 300.0},
    {"key": "d", "model": "", "tenant": "", "tags": ("v1",), "created": 400.0},
]
MEANT = {
    "all": (Selection(), "dcba"),
    "key": (Selection(key="b"), "b"),
    "unknown key": (Selection(key="z"), ""),
    "tag": (Selection(tag="docs"), "ba"),
    "part of a tag": (Selection(tag="doc"), ""),
    "other case": (Selection(tag="Docs"), ""),
    "model": (Selection(model="gpt-4o"), "ba"),
    "model without its provider": (Selection(model="sonnet"), "c"),
    "model with a part of what stands before it": (Selection(model="y/sonnet"), "c"),
    "part of a model": (Selection(model="net"), ""),
    "another provider's model": (Selection(model="azure/gpt-4o"), ""),
    "tenant": (Selection(tenant="team:blue"), "ba"),
    "whole tenant": (Selection(tenant="user:ann team:blue"), "a"),
    "age": (Selection(created_until=200.0), "ba"),
    "two conditions": (Selection(tag="v1", model="gpt-4o"), "a"),
    "key and another": (Selection(key="a", tag="v1"), "a"),
    "key and what fails": (Selection(key="b", tag="v1"), ""),
    "all conditions": (Selection(key="a", tag="docs", model="gpt-4o", tenant="user:ann", created_until=100.0), "a"),
}


@pytest.fixture
async def tagged(store: AnswerStore, make: SimpleNamespace) -> AnswerStore:
    """A store with the entries of `TAGGED`; the first and last have no vector."""
    for values, vector in zip(TAGGED, (None, unit(1), unit(0, 1), None), strict=True):
        await store.put(make.entry(**values), vector, 60)
    return store


@pytest.mark.parametrize(("selection", "keys"), MEANT.values(), ids=MEANT)
async def test_select_and_remove_what_is_meant(tagged: AnswerStore, selection: Selection, keys: str) -> None:
    """What is chosen is listed newest first; removing it takes just that, and says how much it was."""
    assert "".join(entry.key for entry in await tagged.select(selection, 10)) == keys
    assert [entry.key for entry in await tagged.select(selection, 1)] == list(keys[:1])
    assert await tagged.remove(selection) == len(keys)
    left = {entry.key for entry in await tagged.select(Selection(), 10)}
    assert left == set("abcd") - set(keys)
    assert {key for key in "abcd" if await tagged.get_exact(key)} == left
    assert await tagged.remove(selection) == 0


@pytest.mark.parametrize(
    "tag", ["a|b, c", "Zoë ☃", "*", "a*", "{x}", '"\\', "@tags:[1 2]", "-not", "%", "a" * 128, "\ud800"]
)
async def test_tags_are_taken_literally(store: AnswerStore, make: SimpleNamespace, tag: str) -> None:
    """Nothing in a tag is a sign of the store's query language."""
    for key, tags in {"k1": (tag,), "k2": ("a", "b", "x")}.items():
        await store.put(make.entry(key=key, tags=tags, model=tag, tenant=f"team:{tag.replace(' ', '_')}"), None, 60)
    team = f"team:{tag.replace(' ', '_')}"
    for selection in (Selection(tag=tag), Selection(tag=tag, model=tag, tenant=team)):
        assert [entry.key for entry in await store.select(selection, 5)] == ["k1"]
    assert await store.remove(Selection(tag=tag)) == 1


@pytest.mark.parametrize("name", ["key", "tag", "model", "tenant"])
def test_an_empty_condition_is_an_error(name: str) -> None:
    """An empty text could mean nothing or everything: it's refused."""
    with pytest.raises(ValueError, match=name):
        Selection(**{name: " "})


async def test_removed_is_found_neither_way(tagged: AnswerStore) -> None:
    """A removed entry's vector goes with it."""
    await tagged.remove(Selection(tag="docs"))
    assert await tagged.search("s1", unit(1), 5, 0.9) == []
    assert len(await tagged.search("s1", unit(0, 1), 5, 0.9)) == 1


async def test_remove_many(store: AnswerStore, make: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """More entries than fit one batch are all listed and removed, the others stay."""
    monkeypatch.setattr(redisvl_store, "BATCH", 20)
    await asyncio.gather(*(store.put(make.entry(key=f"k{n}", tags=(str(n % 7 > 0),)), None, 60) for n in range(90)))
    assert len(await store.select(Selection(tag="True"), 50)) == 50
    assert await store.remove(Selection(tag="True")) == 77
    assert len(await store.select(Selection(), 100)) == 13


async def test_holdings(tagged: AnswerStore) -> None:
    """What is kept is counted by model, with its size and its times."""
    held = {one.model: one for one in await tagged.holdings()}
    assert {model: one.entries for model, one in held.items()} == {
        "gpt-4o": 2,
        "x/y/sonnet": 1,
        "": 1,
    }
    assert (held["gpt-4o"].oldest, held["gpt-4o"].newest) == (100.0, 200.0)
    assert held["x/y/sonnet"].bytes > held[""].bytes > 50


async def test_holdings_of_nothing(store: AnswerStore) -> None:
    """An empty store holds no model's answers."""
    assert await store.holdings() == []
    assert await store.select(Selection(), 5) == []
