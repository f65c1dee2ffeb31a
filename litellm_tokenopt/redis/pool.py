"""The guarded way to Redis: one pool of connections an event loop, a timeout, a circuit breaker."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..addresses import read_address
from ..errors import RedisUnavailable
from ..settings import RedisSettings
from .breaker import CircuitBreaker
from .endpoint import Endpoint, resolve, without_redis

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from .clients import Clients
    from .embedded import EmbeddedServer

logger = logging.getLogger(__name__)

T = TypeVar("T")
CLOSED = "the connection pool is closed"


@dataclass(slots=True)
class _Connection:
    """What one event loop uses; connections can't be shared between loops. *turns* is as many as there are of them."""

    turns: asyncio.Semaphore
    clients: Clients | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RedisPool:
    """Redis as *settings* name it. Connects, and starts an embedded server, at the first call.

    May be used from several event loops, and in a process forked from the one that made it.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._closed = False
        self._forget_process()

    def _forget_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._connections: dict[asyncio.AbstractEventLoop, _Connection] = {}
        self._endpoint: Endpoint | None = None
        self._server_checked = False
        self._breaker = CircuitBreaker(self._settings.breaker_failures, self._settings.breaker_seconds)

    @property
    def enabled(self) -> bool:
        """Whether there is a Redis to call: false for ``memory``, and for ``auto`` where no server was found."""
        try:
            return self._resolved().url is not None
        except RedisUnavailable:
            return True

    @property
    def private(self) -> bool:
        """Whether its Redis is an embedded server that this program's own processes alone use; starts none."""
        if self._resolved().server is None:
            return False
        from .embedded import is_private

        return is_private()

    @property
    def answering(self) -> bool:
        """Whether the last calls succeeded; asks nobody."""
        return self._breaker.state == "closed"

    @property
    def clustered(self) -> bool:
        """Whether keys are spread over the masters of a cluster: only keys with the same ``{…}`` are together."""
        url = self._settings.url
        return "://" in url and read_address(url).kind == "cluster"

    async def call(self, operation: Callable[[Redis], Awaitable[T]], at: str | None = None) -> T:
        """What *operation*, a few commands on the client, returns.

        In a cluster each of them goes where its key is (no command or transaction may name keys of different places);
        with *at* they all go to the server that holds the key of this name, as commands without keys have to.

        Raises `RedisUnavailable` for every error of Redis and the network, when it takes longer than
        ``connect_timeout_seconds + timeout_seconds`` in all or ``timeout_seconds`` for one reply, while the breaker
        is open, and when there is no Redis. The error that Redis gave is behind it (`__cause__`). What else
        *operation* raises, and cancellation, passes through.
        """
        self._check_fork()
        self._check_may_call()
        began = self._breaker.now
        try:
            clients = await self._clients()
            # Waiting for our own calls is no fault of the server's, and takes none of its time.
            async with self._turn(), asyncio.timeout(self._longest_seconds):
                result = await (_run(clients, operation) if at is None else _run_at(clients, at, operation))
        except Exception as error:
            ours = self._judged(error, began)
            if ours is None or ours is error:
                raise
            raise ours from error
        except BaseException:
            self._breaker.release()
            raise
        self._answered()
        return result

    @property
    def _longest_seconds(self) -> float:
        return self._settings.connect_timeout_seconds + self._settings.timeout_seconds

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One call's part of the connections. Raises `failures.crowding` when it must wait for others too long."""
        from .failures import crowding

        turns = self._connection().turns
        try:
            # A clock takes more time than a turn that is free.
            async with asyncio.timeout(self._longest_seconds) if turns.locked() else nullcontext():
                await turns.acquire()
        except TimeoutError:
            raise crowding() from None
        try:
            yield
        finally:
            turns.release()

    async def client(self) -> Redis:
        """The client of the running event loop (``decode_responses=False``, RESP2), unguarded: `call` guards.

        Finds, and if need be starts, the server first. Raises `RedisUnavailable` when there is none. The pool owns
        the client: don't close it.
        """
        client: Redis = await (await self._clients()).all()
        return client

    async def _clients(self) -> Clients:
        self._check_fork()
        connection = self._connection()
        if connection.clients is None or not self._server_checked:
            await self._prepare(connection)
        assert connection.clients is not None
        return connection.clients

    async def aclose(self) -> None:
        """Close the connections, and let go of an embedded server. The pool can't be used afterwards."""
        self._check_fork()
        self._closed = True
        connections, self._connections = self._connections, {}
        here = asyncio.get_running_loop()
        for loop, connection in connections.items():
            if connection.clients is not None and loop is here:
                await connection.clients.aclose()
            elif connection.clients is not None and loop.is_running():
                asyncio.run_coroutine_threadsafe(connection.clients.aclose(), loop)
        if self._endpoint and self._endpoint.server:
            await asyncio.to_thread(self._endpoint.server.release)

    async def health(self) -> Mapping[str, Any]:
        """How the server does, asked now, past the breaker; never raises for an unreachable one.

        Always ``reachable``, ``url`` (no password) and ``breaker`` (closed | open | half_open); reachable:
        ``ping_ms``, ``server`` (name and version), ``search`` (whether it has vector search), ``used_memory_bytes``,
        ``max_memory_bytes`` (0: no limit); else ``error``.
        """
        try:
            async with asyncio.timeout(self._settings.connect_timeout_seconds + 2 * self._settings.timeout_seconds):
                servers = await (await self._clients()).masters()
                facts = {"reachable": True, **_together(await asyncio.gather(*map(_examine, servers)))}
        except Exception as error:
            ours = self._translated(error)
            if ours is None:
                raise
            facts = {"reachable": False, "error": str(ours)}
        return {**facts, "url": self._name(), "breaker": self._breaker.state}

    def _check_fork(self) -> None:
        if self._pid != os.getpid():
            # Kept alive: closing them here would take the sockets out of the parent's selector, which is shared.
            self._inherited = (self._connections, self._endpoint)
            self._forget_process()

    def _connection(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if loop not in self._connections:
            self._connections = {known: c for known, c in self._connections.items() if not known.is_closed()}
            self._connections[loop] = _Connection(asyncio.Semaphore(self._settings.max_connections))
        return self._connections[loop]

    async def _prepare(self, connection: _Connection) -> None:
        async with connection.lock:
            if connection.clients is None or not self._server_checked:
                url = await asyncio.to_thread(self._ready_url)
                from .clients import Clients

                connection.clients = connection.clients or Clients(url, self._settings)

    def _resolved(self) -> Endpoint:
        with self._lock:
            if self._endpoint is None:
                self._endpoint = resolve(self._settings)
            return self._endpoint

    def _ready_url(self) -> str:
        """The URL of a server that runs, as far as that is in our hands."""
        if self._closed:
            raise RedisUnavailable(CLOSED)
        endpoint = self._resolved()
        if endpoint.url is not None:
            from . import clients  # noqa: F401  (slow at first: here, in a thread, the event loop goes on)
        if endpoint.server is not None:
            endpoint = self._with_server_started(endpoint, endpoint.server)
        if endpoint.url is None:
            raise RedisUnavailable(endpoint.reason)
        self._server_checked = True
        return endpoint.url

    def _with_server_started(self, endpoint: Endpoint, server: EmbeddedServer) -> Endpoint:
        try:
            server.ensure()
        except RedisUnavailable as error:
            if self._settings.url != "auto":
                raise
            server.release()
            self._endpoint = endpoint = without_redis(str(error))
            logger.warning("redis.url is auto: using this process's memory: %s", error)
        if self._closed:
            server.release()
            raise RedisUnavailable(CLOSED)
        return endpoint

    def _name(self) -> str:
        return self._endpoint.name if self._endpoint else self._settings.url

    def _check_may_call(self) -> None:
        absence = self._absence()
        if absence:
            raise RedisUnavailable(absence)
        if not self._breaker.allow():
            raise RedisUnavailable(
                f"Redis ({self._name()}) failed {self._settings.breaker_failures} times in a row and is left alone "
                f"for another {self._breaker.seconds_left:.0f} s"
            )

    def _absence(self) -> str:
        """Why there is nothing to call, as far as that is known; else empty."""
        if self._closed:
            return CLOSED
        return self._endpoint.reason if self._endpoint else ""

    def _translated(self, error: Exception) -> RedisUnavailable | None:
        """*error* as ours, None where Redis and the network have no part in it."""
        if isinstance(error, RedisUnavailable):
            return error
        from .failures import explained, foreign_cause

        cause = foreign_cause(error)
        return explained(cause, self._name(), self._settings) if cause else None

    def _judged(self, error: Exception, began: float) -> RedisUnavailable | None:
        """*error* of a call that *began* then, as ours, after telling the breaker what it says about the server."""
        if self._absence():
            self._breaker.release()
            return self._translated(error)
        from .failures import foreign_cause, is_absence, is_crowding, is_silence

        ours, cause = self._translated(error), foreign_cause(error)
        if ours is None or (cause is not None and is_crowding(cause)):
            self._breaker.release()
        elif cause is not None and not is_silence(cause):
            self._answered()
        else:
            self._server_checked &= cause is not None and not is_absence(cause)
            self._failed(ours, began)
        return ours

    def _answered(self) -> None:
        if self._breaker.success():
            logger.info("Redis (%s) answers again", self._name())

    def _failed(self, error: RedisUnavailable, began: float) -> None:
        if self._breaker.failure(began):
            logger.warning("%s; leaving it alone for %g s", error, self._settings.breaker_seconds)


async def _run(clients: Clients, operation: Callable[[Redis], Awaitable[T]]) -> T:
    return await operation(await clients.all())


async def _run_at(clients: Clients, name: str, operation: Callable[[Redis], Awaitable[T]]) -> T:
    try:
        return await operation(await clients.at(name))
    except Exception as error:
        from .failures import is_moved

        if not is_moved(error):
            raise
    await clients.look_again(name)
    return await operation(await clients.at(name))


def _together(servers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What was found of each of the *servers* as that of one."""
    first = servers[0]
    if len(servers) == 1:
        return first
    sizes = {
        name: [int(one[name]) for one in servers if name in one] for name in ("used_memory_bytes", "max_memory_bytes")
    }
    return {
        "ping_ms": max(one["ping_ms"] for one in servers),
        "server": f"{first['server']}, cluster of {len(servers)}",
        # One server without a limit is enough to have none.
        **{name: sum(found) if all(found) else 0 for name, found in sizes.items()},
        "search": all(one["search"] for one in servers),
    }


async def _examine(client: Any) -> dict[str, Any]:
    from redis.exceptions import ResponseError

    await client.ping()
    begun = time.perf_counter()
    await client.ping()
    facts: dict[str, Any] = {"ping_ms": round((time.perf_counter() - begun) * 1000, 3)}
    try:
        info = await client.info()
        facts["server"] = _server_name(info)
        facts["used_memory_bytes"], facts["max_memory_bytes"] = info["used_memory"], info.get("maxmemory", 0)
        await client.execute_command("FT._LIST")
    except ResponseError:
        return {"server": "unknown", **facts, "search": False}
    return {**facts, "search": True}


def _server_name(info: Mapping[str, Any]) -> str:
    name = str(info.get("server_name", "redis"))
    return f"{name} {info.get(f'{name}_version', info.get('redis_version', ''))}".strip()
