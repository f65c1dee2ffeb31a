"""The embedded server: who shares it, and that it never outlives its users."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from litellm_tokenopt.errors import RedisUnavailable
from litellm_tokenopt.redis import embedded, watchdog
from litellm_tokenopt.redis.embedded import FOLDER_VARIABLE, SOCKET_NAME, EmbeddedServer, ServerParts, server_folder
from litellm_tokenopt.redis.pool import RedisPool
from litellm_tokenopt.settings import RedisSettings

Script = Callable[..., "subprocess.Popen[str]"]
Wait = Callable[..., float]

USE = """
import os, socket, sys
from litellm_tokenopt.redis.embedded import EmbeddedServer, find_parts, server_folder

def use():
    global server
    folder = server_folder()
    server = EmbeddedServer(find_parts(), folder, 64)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.ensure()))
        connection.sendall(b"INFO server\\r\\n")
        said = connection.recv(10_000).decode()
    return f"{folder} {said.split('process_id:')[1].split()[0]}"

def say(word):
    os.write(1, f"{word}\\n".encode())
"""
ONE_USER = f"{USE}\nsay(use())\nsys.stdin.read()\n"


def told(process: subprocess.Popen[str]) -> tuple[Path, int]:
    """The folder and the server's process number that a script prints."""
    assert process.stdout is not None
    folder, number = process.stdout.readline().split()
    return Path(folder), int(number)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or ") Z" not in Path(f"/proc/{pid}/stat").read_text()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def server_pid(path: Path) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"INFO server\r\n")
        return int(re.findall(r"process_id:(\d+)", connection.recv(10_000).decode())[0])


@pytest.fixture
def server(parts: ServerParts, folder: Path) -> Any:
    server = EmbeddedServer(parts, folder, 64)
    yield server
    server.release()


def test_the_folder_is_this_process_s_and_is_not_made_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again it is the same; nothing is created, and nothing is said to the programs started from here."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    folder = server_folder()
    assert f"-{os.getpid()}-" in folder.name
    assert server_folder() == folder
    assert FOLDER_VARIABLE not in os.environ
    # In a process of its own, because this one may have started a server for other tests.
    code = "from litellm_tokenopt.redis.embedded import server_folder; print(server_folder().exists())"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "False"


