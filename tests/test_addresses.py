"""What URLs of Redis mean."""

from __future__ import annotations

import pytest

from litellm_tokenopt.addresses import read_address


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "plain"),
    [
        ("redis://me:pw@h:1/2?x=1", "server", [("h", 1)], "redis://me:pw@h:1/2?x=1"),
        ("unix:///tmp/r.sock", "server", [], "unix:///tmp/r.sock"),
        ("redis+cluster://h", "cluster", [("h", 6379)], "redis://h:6379"),
        ("rediss+cluster://u:p%40@a:1,b:2?ssl_ca_certs=c", "cluster", [("a", 1), ("b", 2)],
         "rediss://u:p%40@a:1?ssl_ca_certs=c"),
        ("redis://a:1,b:2", "cluster", [("a", 1), ("b", 2)], "redis://a:1"),
        ("redis://a:1?cluster=true", "cluster", [("a", 1)], "redis://a:1"),
        ("redis+cluster://[::1]:7,[::2]:8/0", "cluster", [("::1", 7), ("::2", 8)], "redis://[::1]:7"),
        ("redis+sentinel://:p@a,b:5/main/3", "sentinel", [("a", 26379), ("b", 5)], "redis://:p@a:26379/3"),
        ("rediss+sentinel://a", "sentinel", [("a", 26379)], "rediss://a:26379"),
    ],
)  # fmt: skip
def test_kinds(url: str, kind: str, hosts: list[tuple[str, int]], plain: str) -> None:
    """RedisVL's forms and the schemes of their own lead to the same."""
    address = read_address(url)
    assert (address.kind, list(address.hosts), address.plain) == (kind, hosts, plain)


def test_sentinels() -> None:
    """A service that isn't named is the usual one, and sentinels may have a login of their own, or none."""
    assert read_address("redis+sentinel://a").service == "mymaster"
    assert read_address("redis+sentinel://:p@a/main").sentinel_login is None
    assert read_address("redis+sentinel://:p@a/main?sentinel_password=").sentinel_login == {}
    other = read_address("redis+sentinel://:p@a/main?sentinel_username=u&sentinel_password=q&ssl_ca_certs=c")
    assert (other.sentinel_login, other.plain) == (
        {"username": "u", "password": "q"},
        "redis://:p@a:26379?ssl_ca_certs=c",
    )
