"""Server processes on the loopback: free ports, the wait until they answer, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

LOOK_SECONDS = 0.05
END_SECONDS = 15.0


class Running(ABC):
    """What runs while its context is open."""

    @abstractmethod
    def start(self) -> None:
        """Start it; where that raises, it's closed."""

    @abstractmethod
    def close(self) -> None:
        """End it, as far as it was started."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def comes_up(process: subprocess.Popen[bytes], answers: Callable[[], bool], seconds: float) -> bool:
    """Wait until the server *answers*; False once *process* has ended, or *seconds* have passed."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if answers():
            return True
        time.sleep(LOOK_SECONDS)
    return False


def end(process: subprocess.Popen[bytes], seconds: float = END_SECONDS) -> None:
    """Ask *process*, which leads a group, to end; after *seconds* end the whole group."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
