"""Where `redis.url` leads."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from ..errors import RedisUnavailable
from ..settings import RedisSettings

if TYPE_CHECKING:
    from .embedded import EmbeddedServer

logger = logging.getLogger(__name__)

NO_PARTS = "neither the packages of litellm-tokenopt[local] nor a Redis 8 with its search module on PATH was found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server's address: `name` is for people and holds no password, `url` is what to connect to.

    `url` None means that there is no Redis, and `reason` says why.
    """

    name: str
    url: str | None = None
    server: EmbeddedServer | None = None
    reason: str = ""


def resolve(settings: RedisSettings) -> Endpoint:
    """The endpoint of *settings*; starts nothing. Raises `RedisUnavailable` for ``embedded`` without its parts."""
    if settings.url == "memory":
        return without_redis("redis.url is memory")
    if settings.url in ("auto", "embedded"):
        return _embedded(settings)
    return Endpoint(name=without_secrets(settings.url), url=settings.url)


def without_redis(reason: str) -> Endpoint:
    return Endpoint(name="memory", reason=f"there is no Redis: {reason}")


def without_secrets(url: str) -> str:
    """*url* without user, password, query and fragment."""
    parts = urlsplit(url)
    if "@" in parts.path + parts.query + parts.fragment:
        # A password that should have been quoted: where it begins and ends can't be told.
        return f"{parts.scheme}://…"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _embedded(settings: RedisSettings) -> Endpoint:
    server = _embedded_server(settings)
    if server is not None:
        _say_if_auto(settings, logging.INFO, f"the embedded server in {server.socket.parent}")
        return Endpoint(name="embedded", url=f"unix://{quote(str(server.socket))}", server=server)
    if settings.url == "embedded":
        raise RedisUnavailable(
            "redis.url is embedded, but its server is not installed: pip install 'litellm-tokenopt[local]' "
            "(Python 3.11 on Linux x86-64 or macOS), or name a Redis 8 server in redis.url"
        )
    _say_if_auto(settings, logging.WARNING, f"this process's memory: {NO_PARTS}; workers share nothing")
    return without_redis(NO_PARTS)


def _embedded_server(settings: RedisSettings) -> EmbeddedServer | None:
    if sys.platform == "win32":
        return None
    from .embedded import EmbeddedServer, find_parts, server_folder

    parts = find_parts()
    return EmbeddedServer(parts, server_folder(), settings.embedded_max_memory_mb) if parts else None


def _say_if_auto(settings: RedisSettings, level: int, choice: str) -> None:
    if settings.url == "auto":
        logger.log(level, "redis.url is auto: using %s", choice)
