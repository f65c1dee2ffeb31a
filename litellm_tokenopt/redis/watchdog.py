"""Holds the embedded server for the processes that use it; run as a program, with the standard library alone.

``python -I -S watchdog.py FOLDER SERVER ARGUMENT…`` returns when the server in FOLDER answers on its socket (exit
code 0), or when it can't be started (exit code 1, the reason on standard error). A process of its own stays behind.

- Users hold a shared lock on ``FOLDER/lease``; the kernel drops it when a process ends, however it ends. When nobody
  has held it for `GRACE_SECONDS`, the server is stopped and FOLDER removed.
- The watchdog holds an exclusive lock on FOLDER itself, so that there is one server in it (and cleaners of temporary
  files pass it by). Another watchdog for the same FOLDER waits for the first one's server.
- A server that dies, or whose socket somebody removed, is started again, unless that happens within
  `LEAST_LIFE_SECONDS` of its start; then the watchdog gives up.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

START_SECONDS = 5.0
GRACE_SECONDS = 2.0
POLL_SECONDS = 0.25
LEAST_LIFE_SECONDS = 5.0
STOP_SECONDS = 2.0
READY = "ready"
PR_SET_PDEATHSIG = 1
FILES = ("redis.sock", "server.log", "lease")


class Server:
    """The server process of one folder."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self._folder = folder
        self._command = command
        self._started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str | None:
        """Start, and wait until it answers; what went wrong, or None."""
        with open(self._folder / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_too
            )
        self._started_at = time.monotonic()
        while time.monotonic() - self._started_at < START_SECONDS:
            if answers(self._folder):
                return None
            if self._process.poll() is not None:
                return self._last_words()
            time.sleep(0.005)
        self.stop()
        return f"no answer within {START_SECONDS:.0f} s; {self._last_words()}"

    def keep_up(self) -> bool:
        """Whether it runs and can be reached, after starting it again if need be."""
        runs = self._process is None or self._process.poll() is None
        if runs and (self._folder / "redis.sock").exists():
            return True
        self.stop()
        return time.monotonic() - self._started_at > LEAST_LIFE_SECONDS and self.start() is None

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self) -> str:
        code = self._process.poll() if self._process else None
        lines = (self._folder / "server.log").read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), f"it ended with code {code}")


def answers(folder: Path) -> bool:
    """Whether a server answers on the folder's socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(0.5)
        try:
            connection.connect(os.fspath(folder / "redis.sock"))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def _die_too() -> None:
    """In the server's process, on Linux: end when the watchdog is killed.

    At once: a server that takes its time removes its socket in the end, which may be the next server's by then.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_folder(folder: Path) -> int | None:
    """The folder's lock as a file descriptor, or None when another watchdog's server answers."""
    file = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + START_SECONDS
    while not _lock(file):
        if answers(folder):
            return None
        if time.monotonic() > deadline:
            raise OSError("another watchdog holds the folder, but its server does not answer")
        time.sleep(0.02)
    return file


def _wait_for_last_user(server: Server, lease: int) -> None:
    """Return with the exclusive lease when nobody uses the server, or when the server can't be held."""
    free_since: float | None = None
    while server.keep_up():
        if not _lock(lease):
            free_since = None
        elif free_since is None:
            free_since = time.monotonic()
        elif time.monotonic() - free_since >= GRACE_SECONDS:
            return
        fcntl.flock(lease, fcntl.LOCK_UN)
        time.sleep(POLL_SECONDS)


def _remove(folder: Path) -> None:
    """Remove what we made there; a folder with other things in it stays."""
    for name in FILES:
        with contextlib.suppress(OSError):
            os.unlink(folder / name)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _say(caller: BinaryIO, word: str) -> None:
    """Tell the waiting caller how the start went; only the first word counts."""
    if not caller.closed:
        caller.write(word.encode())
        caller.close()


def _hold(folder: Path, command: list[str], caller: BinaryIO) -> None:
    lock = _lock_folder(folder)
    if lock is None:
        return _say(caller, READY)
    lease = os.open(folder / "lease", os.O_RDWR | os.O_CREAT, 0o600)
    server = Server(folder, command)
    try:
        fault = server.start()
        _say(caller, fault or READY)
        if fault is None:
            _wait_for_last_user(server, lease)
    finally:
        server.stop()
        _remove(folder)


def _quit(*_: object) -> None:
    raise SystemExit(0)


def _stay(folder: Path, command: list[str], caller: BinaryIO) -> None:
    """The process that stays: without the streams and signals of the one that called."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    signal.signal(signal.SIGTERM, _quit)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _hold(folder, command, caller)
    except OSError as error:
        _say(caller, str(error))


def main(arguments: list[str]) -> int:
    folder, command = Path(arguments[0]), arguments[1:]
    heard, tell = os.pipe()
    if os.fork() == 0:
        os.close(heard)
        with os.fdopen(tell, "wb") as caller:
            _stay(folder, command, caller)
        return 0
    os.close(tell)
    with os.fdopen(heard, "rb") as words:
        word = words.read().decode(errors="replace")
    if word == READY:
        return 0
    sys.stderr.write(word or "the watchdog ended without a word")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