def test_a_long_temporary_path_is_avoided(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A unix socket's path has a hundred characters or so."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / ("x" * 100)))
    assert len(str(server_folder())) < embedded.LONGEST_SOCKET_PATH


def test_the_server_is_private_and_has_no_port(server: EmbeddedServer) -> None:
    """Folder and socket are the user's alone; no TCP port, nothing on disk, the memory it was given."""
    path = server.ensure()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    wanted = {
        "port": "0",
        "save": "",
        "appendonly": "no",
        "maxmemory": str(64 << 20),
        "maxmemory-policy": "allkeys-lru",
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        for name, value in wanted.items():
            connection.sendall(f"CONFIG GET {name}\r\n".encode())
            assert connection.recv(1000).decode().split("\r\n")[4] == value


def test_it_starts_quickly_and_once(server: EmbeddedServer, parts: ServerParts, folder: Path, eventually: Wait) -> None:
    """Asking again, here or with another hold on the same folder, finds the same server."""
    first = server_pid(server.ensure())
    other = EmbeddedServer(parts, folder, 64)
    assert {server_pid(server.ensure()), server_pid(other.ensure())} == {first}
    server.release()
    with pytest.raises(AssertionError):
        eventually(lambda: not runs(first), seconds=2.5)
    other.release()
    eventually(lambda: not runs(first) and not folder.exists())


def test_it_comes_back_while_it_is_ending(server: EmbeddedServer) -> None:
    """A new user just as the last one's server goes gets a server, at whatever moment."""
    for pause in (2.0, 2.3):
        server.ensure()
        server.release()
        time.sleep(pause)
        assert runs(server_pid(server.ensure()))


def test_a_broken_module_is_an_error_with_the_log_s_last_line(parts: ServerParts, folder: Path) -> None:
    """What the server said, and what to do instead."""
    module = folder / "broken.so"
    module.write_bytes(b"not a library")
    server = EmbeddedServer(ServerParts(server=parts.server, module=module), folder, 64)
    with pytest.raises(RedisUnavailable, match=r"Can't load module.*redis\.url"):
        server.ensure()
    assert module.exists()
    server.release()


def test_a_missing_program_is_an_error(parts: ServerParts, folder: Path) -> None:
    """The system's reason is given."""
    server = EmbeddedServer(ServerParts(server=folder / "none", module=parts.module), folder, 64)
    with pytest.raises(RedisUnavailable, match="No such file"):
        server.ensure()
    server.release()


def test_a_folder_that_others_can_enter_is_refused(parts: ServerParts, folder: Path) -> None:
    """Somebody else could have put a server there."""
    folder.chmod(0o770)
    with pytest.raises(RedisUnavailable, match="mode 0700"):
        EmbeddedServer(parts, folder, 64).ensure()


def test_a_full_disk_is_an_error(parts: ServerParts, folder: Path) -> None:
    """Where not even a lease can be written the reason is the system's; a file in the folder's place stands for it."""
    place = folder / "file"
    place.write_bytes(b"")
    with pytest.raises(RedisUnavailable, match="can't be started in"):
        EmbeddedServer(parts, place, 64).ensure()


def test_a_server_on_path_is_found(parts: ServerParts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages, a server of version 8 or later with its search module beside it is taken."""
    (folder / "bin").mkdir()
    (folder / "bin" / "valkey-server").symlink_to(parts.server)
    modules = folder / "lib/redis/modules"
    modules.mkdir(parents=True)
    (modules / "redisearch.so").symlink_to(parts.module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(embedded, "SYSTEM_MODULES", (modules,))
    monkeypatch.setenv("PATH", str(folder / "bin"))
    found = embedded.find_parts()
    assert found is not None
    server = EmbeddedServer(found, folder, 64)
    assert runs(server_pid(server.ensure()))
    server.release()


def test_an_old_server_on_path_is_passed_by(folder: Path, parts: ServerParts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 7 has no search of its own."""
    program = folder / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'\n")
    program.chmod(0o700)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(embedded, "SYSTEM_MODULES", (parts.module.parent,))
    monkeypatch.setenv("PATH", str(folder))
    assert embedded.find_parts() is None


def test_programs_that_name_the_same_folder_share(script: Script, server: EmbeddedServer, folder: Path) -> None:
    """TOKENOPT_EMBEDDED_DIR joins what would be apart."""
    other = script(f"import os\nos.environ[{FOLDER_VARIABLE!r}] = {str(folder)!r}\n{ONE_USER}")
    assert told(other) == (folder, server_pid(server.ensure()))


def test_unrelated_programs_have_servers_of_their_own_that_end_with_them(script: Script, eventually: Wait) -> None:
    """Two scripts of one parent share nothing; one ends as it should and one is killed, and both servers go."""
    first, second = script(ONE_USER), script(ONE_USER)
    (folder_a, server_a), (folder_b, server_b) = told(first), told(second)
    assert folder_a != folder_b
    assert server_a != server_b
    first.kill()
    assert second.stdin is not None
    second.stdin.close()
    second.stdin = None
    assert second.wait(10) == 0
    eventually(lambda: not runs(server_a) and not folder_a.exists())
    eventually(lambda: not runs(server_b) and not folder_b.exists())


def test_workers_spawned_by_one_parent_share(script: Script, eventually: Wait) -> None:
    """The parent never asks for the server itself; the workers ask at the same time."""
    code = f"""{USE}
import multiprocessing
def work():
    say(use())
    sys.stdin.close()
    import time; time.sleep(60)
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, daemon=True) for _ in range(2)]
    for worker in workers: worker.start()
    sys.stdin.read()
    for worker in workers: worker.kill()
"""
    parent = script(code)
    (folder, server), again = told(parent), told(parent)
    assert again == (folder, server)
    parent.communicate(timeout=10)
    eventually(lambda: not runs(server) and not folder.exists())


@pytest.mark.skipif(sys.platform != "linux", reason="plain forks are told apart on Linux alone")
def test_workers_forked_by_one_parent_share(script: Script, eventually: Wait) -> None:
    """So do the workers of servers that fork, each the first to load the plugin; the last one's end ends it."""
    code = f"""
import os, sys, time
for _ in range(2):
    if os.fork() == 0:
        exec({USE!r})
        say(use())
        time.sleep(60)
sys.stdin.read()
os.killpg(0, 9)
"""
    parent = script(code, command=("setsid", sys.executable, "-c", code))
    (folder, server), again = told(parent), told(parent)
    assert again == (folder, server)
    parent.communicate(timeout=10)
    eventually(lambda: not runs(server) and not folder.exists())


@pytest.mark.parametrize(
    "command",
    [
        ("uvicorn", "--workers", "2", "--log-level", "critical", "--port", "0", "application:application"),
        ("gunicorn", "--workers", "2", "--log-level", "critical", "--bind", "127.0.0.1:0", "application:application"),
    ],
    ids=["uvicorn", "gunicorn"],
)
def test_workers_of_a_web_server_share(
    command: tuple[str, ...], script: Script, tmp_path: Path, eventually: Wait
) -> None:
    """Real servers with two workers that load the application each for itself."""
    pytest.importorskip(command[0])
    (tmp_path / "application.py").write_text(
        f"{USE}\nsay(use())\nasync def application(scope, receive, send):\n    await receive()\n"
    )
    process = script("", command=(sys.executable, "-m", *command))
    first, second = told(process), told(process)
    assert first == second
    process.terminate()
    process.communicate(timeout=20)
    eventually(lambda: not runs(first[1]) and not first[0].exists())


async def test_a_forked_process_uses_the_server_by_its_own_connection(pool: RedisPool) -> None:
    """Parent and child of a fork after the first use both go on, and don't read each other's replies."""
    await pool.call(lambda client: client.set("who", "parent"))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # The parent's loop runs in this thread; the child's own runs in another one.
            import threading

            def in_child() -> None:
                nonlocal code
                assert asyncio.run(pool.call(lambda client: client.get("who"))) == b"parent"
                asyncio.run(pool.call(lambda client: client.set("child", "was here")))
                code = 0

            thread = threading.Thread(target=in_child)
            thread.start()
            thread.join(20)
        finally:
            os._exit(code)
    for _ in range(200):
        assert await pool.call(lambda client: client.get("who")) == b"parent"
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert await pool.call(lambda client: client.get("child")) == b"was here"


async def comes_back(pool: RedisPool, old: int) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            info: Any = await pool.call(lambda client: client.info("server"))
        except RedisUnavailable:
            await asyncio.sleep(0.02)
            continue
        if info["process_id"] != old:
            return int(info["process_id"])
        await asyncio.sleep(0.02)
    raise AssertionError("no new server")


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")


@pytest.mark.parametrize("victim", ["server", pytest.param("watchdog", marks=on_linux)])
async def test_a_server_that_was_killed_is_replaced(
    victim: str, parts: ServerParts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether server or watchdog was killed: calls work again shortly, on a new server, without a restart of ours."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    pool = RedisPool(RedisSettings(url="embedded", breaker_seconds=0.2))
    info: Any = await pool.call(lambda client: client.info("server"))
    old = int(info["process_id"])
    os.kill(old if victim == "server" else parent_of(old), signal.SIGKILL)
    assert runs(await comes_back(pool, old))
    assert not runs(old)
    await pool.aclose()


def test_a_socket_that_was_removed_comes_back(
    parts: ServerParts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that nobody can reach is replaced, as one that died: cleaners of temporary files may remove a socket."""
    monkeypatch.setattr(watchdog, "LEAST_LIFE_SECONDS", 0.0)
    server = watchdog.Server(folder, parts.command(folder, 8))
    folder.mkdir(mode=0o700, exist_ok=True)
    assert server.start() is None
    try:
        (folder / SOCKET_NAME).unlink()
        assert server.keep_up()
        assert watchdog.answers(folder)
    finally:
        server.stop()
