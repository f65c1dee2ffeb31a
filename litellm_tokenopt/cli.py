"""The command ``tokenopt``: look at what the plugin would do, and whether all it needs is there.

Everything heavy is imported by the command that needs it, so that ``tokenopt --help`` is quick.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import __version__
from .errors import InputError, TokenOptError, UnavailableError

if TYPE_CHECKING:
    from rich.console import Console

    from .cache.manager import SemanticCacheManager
    from .cache.stores import Entry
    from .evaluation.explaining import Line
    from .evaluation.replay import Replayed
    from .evaluation.report import Report
    from .pipeline import Outcome
    from .prompt.linting import Finding
    from .redis.pool import RedisPool
    from .tools.learning import UsageStore

EXAMPLES = """\
examples:
  tokenopt doctor                                   is everything there that the plugin needs?
  tokenopt warmup                                   make the embedding model ready, before the first request
  tokenopt replay requests.jsonl                    what would it have saved on your own requests?
  tokenopt replay requests.jsonl --html report.html --model claude-sonnet-4-5
  tokenopt report traces.jsonl                      what did it do to the traffic, and which side of an experiment wins?
  tokenopt explain request.json                     what happens to this one request, message by message?
  tokenopt classify "book a flight to Rome"          what kind of task is it?
  tokenopt prompt split system_prompt.md             a system prompt as modules, to edit
  tokenopt cache drop --tag docs-v1                 take answers out of the cache that are right no longer
"""

PROMPT_EXAMPLES = """\
examples:
  tokenopt prompt split system_prompt.md > modules.yaml         its sections as modules, to edit
  tokenopt prompt split system_prompt.md --tools request.json   those about tools come with them
  tokenopt prompt lint modules.yaml --prompt system_prompt.md   what is needless, contradictory or never sent?
  tokenopt prompt lint system_prompt.md --json                  what does the prompt say twice?
"""

T = TypeVar("T")

OK, FAILED, INTERRUPTED = 0, 1, 130

CLASSIFIED_AT_ONCE = 64


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when all is well, 1 when something isn't, 2 for wrong arguments."""
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        done = command(options)
        sys.stdout.flush()
        return done
    except TokenOptError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever reads, such as `head`, has seen enough; what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    _add_traffic(commands)
    _add_explain(commands)
    _add_doctor(commands)
    _add_warmup(commands)
    _add_classify(commands)
    _add_cache(commands)
    _add_prompt(commands)
    _add_tools(commands)
    return parser


def _command(
    commands: Any, run: Callable[[argparse.Namespace], int], summary: str, name: str | None = None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name or run.__name__.strip("_"), help=summary, description=run.__doc__
    )
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


def _add_traffic(commands: Any) -> None:
    parser = _command(commands, _traffic, "what was done to the traffic that a collector's trace files hold", "report")
    parser.add_argument("files", type=Path, nargs="+", metavar="TRACES.jsonl")
    parser.add_argument("--since", metavar="AGE", help="only requests of this time: 90 (seconds), 15m, 12h, 7d")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page too")


def _add_explain(commands: Any) -> None:
    parser = _command(commands, _explain, "what each stage does to one request")
    parser.add_argument("file", metavar="REQUEST.json", help="the request's JSON; - reads it from standard input")
    parser.add_argument("--json", action="store_true", help="the steps, the messages, and what would be sent, as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page too")


def _add_doctor(commands: Any) -> None:
    parser = _command(commands, _doctor, "check settings, Redis, the embedding model and LiteLLM")
    parser.add_argument("--json", action="store_true", help="the checks as JSON")


def _add_warmup(commands: Any) -> None:
    _command(commands, _warmup, "make the embedding model ready before the first request")


def _add_classify(commands: Any) -> None:
    parser = _command(commands, _classify, "what kind of task a text is about")
    parser.add_argument("text", metavar="TEXT", help="- reads standard input, a text a line")


