"""Commands about system prompts: split, lint."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .base import FAILED, OK, command, console, print_json

if TYPE_CHECKING:
    from ..prompt.linting import Finding

PROMPT_EXAMPLES = """\
examples:
  tokenopt prompt split system_prompt.md > modules.yaml         its sections as modules, to edit
  tokenopt prompt split system_prompt.md --tools request.json   those about tools come with them
  tokenopt prompt lint modules.yaml --prompt system_prompt.md   what is needless, contradictory or never sent?
  tokenopt prompt lint system_prompt.md --json                  what does the prompt say twice?
"""


def add(commands: Any) -> None:
    summary = "split a system prompt into modules, and look for what is needless in them"
    parser: argparse.ArgumentParser = commands.add_parser(
        "prompt", help=summary, description=summary, epilog=PROMPT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    split = command(actions, _split, "write the modules of a prompt as YAML, to edit")
    split.add_argument("file", metavar="FILE", help="the prompt's text")
    split.add_argument("--json", action="store_true", help="the modules as JSON")
    check = command(actions, _lint, "find repeats, contradictions and modules that are never sent")
    check.add_argument("file", metavar="FILE", help="modules (.yaml, .yml), or a prompt's text")
    check.add_argument("--prompt", metavar="FILE", help="the prompt that should hold the modules' texts")
    check.add_argument("--json", action="store_true", help="tokens and findings as JSON")
    for one in (split, check):
        one.add_argument("--tools", metavar="FILE.json", help="tools (a list, or a request) that the prompt is about")
        one.epilog, one.formatter_class = PROMPT_EXAMPLES, argparse.RawDescriptionHelpFormatter


def _split(options: argparse.Namespace) -> int:
    """Write the modules of a prompt: nested sections, each with a one-line summary and its tokens."""
    from ..evaluation.prompt_commands import read_text, read_tools
    from ..prompt.splitting import as_yaml, described, split_prompt

    modules = split_prompt(read_text(options.file), read_tools(options.tools) or frozenset())
    if options.json:
        print_json({"modules": [described(module) for module in modules]})
    else:
        print(as_yaml(modules), end="")
    return OK


def _lint(options: argparse.Namespace) -> int:
    """Say what each module costs, and what is wrong with it; 1 where there are errors."""
    from dataclasses import asdict

    from ..evaluation.prompt_commands import findings, read_any, read_text, read_tools, tokens_of
    from ..settings import load_settings

    tools = read_tools(options.tools)
    modules = read_any(options.file, tools)
    prompt = read_text(options.prompt) if options.prompt else None
    found = asyncio.run(findings(modules, load_settings(options.settings), tools=tools, prompt=prompt))
    tokens = tokens_of(modules)
    if options.json:
        rows = [{"id": module.id, "under": module.under, "tokens": tokens[module.id]} for module in modules]
        print_json({"modules": rows, "tokens": sum(tokens.values()), "findings": list(map(asdict, found))})
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
    console().print(table)
    errors = sum(one.severity == "error" for one in found)
    print(f"{sum(tokens.values()):,} tokens, {errors} errors, {len(found) - errors} warnings")
