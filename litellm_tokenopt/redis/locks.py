"""Locks in Redis, each for a limited time: who is at work on what, across processes."""

from __future__ import annotations

from typing import Any

from .pool import RedisPool

# All act only for who still holds the lock: it may have run out, and be somebody else's by now.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_REPLACE = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then "
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0"
)


class RedisLocks:
    """Locks under ``{begin}{key}``, each on one key of its own. Every method raises `RedisUnavailable`."""

    def __init__(self, pool: RedisPool, begin: str) -> None:
        self._pool = pool
        self._begin = begin

    async def take(self, key: str, token: str, seconds: float) -> bool:
        """Whether the lock is *token*'s now, for at most *seconds*."""
        taken = await self._pool.call(
            lambda client: client.set(self._begin + key, token, nx=True, px=_milliseconds(seconds))
        )
        return bool(taken)

    async def holder(self, key: str) -> str | None:
        """The token that holds the lock, or what it was replaced by."""
        found: Any = await self._pool.call(lambda client: client.get(self._begin + key))
        return None if found is None else str(found, "utf-8")

    async def renew(self, key: str, token: str, seconds: float) -> bool:
        """Whether the lock is *token*'s still, for *seconds* from now on."""
        return bool(await self._run(_RENEW, key, token, _milliseconds(seconds)))

    async def release(self, key: str, token: str) -> None:
        """Let go of *token*'s lock, if it's still its own."""
        await self._run(_RELEASE, key, token)

    async def replace(self, key: str, token: str, note: str, seconds: float) -> None:
        """Leave *note* in the place of *token*'s lock, if it's still its own, for *seconds*."""
        await self._run(_REPLACE, key, token, note, _milliseconds(seconds))

    async def _run(self, script: str, key: str, *arguments: str | int) -> Any:
        async def run(client: Any) -> Any:
            return await client.execute_command("EVAL", script, 1, self._begin + key, *arguments)

        return await self._pool.call(run)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
