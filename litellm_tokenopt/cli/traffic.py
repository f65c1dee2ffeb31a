"""Commands about requests: replay, report, explain."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, UnavailableError
from .base import FAILED, OK, command, console, positive, progress, read, write_page

if TYPE_CHECKING:
    from ..evaluation.explaining import Line
    from ..evaluation.replay import RecordedRequest, Replayed
    from ..evaluation.report import Report
    from ..pipeline import Outcome


def add(commands: Any) -> None:
    _add_replay(commands)
    _add_traffic(commands)
    _add_explain(commands)


def _add_replay(commands: Any) -> None:
    parser = command(commands, _replay, "run a file of recorded requests through the plugin, without a model")
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    parser.add_argument("--model", metavar="M", help="for requests that name none, and for the prices")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N requests")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page too")


def _add_traffic(commands: Any) -> None:
    parser = command(commands, _traffic, "what was done to the traffic that a collector's trace files hold", "report")
    parser.add_argument("files", type=Path, nargs="+", metavar="TRACES.jsonl")
    parser.add_argument("--since", metavar="AGE", help="only requests of this time: 90 (seconds), 15m, 12h, 7d")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page too")


def _add_explain(commands: Any) -> None:
    parser = command(commands, _explain, "what each stage does to one request")
    parser.add_argument("file", metavar="REQUEST.json", help="the request's JSON; - reads it from standard input")
    parser.add_argument("--json", action="store_true", help="the steps, the messages, and what would be sent, as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page too")


def _replay(options: argparse.Namespace) -> int:
    """Run recorded requests through the plugin with no model called, and report what it would have saved.

    A line of the file is a request's arguments ({"messages": [...], "tools": [...]}), or holds them under "body"
    (OpenAI's batch format) or "request"; "response" beside them is what the model said. Exit code 1 when a line can't
    be read; the others are replayed all the same.
    """
    replayed = _run_replay(options)
    return _tell(replayed.report, [bad.text for bad in replayed.bad_lines], options)


def _run_replay(options: argparse.Namespace) -> Replayed:
    from ..evaluation.replay import replay
    from ..settings import load_settings

    settings = load_settings(options.settings)
    with progress("replaying") as tell:
        return asyncio.run(replay(options.file, settings, model=options.model, limit=options.limit, progress=tell))


def _traffic(options: argparse.Namespace) -> int:
    """Report what was done to requests, from traces: tokens, time, and both sides of an experiment or a holdout.

    The files are OTLP as JSON, a batch a line, as an OpenTelemetry collector's file exporter writes it. Exit code 1
    when a line can't be read; the others count all the same.
    """
    from ..evaluation.observation import from_spans
    from ..evaluation.report import report_of
    from ..evaluation.spans import read_spans

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
    from ..cache.inspection import seconds_of

    try:
        return seconds_of(text, "--since")
    except ValueError as error:
        raise InputError(str(error)) from None


def _tell(report: Report, faults: Sequence[str], options: argparse.Namespace) -> int:
    """Show *report* as the *options* want it, and the *faults* of what was read for it."""
    from ..evaluation.rendering import page, terminal
    from ..evaluation.report import to_json

    if options.html is not None:
        write_page(options.html, page(report))
    if options.json:
        print(to_json(report))
    else:
        console().print(terminal(report))
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return FAILED if faults else OK


def _explain(options: argparse.Namespace) -> int:
    """Show what each stage does to one request, how much each message matters, and what becomes of it."""
    from ..evaluation.explaining import explain, page, terminal
    from ..evaluation.replay import DEFAULT_MODEL

    recorded = _recorded(options.file)
    body = {"model": DEFAULT_MODEL, **recorded.body}
    outcome = asyncio.run(_decide(options.settings, body, recorded.surface))
    if outcome is None:
        raise InputError(f"{options.file}: LiteLLM would get this request as it is: it's not one that the plugin reads")
    lines = explain(outcome)
    if options.html is not None:
        write_page(options.html, page(outcome, lines))
    if options.json:
        print(json.dumps(_explained(outcome, lines, body), indent=2, ensure_ascii=False))
    else:
        _print_steps(outcome)
        shown = console()
        shown.print(terminal(lines, shown.width))
    return OK


def _recorded(path: str) -> RecordedRequest:
    from ..evaluation.replay import request_of

    text = read(path)
    try:
        return request_of(json.loads(text))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


async def _decide(settings: str | None, body: dict[str, Any], surface: Any) -> Outcome | None:
    from ..optimizer import TokenOptimizer

    async with TokenOptimizer(settings) as optimizer:
        with suppress(UnavailableError):
            await optimizer.warm()
        return await optimizer.before(body, surface)


def _explained(outcome: Outcome, lines: Sequence[Line], body: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from ..evaluation.explaining import SYSTEM_INDEX, as_json, shares
    from ..telemetry.summary import summary

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
    console().print(table)
