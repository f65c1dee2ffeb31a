"""The plugin switched on against a model server, and what LiteLLM logged."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger

import litellm_tokenopt
from litellm_tokenopt.adapters.late_imports import import_now
from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.models import importance, onnx, pairs
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings


class Log(CustomLogger):
    """What LiteLLM told its loggers of finished calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []

    def log_success_event(self, kwargs, response_obj, start_time, end_time):
        self._note(kwargs)

    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self._note(kwargs)

    def _note(self, kwargs):
        told = kwargs.get("standard_logging_object") or {}
        metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
        self.calls.append(
            {
                "id": kwargs.get("litellm_call_id"),
                "hit": bool(kwargs.get("cache_hit")),
                "cost": kwargs.get("response_cost"),
                "tokens": (told.get("prompt_tokens"), told.get("completion_tokens")),
                "tokenopt": metadata.get("tokenopt"),
            }
        )

    def wait(self, wanted: Callable[[list[dict[str, Any]]], bool], seconds: float = 5.0) -> None:
        """Wait for LiteLLM's logging threads."""
        end = time.monotonic() + seconds
        while not wanted(self.calls) and time.monotonic() < end:
            time.sleep(0.02)
        assert wanted(self.calls), self.calls


class Loop:
    """An event loop in a thread, as an application has one: it outlives the single call."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@pytest.fixture(scope="session", autouse=True)
def late_imports() -> None:
    """LiteLLM's late imports, which each switching on would wait for, are there, and no collection looks at them."""
    import_now()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def models() -> Iterator[None]:
    """Models' weights are read from disk once for all plugins that tests switch on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "load_graph", functools.cache(onnx.load_graph))
        patch.setattr(pairs, "load_pairs", functools.cache(pairs.load_pairs))
        patch.setattr(importance, "load_words", functools.cache(importance.load_words))
        yield


@pytest.fixture
def models_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each plugin reads them for itself, as ever."""
    for module, name in ((onnx, "load_graph"), (pairs, "load_pairs"), (importance, "load_words")):
        monkeypatch.setattr(module, name, getattr(module, name).__wrapped__)


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def off_afterwards() -> Iterator[None]:
    """Each test leaves LiteLLM as it found it."""
    yield
    litellm_tokenopt.disable()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    yield log
    for name in ("callbacks", "success_callback", "_async_success_callback", "input_callback", "failure_callback"):
        items = getattr(litellm, name)
        items[:] = [item for item in items if item is not log]


@pytest.fixture(scope="session", autouse=True)
def redis_server(loop: Loop) -> Iterator[None]:
    """One embedded Redis for all tests: what one has embedded, the next finds there."""
    pool = RedisPool(RedisSettings(url="embedded"))
    loop.run(pool.call(lambda client: client.ping()))
    yield
    loop.run(pool.aclose())


# Tests run beside each other's leftovers on small machines; what they check is not speed.
SETTINGS = {"redis": {"url": "embedded"}, "time_budget_seconds": 60}


@pytest.fixture
def switch_on(redis_server: None) -> Callable[..., Any]:
    """Switch the plugin on with the tests' settings and some more; gives the plugin."""
    return lambda **more: litellm_tokenopt.enable({**SETTINGS, **more}).plugin


@pytest.fixture
def on(log: Log, switch_on: Callable[..., Any]) -> Any:
    """The plugin on, and what LiteLLM logs noted."""
    plugin = switch_on()
    litellm.callbacks.append(log)
    return plugin