def _add_prompt(commands: Any) -> None:
    summary = "split a system prompt into modules, and look for what is needless in them"
    parser: argparse.ArgumentParser = commands.add_parser(
        "prompt", help=summary, description=summary, epilog=PROMPT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    split = _command(actions, _split, "write the modules of a prompt as YAML, to edit")
    split.add_argument("file", metavar="FILE", help="the prompt's text")
    split.add_argument("--json", action="store_true", help="the modules as JSON")
    check = _command(actions, _lint, "find repeats, contradictions and modules that are never sent")
    check.add_argument("file", metavar="FILE", help="modules (.yaml, .yml), or a prompt's text")
    check.add_argument("--prompt", metavar="FILE", help="the prompt that should hold the modules' texts")
    check.add_argument("--json", action="store_true", help="tokens and findings as JSON")
    for one in (split, check):
        one.add_argument("--tools", metavar="FILE.json", help="tools (a list, or a request) that the prompt is about")
        one.epilog, one.formatter_class = PROMPT_EXAMPLES, argparse.RawDescriptionHelpFormatter


def _add_cache(commands: Any) -> None:
    summary = "look at the cached answers, and take some out"
    parser: argparse.ArgumentParser = commands.add_parser("cache", help=summary, description=summary)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = _command(actions, _list, "the newest entries, or those that the conditions hold for")
    listing.add_argument("--limit", type=_positive, default=50, metavar="N", help="at most N entries (50)")
    dropping = _command(actions, _drop, "remove the entries that every condition given holds for")
    dropping.add_argument("--all", action="store_true", help="remove every entry")
    for action in (listing, dropping):
        _add_conditions(action)
    showing = _command(actions, _show, "one entry, with its answer")
    showing.add_argument("key", metavar="KEY")
    reporting = _command(actions, _report, "say that an entry's answer was right or wrong for whom it was given to")
    reporting.add_argument("key", metavar="KEY", help="as in the header x-tokenopt-cache-key of a hit")
    reporting.add_argument("verdict", choices=("right", "wrong"))
    for action in (
        listing,
        dropping,
        showing,
        reporting,
        _command(actions, _stats, "how much is kept, how old it is, and how often it was wrong"),
    ):
        action.add_argument("--json", action="store_true", help="as JSON")


def _add_tools(commands: Any) -> None:
    summary = "how tools are used, and lessons from it"
    parser: argparse.ArgumentParser = commands.add_parser("tools", help=summary, description=summary)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    counting = _command(actions, _tool_stats, "how often tools were chosen, called, found later, and failed", "stats")
    counting.add_argument("--tenant", metavar="T", help="of this one alone: team:blue, key:1f3870be274f, user:ann")
    for action in (
        counting,
        _command(actions, _publish, "make lessons from the use of tools; rarely: once a day, say"),
    ):
        action.add_argument("--json", action="store_true", help="as JSON")


def _add_conditions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", metavar="KEY", help="the entry under this key")
    parser.add_argument("--tag", metavar="TAG", help="with this tag (metadata.tokenopt.tags of the request)")
    parser.add_argument("--model", metavar="M", help="answered by this model")
    parser.add_argument("--tenant", metavar="T", help="with this in its label: team:blue, user:ann, key:1f3870be274f")
    parser.add_argument("--older-than", metavar="AGE", help="stored at least so long ago: 90 (seconds), 15m, 12h, 7d")


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
    replayed = _run_replay(options)
    return _tell(replayed.report, [bad.text for bad in replayed.bad_lines], options)


def _tell(report: Report, faults: Sequence[str], options: argparse.Namespace) -> int:
    """Show *report* as the *options* want it, and the *faults* of what was read for it."""
    from .evaluation.rendering import page, terminal
    from .evaluation.report import to_json

    if options.html is not None:
        _write_page(options.html, page(report))
    if options.json:
        print(to_json(report))
    else:
        _console().print(terminal(report))
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return FAILED if faults else OK


def _run_replay(options: argparse.Namespace) -> Replayed:
    from .evaluation.replay import replay
    from .settings import load_settings

    settings = load_settings(options.settings)
    with _progress("replaying") as tell:
        return asyncio.run(replay(options.file, settings, model=options.model, limit=options.limit, progress=tell))


def _traffic(options: argparse.Namespace) -> int:
    """Report what was done to requests, from traces: tokens, time, and both sides of an experiment or a holdout.

    The files are OTLP as JSON, a batch a line, as an OpenTelemetry collector's file exporter writes it. Exit code 1
    when a line can't be read; the others count all the same.
    """
    from .evaluation.observation import from_spans
    from .evaluation.report import report_of
    from .evaluation.spans import read_spans

    faults: list[str] = []
    spans = (span for file in options.files for span in read_spans(file, faults))
    seen = from_spans(spans, since_ns=int((time.time() - _seconds(options.since)) * 1e9) if options.since else 0)
    names = ", ".join(map(str, options.files))
    if not seen:
        raise InputError(f"no request of ours in {names}{f'; {faults[0]}' if faults else ''}")
    shadow = sum(one.mode == "shadow" for one in seen)
    notes = [f"{shadow:,} requests were decided in mode shadow, and sent as they came in."] if shadow else []
    return _tell(report_of(seen, title=f"Traffic in {names}", notes=notes), faults, options)


def _seconds(text: str) -> float:
    from .cache.inspection import seconds_of

    try:
        return seconds_of(text, "--since")
    except ValueError as error:
        raise InputError(str(error)) from None


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
    """Show what each stage does to one request, how much each message matters, and what becomes of it."""
    from .evaluation.explaining import explain, page, terminal
    from .evaluation.replay import DEFAULT_MODEL, request_of

    text = _read(options.file)
    try:
        recorded = request_of(json.loads(text))
    except json.JSONDecodeError as error:
        raise InputError(f"{options.file}: not JSON: {error}") from None
    except InputError as error:
        raise InputError(f"{options.file}: {error}") from None
    body = {"model": DEFAULT_MODEL, **recorded.body}
    outcome = asyncio.run(_decide(options.settings, body, recorded.surface))
    if outcome is None:
        raise InputError(f"{options.file}: LiteLLM would get this request as it is: it's not one that the plugin reads")
    lines = explain(outcome)
    if options.html is not None:
        _write_page(options.html, page(outcome, lines))
    if options.json:
        print(json.dumps(_explained(outcome, lines, body), indent=2, ensure_ascii=False))
    else:
        _print_steps(outcome)
        console = _console()
        console.print(terminal(lines, console.width))
    return OK


async def _decide(settings: str | None, body: dict[str, Any], surface: Any) -> Outcome | None:
    from .optimizer import TokenOptimizer

    async with TokenOptimizer(settings) as optimizer:
        with suppress(UnavailableError):
            await optimizer.warm()
        return await optimizer.before(body, surface)


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def _explained(outcome: Outcome, lines: Sequence[Line], body: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from .evaluation.explaining import SYSTEM_INDEX, as_json, shares
    from .telemetry.summary import summary

    details = {step.stage: dict(step.verdict.detail) for step in outcome.steps}
    messages = [as_json(line) for line in lines if line.index != SYSTEM_INDEX]
    return {
        "summary": summary(outcome), "details": details, "messages": messages,
        "levels": {level: asdict(share) for level, share in shares(lines).items()}, "sent": outcome.applied(body),
    }  # fmt: skip


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


# --- classify -------------------------------------------------------------------------------------------------


def _classify(options: argparse.Namespace) -> int:
    """Say which kind of task a text is about, as JSON: {"category", "confidence", "all"}; with -, an object a line."""
    if options.text != "-":
        asyncio.run(_print_intents(options.settings, [[options.text.encode(errors="replace").decode()]]))
        return OK
    lines = _typed_lines()
    at_once = 1 if sys.stdin.isatty() else CLASSIFIED_AT_ONCE
    batches = iter(lambda: list(islice(lines, at_once)), [])
    asyncio.run(_print_intents(options.settings, batches))
    return OK


def _typed_lines() -> Iterator[str]:
    """The lines of standard input; bytes that aren't UTF-8 are read as unknown characters."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    return map(str.strip, sys.stdin)


async def _print_intents(path: str | None, batches: Iterable[Sequence[str]]) -> None:
    from .models.build import build_embedder
    from .models.intents import IntentModel
    from .settings import load_settings
    from .taxonomy import read_taxonomy

    settings = load_settings(path)
    model = IntentModel(build_embedder(settings.embedder), read_taxonomy(settings.tools.intents))
    for texts in batches:
        for intent in await model.classify(texts):
            chances = {name: round(chance, 4) for name, chance in intent.all.items()}
            row = {"category": intent.category, "confidence": chances[intent.category], "all": chances}
            print(json.dumps(row, ensure_ascii=False), flush=True)


# --- prompt ---------------------------------------------------------------------------------------------------


def _split(options: argparse.Namespace) -> int:
    """Write the modules of a prompt: nested sections, each with a one-line summary and its tokens."""
    from .evaluation.prompt_commands import read_text, read_tools
    from .prompt.splitting import as_yaml, described, split_prompt

    modules = split_prompt(read_text(options.file), read_tools(options.tools) or frozenset())
    if options.json:
        _print_json({"modules": [described(module) for module in modules]})
    else:
        print(as_yaml(modules), end="")
    return OK


def _lint(options: argparse.Namespace) -> int:
    """Say what each module costs, and what is wrong with it; 1 where there are errors."""
    from dataclasses import asdict

    from .evaluation.prompt_commands import findings, read_any, read_text, read_tools, tokens_of
    from .settings import load_settings

    tools = read_tools(options.tools)
    modules = read_any(options.file, tools)
    prompt = read_text(options.prompt) if options.prompt else None
    found = asyncio.run(findings(modules, load_settings(options.settings), tools=tools, prompt=prompt))
    tokens = tokens_of(modules)
    if options.json:
        rows = [{"id": module.id, "under": module.under, "tokens": tokens[module.id]} for module in modules]
        _print_json({"modules": rows, "tokens": sum(tokens.values()), "findings": list(map(asdict, found))})
    else:
        _print_lint(tokens, found)
    return FAILED if any(one.severity == "error" for one in found) else OK


def _print_lint(tokens: dict[str, int], found: Sequence[Finding]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("module", overflow="fold")
    table.add_column("tokens", justify="right")
    table.add_column("found", overflow="fold")
    for id, count in tokens.items():
        lines = [f"{one.severity} ({one.rule}): {one.message}" for one in found if one.module == id]
        table.add_row(Text(id), f"{count:,}", Text("\n".join(lines)))
    _console().print(table)
    errors = sum(one.severity == "error" for one in found)
    print(f"{sum(tokens.values()):,} tokens, {errors} errors, {len(found) - errors} warnings")


# --- cache ----------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    """List cached answers, newest first."""
    from .cache.inspection import described

    async def ask(cache: SemanticCacheManager) -> list[dict[str, Any]]:
        entries = await cache.entries(**_conditions(options), limit=options.limit)
        return [described(entry, cache.age(entry)) for entry in entries]

    found = _with_cache(options.settings, ask)
    if options.json:
        _print_json(found)
    else:
        _print_entries(found)
    return OK


def _show(options: argparse.Namespace) -> int:
    """Show one cached answer."""
    from .cache.inspection import described

    async def ask(cache: SemanticCacheManager) -> tuple[Entry, float]:
        for entry in await cache.entries(key=options.key, limit=1):
            return entry, cache.age(entry)
        raise InputError(f"no answer that can be read is kept under the key {options.key}")

    entry, age = _with_cache(options.settings, ask)
    values = described(entry, age)
    if options.json:
        _print_json({**values, "payload": entry.payload})
    else:
        for name in ("key", "model", "tenant", "tags", "age_seconds", "finish"):
            print(f"{name:<12} {_shown(values[name])}")
        print(f"\n{entry.question}\n\n{entry.text}")
    return OK


def _drop(options: argparse.Namespace) -> int:
    """Remove cached answers: those for which every condition given holds, or --all."""
    conditions = _conditions(options)
    if bool(conditions) == options.all:
        raise InputError("name what to remove: --key, --tag, --model, --tenant, --older-than, or --all without these")

    async def ask(cache: SemanticCacheManager) -> tuple[int, list[Entry]]:
        removed = await (cache.clear() if options.all else cache.invalidate(**conditions))
        return removed, [] if removed or options.json else await cache.entries(limit=KNOWN_ENTRIES)

    removed, there = _with_cache(options.settings, ask)
    if options.json:
        _print_json({"removed": removed})
    else:
        print(f"{removed:,} removed")
        _print_known(there)
    return OK


def _report(options: argparse.Namespace) -> int:
    """Say that a cached answer was right or wrong for whom it was given to; a wrong one is removed."""

    async def ask(cache: SemanticCacheManager) -> bool:
        return await cache.report(options.key, options.verdict == "right")

    if not _with_cache(options.settings, ask):
        raise InputError(f"no answer is kept under the key {options.key}")
    if options.json:
        _print_json({"key": options.key, "verdict": options.verdict})
    else:
        print("noted" if options.verdict == "right" else "removed")
    return OK


def _stats(options: argparse.Namespace) -> int:
    """Say how many answers are kept, how large and how old, and how often they were wrong."""
    from dataclasses import asdict

    async def ask(cache: SemanticCacheManager) -> dict[str, Any]:
        return asdict(await cache.stats())

    stats = _with_cache(options.settings, ask)
    if options.json:
        _print_json(stats)
        return OK
    print(f"{stats['entries']:,} entries, {stats['bytes'] / 2**20:,.1f} MiB")
    if stats["entries"]:
        print(f"stored from {_age(stats['oldest_seconds'])} to {_age(stats['newest_seconds'])} ago")
    for model, entries in stats["by_model"].items():
        print(f"{entries:>9,}  {model}")
    _print_checks(stats["checks"])
    return OK


def _print_checks(checks: dict[str, Any]) -> None:
    told = checks["same"] + checks["different"]
    if told:
        print(
            f"{checks['different']:,} of {told:,} checked hits were wrong in 30 days: {checks['wrong_rate']:.2%} "
            f"(95 %: {checks['wrong_rate_lower']:.2%} to {checks['wrong_rate_upper']:.2%})"
        )
    if checks["tightening"]:
        print(f"similar questions need {checks['tightening']:.1f} log-odds more confidence than calibrated")
    if checks["reported_right"] or checks["reported_wrong"]:
        print(f"reported: {checks['reported_right']:,} right, {checks['reported_wrong']:,} wrong")


# --- tools ----------------------------------------------------------------------------------------------------


def _tool_stats(options: argparse.Namespace) -> int:
    """Say how often each tool was chosen, called, found later and failed, by tenant; the most called first."""
    from .tools.learning import as_rows

    rows = _with_usage(options.settings, lambda usage: usage.counts())
    found = [row for row in as_rows(rows) if options.tenant in (None, row["tenant"])]
    if options.json:
        _print_json(found)
    else:
        _print_usage(found)
    return OK


def _publish(options: argparse.Namespace) -> int:
    """Make lessons from the use of tools: frequently used ones gain rank, those that fail when short get full schemas.

    Running sessions lose their cached prefix where their tools change, so do it rarely.
    """
    import time

    from .tools.learning import described

    values = described(_with_usage(options.settings, lambda usage: usage.publish(time.time())))
    if options.json:
        _print_json(values)
        return OK
    print(f"version {values['version']}, valid in {values['valid_from'] - time.time():.0f} s")
    for tenant, lessons in values["tenants"].items():
        full = ", ".join(lessons["full"]) or "none"
        print(f"{tenant}: {len(lessons['priors'])} tools gain rank; with full schemas: {full}")
    return OK


def _with_usage(settings: str | None, ask: Callable[[UsageStore], Awaitable[T]]) -> T:
    """What *ask* finds in the counts that the processes with these settings share."""
    from .redis.pool import RedisPool
    from .settings import load_settings
    from .tools.learning import UsageStore

    loaded = load_settings(settings).redis

    async def run() -> T:
        pool = RedisPool(loaded)
        try:
            _check_shared(pool, loaded.url, "use of tools")
            return await ask(UsageStore(pool, loaded.prefix))
        finally:
            await pool.aclose()

    return asyncio.run(run())


def _print_usage(found: Sequence[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    heads = ("chosen", "called", "found", "failed")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("tenant", "tool"):
        table.add_column(head, overflow="fold")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for row in found:
        table.add_row(Text(row["tenant"]), Text(row["tool"]), *(f"{row[head]:,}" for head in heads))
    _console().print(table)
    idle: dict[str, list[str]] = {}
    for row in found:
        if row["chosen"] and not row["called"]:
            idle.setdefault(row["tenant"], []).append(row["tool"])
    for tenant, tools in idle.items():
        _console().print(Text(f"{tenant}: chosen, but never called: {', '.join(tools)}"))


def _with_cache(settings: str | None, ask: Callable[[SemanticCacheManager], Awaitable[T]]) -> T:
    """What *ask* finds in the cache that the processes with these settings share."""
    from .optimizer import TokenOptimizer

    async def run() -> T:
        async with TokenOptimizer(settings) as optimizer:
            _check_shared(
                optimizer.parts.pool, optimizer.settings.redis.url, "answers", ". A proxy shows them at /tokenopt/cache"
            )
            return await ask(optimizer.parts.cache)

    return asyncio.run(run())


def _check_shared(pool: RedisPool, url: str, what: str, elsewhere: str = "") -> None:
    """Raise `InputError` where the program whose *what* are asked for keeps them out of this one's reach."""
    if pool.enabled and not pool.private:
        return
    kept = "a Redis server of its own" if pool.enabled else "its own memory"
    raise InputError(
        f"redis.url is {url}: the program that uses the plugin keeps its {what} in {kept}, out of reach from here. "
        "Name a redis:// URL in its settings, and the same here with --settings FILE or "
        f"TOKENOPT_REDIS__URL{elsewhere}"
    )


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    from .cache.inspection import conditions_of

    try:
        return conditions_of(vars(options))
    except ValueError as error:
        raise InputError(str(error)) from None


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_entries(found: Sequence[dict[str, Any]]) -> None:
    """A line an entry: cropped to a terminal's width, with what most need where it's narrow; whole in a pipe."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    heads = _WIDE if width is None or width >= WIDE_COLUMNS else _NARROW
    rows = [heads, *(tuple(_cell(values, head, width) for head in heads) for values in found)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads) - 1)]
    for row in rows:
        line = "  ".join([*(cell.ljust(size) for cell, size in zip(row, widths, strict=False)), row[-1]])
        print(line if width is None or len(line) <= width else f"{line[: width - 1]}…")


def _print_known(entries: Sequence[Entry]) -> None:
    """What people can name *entries* by."""
    known = {
        "models": {entry.model for entry in entries},
        "tenants": {entry.tenant for entry in entries},
        "tags": {tag for entry in entries for tag in entry.tags},
    }
    for what, names in known.items():
        if shown := sorted(filter(None, names)):
            print(f"{what} of the newest answers kept: {', '.join(shown[:NAMES_SHOWN])}")


KNOWN_ENTRIES, NAMES_SHOWN = 200, 20
WIDE_COLUMNS = 130
KEY_SHOWN, CELL_SHOWN = 12, 24
_WIDE = ("key", "age", "model", "tenant", "tags", "question")
_NARROW = ("key", "age", "model", "question")


def _cell(values: dict[str, Any], head: str, width: int | None) -> str:
    if head == "age":
        return _age(values["age_seconds"])
    text = " ".join(_shown(values[head]).split())
    if width is None or head == "question":
        return text
    most = KEY_SHOWN if head == "key" and width < WIDE_COLUMNS else CELL_SHOWN if head != "key" else len(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _age(seconds: float) -> str:
    """Seconds in the largest unit of which there are two: ``95m``, ``3d``."""
    units = ((86_400, "d"), (3_600, "h"), (60, "m"))
    size, unit = next((pair for pair in units if seconds >= 2 * pair[0]), (1, "s"))
    return f"{seconds // size:.0f}{unit}"


if __name__ == "__main__":
    sys.exit(main())
