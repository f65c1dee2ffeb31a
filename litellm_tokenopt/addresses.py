"""Where a Redis is, as a URL says it: one server, the masters of a cluster, or whatever a service's sentinels name.

The URLs of clusters and sentinels are those of RedisVL and of the package ``limits``; what stands before the hosts and
behind the question mark is redis-py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

Kind: TypeAlias = Literal["server", "cluster", "sentinel"]
Host: TypeAlias = tuple[str, int]

REDIS_PORT, SENTINEL_PORT = 6379, 26379
SERVICE = "mymaster"
"""What RedisVL and Redis's own examples call a service that isn't named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A Redis: *hosts* are where to ask first, *plain* is the URL that redis-py reads credentials and options from.

    *sentinel_login* is for the sentinels, where they want another one than the server; *service* is what they call it.
    """

    kind: Kind
    plain: str
    hosts: tuple[Host, ...] = ()
    service: str = ""
    sentinel_login: Mapping[str, str] | None = None


def read_address(url: str) -> Address:
    """The address that *url* gives. Raises ValueError for one that can't be."""
    parts = urlsplit(url)
    scheme, _, suffix = parts.scheme.partition("+")
    if parts.scheme == "unix" and parts.path:
        return Address(kind="server", plain=url)
    if scheme not in ("redis", "rediss") or suffix not in ("", "cluster", "sentinel"):
        raise ValueError(f"{parts.scheme}:// is no scheme for Redis")
    if suffix == "sentinel":
        return _sentinels(scheme, parts)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    hosts = _hosts(parts, REDIS_PORT)
    if suffix == "cluster" or len(hosts) > 1 or options.pop("cluster", "").lower() == "true":
        return _cluster(scheme, parts, hosts, options)
    return Address(kind="server", plain=url, hosts=hosts)


def _cluster(scheme: str, parts: SplitResult, hosts: tuple[Host, ...], options: Mapping[str, str]) -> Address:
    if parts.path not in ("", "/", "/0"):
        raise ValueError("a cluster has no numbered databases")
    return Address(kind="cluster", plain=_plain(scheme, parts, hosts[0], "", options), hosts=hosts)


def _sentinels(scheme: str, parts: SplitResult) -> Address:
    hosts = _hosts(parts, SENTINEL_PORT)
    service, _, database = parts.path.strip("/").partition("/")
    if database and not database.isdecimal():
        raise ValueError("behind the service's name only a database's number may follow")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    login = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    return Address(
        kind="sentinel",
        plain=_plain(scheme, parts, hosts[0], database, options),
        hosts=hosts,
        service=service or SERVICE,
        sentinel_login=_given(login),
    )


def _given(login: Mapping[str, str | None]) -> Mapping[str, str] | None:
    """What is given of *login*: an empty mapping where it's given as empty, None where it isn't given."""
    if all(value is None for value in login.values()):
        return None
    return {name: value for name, value in login.items() if value}


def _hosts(parts: SplitResult, port: int) -> tuple[Host, ...]:
    return tuple(_host(text, port) for text in parts.netloc.rpartition("@")[2].split(","))


def _host(text: str, port: int) -> Host:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("a host is missing, or its port is 0")
    return parts.hostname, parts.port or port


def _plain(scheme: str, parts: SplitResult, host: Host, database: str, options: Mapping[str, str]) -> str:
    login, at, _ = parts.netloc.rpartition("@")
    name = f"[{host[0]}]" if ":" in host[0] else host[0]
    return urlunsplit(
        (scheme, f"{login}{at}{name}:{host[1]}", f"/{database}" if database else "", urlencode(options), "")
    )
