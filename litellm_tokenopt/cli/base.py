"""What the commands share: arguments, what is read and written, and where the shared Redis is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from ..redis.pool import RedisPool

OK, FAILED, INTERRUPTED = 0, 1, 130


def command(
    commands: Any, run: Callable[[argparse.Namespace], int], summary: str, name: str | None = None
) -> argparse.ArgumentParser:
    """Add the command that *run* is, described by its docstring; its name is the function's unless *name* is given."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name or run.__name__.strip("_"), help=summary, description=run.__doc__
    )
    parser.set_defaults(command=run)
    parser.add_argument("--settings", metavar="FILE", help="YAML, as `enable` or a proxy's configuration has it")
    return parser


def positive(text: str) -> int:
    """An argument that is 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def read(path: str) -> str:
    """The text of a file, or (``-``) of standard input. Raises `InputError`."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def write_page(path: Path, text: str) -> None:
    """Write an HTML page. Raises `InputError`."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror or error}") from None


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; what is given is told (done, total)."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def console() -> Console:
    """Standard output; not narrower than 100 columns where that is no terminal."""
    from rich.console import Console

    made = Console()
    if not made.is_terminal:
        made.width = max(made.width, 100)
    return made


def check_shared(pool: RedisPool, url: str, what: str, elsewhere: str = "") -> None:
    """Raise `InputError` where the program whose *what* are asked for keeps them out of this one's reach."""
    if pool.enabled and not pool.private:
        return
    kept = "a Redis server of its own" if pool.enabled else "its own memory"
    raise InputError(
        f"redis.url is {url}: the program that uses the plugin keeps its {what} in {kept}, out of reach from here. "
        "Name a redis:// URL in its settings, and the same here with --settings FILE or "
        f"TOKENOPT_REDIS__URL{elsewhere}"
    )
