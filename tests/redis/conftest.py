"""Real servers: an embedded one for all tests, and one on a TCP port with a password."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE, EmbeddedServer, ServerParts, find_parts
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings


@pytest.fixture(scope="session")
def parts() -> ServerParts:
    found = find_parts()
    if found is None:
        pytest.skip("needs a server: pip install 'litellm-tokenopt[local]' on Python 3.11")
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a path short enough for a socket, removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="tokenopt-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_server(parts: ServerParts) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tokenopt-test-"))
    server = EmbeddedServer(parts, path, 64)
    server.ensure()
    yield path
    server.release()


@pytest.fixture
async def pool(shared_server: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisPool]:
    """A pool on an empty embedded server."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(shared_server))
    pool = RedisPool(RedisSettings(url="embedded"))
    await pool.call(lambda client: client.flushall())
    yield pool
    await pool.aclose()


class TcpServer:
    """A server on a loopback port, to be stopped, started and halted at will."""

    def __init__(self, parts: ServerParts) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._command = [str(parts.server), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--requirepass", "s3cret", "--daemonize", "no"]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:s3cret@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._accepts)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False


@pytest.fixture
def tcp_server(parts: ServerParts) -> Iterator[TcpServer]:
    server = TcpServer(parts)
    server.start()
    yield server
    server.stop()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until *condition* holds, and return how long that took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not within {seconds:g} s")
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., float]:
    return eventually


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python programs that know nothing of this process's server; ends them afterwards."""
    running: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str, command: tuple[str, ...] = (sys.executable,)) -> subprocess.Popen[str]:
        path = tmp_path / "program.py"
        path.write_text(code)
        environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
        process = subprocess.Popen(
            [*command, *([str(path)] if command == (sys.executable,) else []), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)
