"""Commands about what is installed, and about kinds of tasks: doctor, warmup, classify."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from .base import FAILED, OK, command

CLASSIFIED_AT_ONCE = 64


def add(commands: Any) -> None:
    checking = command(commands, _doctor, "check settings, Redis, the embedding model and LiteLLM")
    checking.add_argument("--json", action="store_true", help="the checks as JSON")
    command(commands, _warmup, "make the embedding model ready before the first request")
    telling = command(commands, _classify, "what kind of task a text is about")
    telling.add_argument("text", metavar="TEXT", help="- reads standard input, a text a line")


def _doctor(options: argparse.Namespace) -> int:
    """Check settings, LiteLLM's version, token counts, Redis and the embedding model; exit code 1 when one fails."""
    from dataclasses import asdict

    from ..evaluation.doctor import examine, healthy

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

    from ..models.build import describe, warmup
    from ..settings import load_settings

    settings = load_settings(options.settings).embedder
    with Console(stderr=True).status(f"getting {settings.model} ready (the first time takes about 15 s)"):
        folder = warmup(settings)
    if folder is None:
        print(f"{settings.model}: ready; backend {settings.backend} keeps no export")
        return OK
    print(f"{settings.model}: ready; {describe(settings).get('export_bytes', 0) / 2**20:.0f} MiB in {folder}")
    return OK


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
    from ..models.build import build_embedder
    from ..models.intents import IntentModel
    from ..settings import load_settings
    from ..taxonomy import read_taxonomy

    settings = load_settings(path)
    model = IntentModel(build_embedder(settings.embedder), read_taxonomy(settings.tools.intents))
    for texts in batches:
        for intent in await model.classify(texts):
            chances = {name: round(chance, 4) for name, chance in intent.all.items()}
            row = {"category": intent.category, "confidence": chances[intent.category], "all": chances}
            print(json.dumps(row, ensure_ascii=False), flush=True)
