"""The command ``tokenopt``: look at what the plugin would do, and whether all it needs is there.

Everything heavy is imported by the command that needs it, so that ``tokenopt --help`` is quick.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import InputError, TokenOptError

if TYPE_CHECKING:
    from rich.console import Console

    from .evaluation.replay import Replayed
    from .pipeline import Outcome

EXAMPLES = """\
examples:
  tokenopt doctor                                   is everything there that the plugin needs?
  tokenopt warmup                                   make the embedding model ready, before the first request
  tokenopt replay requests.jsonl                    what would it have saved on your own requests?
  tokenopt replay requests.jsonl --html report.html --model claude-sonnet-4-5
  tokenopt explain request.json                     what happens to this one request, stage by stage?
"""

OK, FAILED, INTERRUPTED = 0, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when all is well, 1 when something isn't, 2 for wrong arguments."""
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except TokenOptError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tokenopt",
        description="Fewer tokens and repeated answers without a model, for LiteLLM.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tokenopt {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_replay(commands)
    _add_explain(commands)
    _add_doctor(commands)
    _add_warmup(commands)
    return parser


def _command(commands: Any, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
    name = run.__name__.strip("_")
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=run.__doc__)
    parser.set_defaults(command=run)
    parser.add_argument("--settings", metavar="FILE", help="YAML, as `enable` or a proxy's configuration has it")
    return parser


def _add_replay(commands: Any) -> None:
    parser = _command(commands, _replay, "run a file of recorded requests through the plugin, without a model")
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    parser.add_argument("--model", metavar="M", help="for requests that name none, and for the prices")
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N requests")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page too")


def _add_explain(commands: Any) -> None:
    parser = _command(commands, _explain, "what each stage does to one request")
    parser.add_argument("file", metavar="REQUEST.json", help="the request's JSON; - reads it from standard input")
    parser.add_argument("--json", action="store_true", help="the steps, and what would be sent, as JSON")


def _add_doctor(commands: Any) -> None:
    parser = _command(commands, _doctor, "check settings, Redis, the embedding model and LiteLLM")
    parser.add_argument("--json", action="store_true", help="the checks as JSON")


def _add_warmup(commands: Any) -> None:
    _command(commands, _warmup, "make the embedding model ready before the first request")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


# --- replay ---------------------------------------------------------------------------------------------------


def _replay(options: argparse.Namespace) -> int:
    """Run recorded requests through the plugin with no model called, and report what it would have saved.

    A line of the file is a request's arguments ({"messages": [...], "tools": [...]}), or holds them under "body"
    (OpenAI's batch format) or "request"; "response" beside them is what the model said. Exit code 1 when a line can't
    be read; the others are replayed all the same.
    """
    from .evaluation.rendering import page, terminal
    from .evaluation.report import to_json

    replayed = _run_replay(options)
    if options.html is not None:
        _write_page(options.html, page(replayed.report))
    if options.json:
        print(to_json(replayed.report))
    else:
        _console().print(terminal(replayed.report))
    for bad in replayed.bad_lines:
        print(f"error: {bad.text}", file=sys.stderr)
    return FAILED if replayed.bad_lines else OK


def _run_replay(options: argparse.Namespace) -> Replayed:
    from .evaluation.replay import replay
    from .settings import load_settings

    settings = load_settings(options.settings)
    with _progress("replaying") as tell:
        return asyncio.run(replay(options.file, settings, model=options.model, limit=options.limit, progress=tell))


def _write_page(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: can't be written: {error.strerror or error}") from None


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; what is given is told (done, total)."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _console() -> Console:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 100)
    return console


# --- explain --------------------------------------------------------------------------------------------------


def _explain(options: argparse.Namespace) -> int:
    """Show what each stage does to one request, and what would be sent."""
    from .evaluation.replay import DEFAULT_MODEL, request_of

    try:
        recorded = request_of(json.loads(_read(options.file)))
    except (json.JSONDecodeError, InputError) as error:
        raise InputError(f"{options.file}: {error}") from None
    body = {"model": DEFAULT_MODEL, **recorded.body}
    outcome = asyncio.run(_decide(options.settings, body, recorded.surface))
    if outcome is None:
        raise InputError(f"{options.file}: LiteLLM would get this request as it is: it's not one that the plugin reads")
    if options.json:
        print(json.dumps(_explained(outcome, body), indent=2, ensure_ascii=False))
    else:
        _print_steps(outcome)
    return OK


async def _decide(settings: str | None, body: dict[str, Any], surface: Any) -> Outcome | None:
    from .optimizer import TokenOptimizer

    async with TokenOptimizer(settings) as optimizer:
        return await optimizer.before(body, surface)


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def _explained(outcome: Outcome, body: dict[str, Any]) -> dict[str, Any]:
    from .telemetry.summary import summary

    details = {step.stage: dict(step.verdict.detail) for step in outcome.steps}
    return {"summary": summary(outcome), "details": details, "sent": {**body, **outcome.changes}}


def _print_steps(outcome: Outcome) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head, justify in (("stage", "left"), ("before", "right"), ("after", "right"), ("ms", "right")):
        table.add_column(head, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("why")
    for step in outcome.steps:
        why = ", ".join([step.verdict.reason, *(f"{key} {value}" for key, value in step.verdict.detail.items())])
        counts = (f"{step.tokens_before:,}", f"{step.tokens_after:,}", f"{step.seconds * 1000:.1f}")
        table.add_row(step.stage, *counts, why)
    total = (f"{outcome.tokens_before:,}", f"{outcome.tokens_after:,}", f"{outcome.seconds * 1000:.1f}")
    table.add_row("all", *total, outcome.mode, style="bold")
    _console().print(table)


# --- doctor, warmup -------------------------------------------------------------------------------------------


def _doctor(options: argparse.Namespace) -> int:
    """Check settings, LiteLLM's version, token counts, Redis and the embedding model; exit code 1 when one fails."""
    from dataclasses import asdict

    from .evaluation.doctor import examine, healthy

    checks = asyncio.run(examine(options.settings))
    if options.json:
        print(json.dumps({"ok": healthy(checks), "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            print(f"{check.state:<5} {check.name:<13} {check.found}")
            if check.advice:
                print(f"{'':<5} {'':<13} → {check.advice}")
    return OK if healthy(checks) else FAILED


def _warmup(options: argparse.Namespace) -> int:
    """Export the embedding model (once for a machine and user) and load it, so that the first request needn't wait."""
    from rich.console import Console

    from .models.build import describe, warmup
    from .settings import load_settings

    settings = load_settings(options.settings).embedder
    with Console(stderr=True).status(f"getting {settings.model} ready (the first time takes about 15 s)"):
        folder = warmup(settings)
    if folder is None:
        print(f"{settings.model}: ready; backend {settings.backend} keeps no export")
        return OK
    print(f"{settings.model}: ready; {describe(settings).get('export_bytes', 0) / 2**20:.0f} MiB in {folder}")
    return OK


if __name__ == "__main__":
    sys.exit(main())
