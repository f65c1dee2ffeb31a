"""Redis clients, as an address and the settings ask for."""

from __future__ import annotations

from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError

from ..addresses import Address, Host, read_address
from ..errors import RedisUnavailable
from ..settings import RedisSettings

HEALTH_CHECK_SECONDS = 30


class Clients:
    """What one event loop uses of the Redis at *url*. Connects at the first command. Raises `RedisUnavailable`."""

    def __init__(self, url: str, settings: RedisSettings) -> None:
        self._settings = settings
        try:
            self._address = read_address(url)
            self._login = _options(self._address)
            self._all: Any = self._opened()
            if self._address.kind != "cluster":
                # An option that redis-py doesn't know would fail at each connection.
                self._all.connection_pool.make_connection()
        except (ValueError, TypeError) as error:
            raise RedisUnavailable(f"redis.url can't be used: {error}") from None
        self._masters: dict[Host, Redis] = {}

    async def all(self) -> Any:
        """The client for commands on keys, wherever these are: a `Redis`, or a `RedisCluster` that knows its servers.

        Of commands that come before it does the first to be sent elsewhere has all connections closed.
        """
        if self._address.kind == "cluster":
            await self._all.initialize()
        return self._all

    async def at(self, name: str) -> Redis:
        """The client of the one server that holds the key *name*, for commands that are no cluster's own."""
        client = await self.all()
        if self._address.kind == "cluster":
            client = self._master(client.get_node_from_key(name))
        return cast(Redis, client)

    async def masters(self) -> list[Redis]:
        """The clients of all servers that hold keys."""
        client = await self.all()
        return [client] if self._address.kind != "cluster" else [*map(self._master, client.get_primaries())]

    async def look_again(self, name: str) -> None:
        """Learn where the key *name* is now."""
        await self._all.exists(name)

    async def aclose(self) -> None:
        for client in (*self._masters.values(), self._all):
            await client.aclose()
        pool = getattr(self._all, "connection_pool", None)
        if isinstance(pool, SentinelConnectionPool):
            await pool.sentinel_manager.aclose()

    def _master(self, node: ClusterNode) -> Redis:
        host = (str(node.host), int(node.port))
        if host not in self._masters:
            self._masters[host] = self._server(host=host[0], port=host[1], **self._tls_class, **self._login)
        return self._masters[host]

    def _opened(self) -> Any:
        if self._address.kind == "cluster":
            return self._cluster()
        if self._address.kind == "sentinel":
            return self._behind_sentinels()
        pool = BlockingConnectionPool.from_url(self._address.plain, **self._limits, **self._waiting)
        # RedisVL can't read search results in RESP3, redis-py's default.
        pool.connection_kwargs.update(protocol=2, decode_responses=False)
        return Redis.from_pool(pool)

    def _server(self, **options: Any) -> Redis:
        options = {**options, **self._limits, **self._waiting, "protocol": 2, "decode_responses": False}
        return Redis.from_pool(BlockingConnectionPool(**options))

    def _cluster(self) -> RedisCluster:
        nodes = [ClusterNode(*host) for host in self._address.hosts]
        return RedisCluster(
            startup_nodes=nodes, ssl=self._tls, protocol=2, **self._login, **{**self._limits, "retry": _retry(1)}
        )

    def _behind_sentinels(self) -> Redis:
        other = self._address.sentinel_login
        names = ("username", "password")
        login = {name: self._login[name] for name in names if name in self._login} if other is None else dict(other)
        ours = {**self._limits, "protocol": 2, "ssl": self._tls}
        shared = {name: value for name, value in self._login.items() if name.startswith("ssl_")}
        # No second try at a sentinel: there are others.
        asking = {**ours, **shared, **login, "retry": _retry(0)}
        sentinels: Any = Sentinel  # without types
        client: Redis = sentinels(list(self._address.hosts), sentinel_kwargs=asking).master_for(
            self._address.service, **ours, **self._login
        )
        return client

    @property
    def _limits(self) -> dict[str, Any]:
        return {
            "max_connections": self._settings.max_connections,
            "socket_timeout": self._settings.timeout_seconds,
            "socket_connect_timeout": self._settings.connect_timeout_seconds,
            "health_check_interval": HEALTH_CHECK_SECONDS,
            "retry": _retry(1),
        }

    @property
    def _waiting(self) -> dict[str, Any]:
        """For pools whose connections are waited for."""
        return {"timeout": self._settings.timeout_seconds}

    @property
    def _tls(self) -> bool:
        return self._address.plain.startswith("rediss:")

    @property
    def _tls_class(self) -> dict[str, Any]:
        return {"connection_class": SSLConnection} if self._tls else {}


def _options(address: Address) -> dict[str, Any]:
    """Credentials and options of *address*, as redis-py names them."""
    options: dict[str, Any] = dict(parse_url(address.plain))
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    return options


def _retry(times: int) -> Retry:
    # For a connection that the server has closed; a timeout is not tried again.
    return Retry(NoBackoff(), times, supported_errors=(ConnectionError,))
