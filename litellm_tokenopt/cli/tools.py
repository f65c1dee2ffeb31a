"""Commands about the use of tools: stats, publish."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .base import OK, check_shared, command, console, print_json

if TYPE_CHECKING:
    from ..tools.learning import UsageStore

T = TypeVar("T")


def add(commands: Any) -> None:
    summary = "how tools are used, and lessons from it"
    parser: argparse.ArgumentParser = commands.add_parser("tools", help=summary, description=summary)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    counting = command(actions, _tool_stats, "how often tools were chosen, called, found later, and failed", "stats")
    counting.add_argument("--tenant", metavar="T", help="of this one alone: team:blue, key:1f3870be274f, user:ann")
    for action in (
        counting,
        command(actions, _publish, "make lessons from the use of tools; rarely: once a day, say"),
    ):
        action.add_argument("--json", action="store_true", help="as JSON")


def _tool_stats(options: argparse.Namespace) -> int:
    """Say how often each tool was chosen, called, found later and failed, by tenant; the most called first."""
    from ..tools.learning import as_rows

    rows = _with_usage(options.settings, lambda usage: usage.counts())
    found = [row for row in as_rows(rows) if options.tenant in (None, row["tenant"])]
    if options.json:
        print_json(found)
    else:
        _print_usage(found)
    return OK


def _publish(options: argparse.Namespace) -> int:
    """Make lessons from the use of tools: frequently used ones gain rank, those that fail when short get full schemas.

    Running sessions lose their cached prefix where their tools change, so do it rarely.
    """
    from ..tools.learning import described

    values = described(_with_usage(options.settings, lambda usage: usage.publish(time.time())))
    if options.json:
        print_json(values)
        return OK
    print(f"version {values['version']}, valid in {values['valid_from'] - time.time():.0f} s")
    for tenant, lessons in values["tenants"].items():
        full = ", ".join(lessons["full"]) or "none"
        print(f"{tenant}: {len(lessons['priors'])} tools gain rank; with full schemas: {full}")
    return OK


def _with_usage(settings: str | None, ask: Callable[[UsageStore], Awaitable[T]]) -> T:
    """What *ask* finds in the counts that the processes with these settings share."""
    from ..redis.pool import RedisPool
    from ..settings import load_settings
    from ..tools.learning import UsageStore

    loaded = load_settings(settings).redis

    async def run() -> T:
        pool = RedisPool(loaded)
        try:
            check_shared(pool, loaded.url, "use of tools")
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
    console().print(table)
    idle: dict[str, list[str]] = {}
    for row in found:
        if row["chosen"] and not row["called"]:
            idle.setdefault(row["tenant"], []).append(row["tool"])
    for tenant, tools in idle.items():
        console().print(Text(f"{tenant}: chosen, but never called: {', '.join(tools)}"))
