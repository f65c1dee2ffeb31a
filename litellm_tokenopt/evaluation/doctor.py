"""Whether all that the plugin works with is there, and what to do where it isn't."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import SettingsError, UnavailableError
from ..settings import Settings, TelemetrySettings, load_settings

if TYPE_CHECKING:
    from ..models.base import Embedder

State: TypeAlias = Literal["ok", "warn", "fail"]

LITELLM_RANGE = ("1.106.2", "1.109.2")
"""Versions of LiteLLM that the plugin is tested with: from the first on, below the second."""

INSTALL_MODEL = "pip install 'litellm-tokenopt[local]'; until then only literal repeats are answered from the cache"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do about it (empty when it's fine)."""

    name: str
    state: State
    found: str
    advice: str = ""


async def examine(source: Settings | Mapping[str, Any] | str | PathLike[str] | None = None) -> list[Check]:
    """Look at everything, in the order in which it's needed. Raises nothing for what is found wrong."""
    try:
        settings = load_settings(source)
    except SettingsError as error:
        return [
            Check("settings", "fail", str(error), "correct what is named (config/settings.yaml has all)"),
            check_litellm(),
        ]
    checks = [_check_settings(settings), check_litellm(), await asyncio.to_thread(_check_encoding)]
    for look in (_check_redis, _check_embedder, _check_index):
        checks.append(await look(settings))
    return checks


def healthy(checks: Iterable[Check]) -> bool:
    """Whether nothing failed; warnings are allowed."""
    return all(check.state != "fail" for check in checks)


def _check_settings(settings: Settings) -> Check:
    stages = [name for name in ("cache", "tools", "prompt", "context") if getattr(settings, name).enabled]
    found = f"mode {settings.mode}; stages: {', '.join(stages) or 'none'}"
    if settings.mode == "off" or not stages:
        return Check("settings", "warn", found, "nothing is optimised: set mode to on and enable a stage")
    return Check("settings", "ok", found)


def check_litellm() -> Check:
    """LiteLLM's version, against the range that the plugin is tested with."""
    first, end = LITELLM_RANGE
    advice = f"pip install 'litellm[mcp]>={first},<{end}'"
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return Check("litellm", "fail", "not installed", advice)
    if not _parts(first) <= _parts(version) < _parts(end):
        return Check("litellm", "warn", f"{version}, outside the tested range", advice)
    return Check("litellm", "ok", version)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _check_encoding() -> Check:
    from ..tokens import count_text, encoding

    try:
        name = encoding().name
        tokens = count_text("Is the encoding's table there?")
    except Exception as error:  # tiktoken raises what its download raised
        advice = "install litellm (it ships the table), or set TIKTOKEN_CACHE_DIR to a folder that holds it"
        return Check("token counts", "fail", f"{type(error).__name__}: {error}", advice)
    return Check("token counts", "ok", f"{name}, {tokens} tokens for a short sentence")


async def _check_redis(settings: Settings) -> Check:
    from ..redis.pool import RedisPool

    pool = RedisPool(settings.redis)
    try:
        if not await asyncio.to_thread(lambda: pool.enabled):
            return _without_redis(settings)
        return _redis_found(await pool.health())
    finally:
        await pool.aclose()


def _without_redis(settings: Settings) -> Check:
    found = "none: answers are kept in each process's memory"
    if settings.redis.url == "memory":
        return Check("redis", "ok", f"{found}, as redis.url says")
    advice = "pip install 'litellm-tokenopt[local]' for the embedded server, or set redis.url to a Redis 8 or Stack"
    return Check("redis", "warn", found, advice)


def _redis_found(health: Mapping[str, Any]) -> Check:
    if not health["reachable"]:
        advice = "start the server or correct redis.url; until then requests go on without shared answers"
        return Check("redis", "fail", f"{health['url']}: {health['error']}", advice)
    used, limit = (health.get(f"{name}_memory_bytes") or 0 for name in ("used", "max"))
    memory = f"{used / 2**20:.1f} MiB used of {f'{limit / 2**20:.0f} MiB' if limit else 'no limit'}"
    found = f"{health['url']}: {health['server']}, {health['ping_ms']:.2f} ms, {memory}"
    if not health["search"]:
        advice = "use Redis 8, Redis Stack or redis.url: embedded; without vector search only literal repeats hit"
        return Check("redis", "fail", f"{found}, no vector search", advice)
    if not limit:
        return Check("redis", "warn", f"{found}, vector search", "set maxmemory and an eviction policy on the server")
    return Check("redis", "ok", f"{found}, vector search")


async def _check_embedder(settings: Settings) -> Check:
    from ..models.build import build_embedder, describe

    if settings.embedder.backend == "litellm":
        return Check("embedder", "ok", f"{settings.embedder.model}, asked for through LiteLLM (not tried here)")
    facts = await asyncio.to_thread(describe, settings.embedder)
    if not facts["ok"]:
        return Check("embedder", "fail", str(facts["problem"]), INSTALL_MODEL)
    if facts.get("weights_ok") is False:
        return Check("embedder", "fail", f"{facts['files']}: not the published weights", f"reinstall; {INSTALL_MODEL}")
    if facts.get("exported") is False:
        found = f"{facts['name']}: not exported yet"
        return Check("embedder", "warn", found, "run `tokenopt warmup`, else the first requests wait for the export")
    try:
        return await _timed(build_embedder(settings.embedder))
    except UnavailableError as error:
        return Check("embedder", "fail", str(error), INSTALL_MODEL)


async def _check_index(settings: Settings) -> Check:
    """The index of the cached answers under this embedder's name."""
    from ..optimizer import TokenOptimizer

    async with TokenOptimizer(settings.model_copy(update={"telemetry": TelemetrySettings(enabled=False)})) as optimizer:
        facts = await optimizer.parts.cache.health()
    if facts["store"] == "memory":
        return Check("index", "ok", "none: answers are kept in each process's memory")
    if not facts.get("search") or not facts["reachable"]:
        return Check("index", "fail", "can't be looked at", "see redis above")
    return _index_found(facts.get("indexes", []))


def _index_found(indexes: Sequence[Mapping[str, Any]]) -> Check:
    if not indexes:
        return Check("index", "ok", "none yet: the first stored answer makes it")
    for index in indexes:
        if not index["as_named"]:
            found = (
                f"{index['name']} is {index['algorithm']} with {index['dimensions']} dimensions, not what its name says"
            )
            return Check(
                "index", "fail", found, f"redis-cli FT.DROPINDEX {index['name']}; the next answer makes it again"
            )
    found = "; ".join(
        f"{index['algorithm']}, {index['dimensions']} dimensions, {index['documents']} answers, "
        f"{index['memory_bytes'] / 2**20:.1f} MiB of vectors{'' if index['built'] else ', still being built'}"
        for index in indexes
    )
    return Check("index", "ok", found)


async def _timed(embedder: Embedder) -> Check:
    """Embed two questions: the first loads the model."""
    await embedder.embed(["Is the embedding model there?"])
    begun = time.perf_counter()
    await embedder.embed(["And how long does another question take?"])
    ms = (time.perf_counter() - begun) * 1000
    found = f"{embedder.name}, {embedder.dimensions} dimensions, {ms:.1f} ms a question"
    return Check("embedder", "ok", found)
