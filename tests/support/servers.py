"""Real servers on loopback ports: a cluster of three masters, and a master with a replica and its sentinel."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis

from litellm_tokenopt.evaluation.processes import free_ports
from litellm_tokenopt.redis.embedded import ServerParts

SLOTS = 16_384
PASSWORD = "s3cret"


def eventually(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What *holds* gives once that is true."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = holds()
        except redis.ConnectionError:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


class Server:
    """One server process, with a folder of its own."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self.port = port
        self._folder = Path(tempfile.mkdtemp(prefix="tokenopt-test-"))
        line = [*command, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            line, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )

    def ask(self, *command: Any, password: str | None = PASSWORD) -> Any:
        with redis.Redis(port=self.port, password=password, protocol=2) as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class Cluster:
    """Three masters that hold all slots between them; *moved* slots go from one to another."""

    def __init__(self, parts: ServerParts) -> None:
        options = ["--save", "", "--cluster-enabled", "yes", "--loadmodule", str(parts.module)]
        options += ["--requirepass", PASSWORD, "--cluster-port"]
        ports = free_ports(6)
        self.servers = [
            Server([str(parts.server), *options, str(bus)], port)
            for port, bus in zip(ports[:3], ports[3:], strict=True)
        ]
        try:
            self._join(ports[3:])
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers[:2])
        return f"redis+cluster://:{PASSWORD}@{hosts}"

    def _join(self, buses: Sequence[int]) -> None:
        share = SLOTS // 3 + 1
        first = self.servers[0]
        for n, server in enumerate(self.servers):
            eventually(lambda server=server: server.ask("PING"))
            server.ask("CLUSTER ADDSLOTSRANGE", n * share, min(SLOTS, (n + 1) * share) - 1)
        for server, bus in zip(self.servers[1:], buses[1:], strict=True):
            first.ask("CLUSTER MEET", "127.0.0.1", server.port, bus)
        for server in self.servers:
            eventually(lambda server=server: _knows_all(server.ask("CLUSTER INFO")))

    def flush(self) -> None:
        for server in self.servers:
            server.ask("FLUSHALL")

    def stop(self) -> None:
        for server in self.servers:
            server.kill()


class Guarded:
    """A master with the search module, its replica, and a sentinel that puts the one in the place of the other."""

    service = "answers"

    def __init__(self, parts: ServerParts) -> None:
        ports = free_ports(3)
        options = [str(parts.server), "--save", "", "--loadmodule", str(parts.module)]
        options += ["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0"]
        self.master = Server(options, ports[0])
        self.replica = Server([*options, "--replicaof", "127.0.0.1", str(ports[0])], ports[1])
        self._config = Path(tempfile.mkdtemp(prefix="tokenopt-test-")) / "sentinel.conf"
        watched = f"sentinel monitor {self.service} 127.0.0.1 {ports[0]} 1\n"
        watched += f"sentinel auth-pass {self.service} {PASSWORD}\n"
        watched += (
            f"sentinel down-after-milliseconds {self.service} 500\nsentinel failover-timeout {self.service} 3000\n"
        )
        self._config.write_text(watched)
        eventually(lambda: b"master_link_status:up" in _text(self.replica.ask("INFO", "replication")))
        self.sentinel = Server([str(parts.server), str(self._config), "--sentinel"], ports[2])
        eventually(self._replica_is_known)

    @property
    def url(self) -> str:
        """With a sentinel that nobody runs first."""
        (nobody,) = free_ports(1)
        hosts = f"127.0.0.1:{nobody},127.0.0.1:{self.sentinel.port}"
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{self.service}/0?sentinel_password="

    def _replica_is_known(self) -> bool:
        return bool(self.sentinel.ask("SENTINEL REPLICAS", self.service, password=None))

    def stop(self) -> None:
        for server in (self.sentinel, self.replica, self.master):
            server.kill()
        shutil.rmtree(self._config.parent, ignore_errors=True)


def _text(answer: Any) -> bytes:
    """An answer to INFO, as text or as redis-py reads it."""
    return answer if isinstance(answer, bytes) else "\n".join(f"{k}:{v}" for k, v in answer.items()).encode()


def _knows_all(info: Any) -> bool:
    text = _text(info)
    return b"cluster_state:ok" in text and b"cluster_known_nodes:3" in text
