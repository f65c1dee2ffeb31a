"""Redis's errors in our words: the one place that knows them."""

from __future__ import annotations

import redis.exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from ..errors import RedisUnavailable
from ..settings import RedisSettings

FOREIGN = (redis.exceptions.RedisError, redis.exceptions.RedisClusterException, OSError)
NO_CLUSTER = (redis.exceptions.RedisClusterException, redis.exceptions.ClusterDownError)
SILENT = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError, *NO_CLUSTER)
TIMEOUTS = (redis.exceptions.TimeoutError, TimeoutError)


NO_CONNECTION = "No connection available"
"""What redis-py's blocking pool says; it has no error of its own for it."""


def foreign_cause(error: BaseException) -> Exception | None:
    """The error of Redis, the system or a clock in *error* or behind it (other libraries wrap them), or None."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, FOREIGN):
        cause = cause.__cause__
    return cause


def is_silence(cause: Exception) -> bool:
    """Whether the server gave no usable answer, rather than one that we don't like."""
    return isinstance(cause, SILENT)


def is_absence(cause: Exception) -> bool:
    """Whether nobody is there, rather than somebody who is slow."""
    return is_silence(cause) and not isinstance(cause, TIMEOUTS)


def is_moved(error: BaseException) -> bool:
    """Whether the server says that another one of the cluster holds the key."""
    return isinstance(foreign_cause(error), redis.exceptions.MovedError)


def crowding() -> Exception:
    """What to raise where all our own connections are taken for too long."""
    return redis.exceptions.ConnectionError(NO_CONNECTION)


def is_crowding(cause: Exception) -> bool:
    """Whether all our own connections were taken, which says nothing of the server."""
    return isinstance(cause, redis.exceptions.ConnectionError) and NO_CONNECTION in str(cause)


def explained(cause: Exception, server: str, settings: RedisSettings) -> RedisUnavailable:
    """*cause* as our error, which says what to do."""
    return RedisUnavailable(f"Redis ({server}) {_what(cause, settings)}")


def _what(cause: Exception, settings: RedisSettings) -> str:
    if is_crowding(cause):
        return f"has no connection free: raise redis.max_connections ({settings.max_connections})"
    if isinstance(cause, TIMEOUTS):
        return (
            f"gave no answer within {settings.timeout_seconds:g} s: "
            "look at its load and the way there, or raise redis.timeout_seconds"
        )
    if isinstance(cause, (redis.exceptions.AuthenticationError, redis.exceptions.AuthorizationError)):
        return f"does not let us in ({cause}): correct user and password in redis.url"
    if isinstance(cause, redis.exceptions.BusyLoadingError):
        return "is still loading its data: it will be used when it is ready"
    if isinstance(cause, MasterNotFoundError):
        # What redis-py says here holds whole clients.
        return "has no master: its sentinels can't be reached, or name none that is up by the service's name"
    if isinstance(cause, SILENT):
        return f"can't be reached ({cause}): start it, or set redis.url to another server, embedded or memory"
    if isinstance(cause, redis.exceptions.OutOfMemoryError):
        return "is full: give it more memory, or an eviction policy (maxmemory-policy allkeys-lru)"
    if isinstance(cause, redis.exceptions.NoPermissionError):
        return f"forbids this user a command ({cause}): allow it in the server's ACL"
    if "unknown command" in str(cause) and "FT." in str(cause).upper():
        return "has no vector search: use Redis 8, Redis Stack, or redis.url embedded"
    return f"answered with an error: {cause}"
