"""Commands about the cached answers: list, show, drop, report, stats."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import InputError
from .base import OK, check_shared, command, positive, print_json

if TYPE_CHECKING:
    from ..cache.manager import SemanticCacheManager
    from ..cache.stores import Entry

T = TypeVar("T")

KNOWN_ENTRIES, NAMES_SHOWN = 200, 20
WIDE_COLUMNS = 130
KEY_SHOWN, CELL_SHOWN = 12, 24
_WIDE = ("key", "age", "model", "tenant", "tags", "question")
_NARROW = ("key", "age", "model", "question")


def add(commands: Any) -> None:
    summary = "look at the cached answers, and take some out"
    parser: argparse.ArgumentParser = commands.add_parser("cache", help=summary, description=summary)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = command(actions, _list, "the newest entries, or those that the conditions hold for")
    listing.add_argument("--limit", type=positive, default=50, metavar="N", help="at most N entries (50)")
    dropping = command(actions, _drop, "remove the entries that every condition given holds for")
    dropping.add_argument("--all", action="store_true", help="remove every entry")
    for action in (listing, dropping):
        _add_conditions(action)
    showing = command(actions, _show, "one entry, with its answer")
    showing.add_argument("key", metavar="KEY")
    reporting = command(actions, _report, "say that an entry's answer was right or wrong for whom it was given to")
    reporting.add_argument("key", metavar="KEY", help="as in the header x-tokenopt-cache-key of a hit")
    reporting.add_argument("verdict", choices=("right", "wrong"))
    for action in (
        listing,
        dropping,
        showing,
        reporting,
        command(actions, _stats, "how much is kept, how old it is, and how often it was wrong"),
    ):
        action.add_argument("--json", action="store_true", help="as JSON")


def _add_conditions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", metavar="KEY", help="the entry under this key")
    parser.add_argument("--tag", metavar="TAG", help="with this tag (metadata.tokenopt.tags of the request)")
    parser.add_argument("--model", metavar="M", help="answered by this model")
    parser.add_argument("--tenant", metavar="T", help="with this in its label: team:blue, user:ann, key:1f3870be274f")
    parser.add_argument("--older-than", metavar="AGE", help="stored at least so long ago: 90 (seconds), 15m, 12h, 7d")


def _list(options: argparse.Namespace) -> int:
    """List cached answers, newest first."""
    from ..cache.inspection import described

    async def ask(cache: SemanticCacheManager) -> list[dict[str, Any]]:
        entries = await cache.entries(**_conditions(options), limit=options.limit)
        return [described(entry, cache.age(entry)) for entry in entries]

    found = _with_cache(options.settings, ask)
    if options.json:
        print_json(found)
    else:
        _print_entries(found)
    return OK


def _show(options: argparse.Namespace) -> int:
    """Show one cached answer."""
    from ..cache.inspection import described

    async def ask(cache: SemanticCacheManager) -> tuple[Entry, float]:
        for entry in await cache.entries(key=options.key, limit=1):
            return entry, cache.age(entry)
        raise InputError(f"no answer that can be read is kept under the key {options.key}")

    entry, age = _with_cache(options.settings, ask)
    values = described(entry, age)
    if options.json:
        print_json({**values, "payload": entry.payload})
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
        print_json({"removed": removed})
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
        print_json({"key": options.key, "verdict": options.verdict})
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
        print_json(stats)
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


def _with_cache(settings: str | None, ask: Callable[[SemanticCacheManager], Awaitable[T]]) -> T:
    """What *ask* finds in the cache that the processes with these settings share."""
    from ..optimizer import TokenOptimizer

    async def run() -> T:
        async with TokenOptimizer(settings) as optimizer:
            check_shared(
                optimizer.parts.pool, optimizer.settings.redis.url, "answers", ". A proxy shows them at /tokenopt/cache"
            )
            return await ask(optimizer.parts.cache)

    return asyncio.run(run())


def _conditions(options: argparse.Namespace) -> dict[str, Any]:
    from ..cache.inspection import conditions_of

    try:
        return conditions_of(vars(options))
    except ValueError as error:
        raise InputError(str(error)) from None


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
