"""A report for people: tables in a terminal, and a page for a browser, from the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, TypeAlias

from .arms import Experiment, Line
from .clusters import Bounds
from .forest import forest
from .pricing import Bill
from .report import PassagesLine, Report, StageLine, saved

if TYPE_CHECKING:
    from rich.console import RenderableType

Row: TypeAlias = tuple[str, ...]

FAULTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its title, its column heads, its rows, and a sentence below them."""

    title: str
    heads: Row
    rows: tuple[Row, ...]
    note: str = ""


def grids(report: Report) -> list[Grid]:
    """The report's tables."""
    found = [_totals(report), _stages(report.stages), _cache(report)]
    if report.money is not None:
        found.append(_money(report))
    if report.checks is not None:
        found.append(_checks(report))
    if report.passages is not None:
        found.append(_passages(report.passages))
    return [*found, *map(_experiment, report.experiments)]


def terminal(report: Report) -> RenderableType:
    """The report for a rich console."""
    from rich.console import Group
    from rich.text import Text

    faults = report.checks.faults if report.checks else ()
    shown = [Text(fault, style="red") for fault in faults[:FAULTS_SHOWN]]
    more = [Text(f"… and {len(faults) - FAULTS_SHOWN} more, in the report")] if len(faults) > FAULTS_SHOWN else []
    notes = [Text(note, style="dim") for note in report.notes]
    return Group(*map(_table, grids(report)), *shown, *more, *notes)


def page(report: Report) -> str:
    """The report as one HTML page that needs nothing else."""
    head = f'<meta charset="utf-8"><title>{escape(report.title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(_page(report))}</body></html>\n'


# --- rows -----------------------------------------------------------------------------------------------------


def _totals(report: Report) -> Grid:
    change = _percent_less(report.saved_percent)
    fewer = _percent_less(saved(report.requests, report.requests_at_model))
    rows = (
        ("requests", f"{report.requests:,}", f"{report.requests_at_model:,}", fewer),
        ("input tokens", f"{report.tokens_before:,}", f"{report.tokens_after:,}", change),
        ("tokens per request, on average", f"{report.average_before:,.0f}", f"{report.average_after:,.0f}", change),
        ("… of those that reached the model", "", *_at_model(report)),
        ("time added, p50 / p95", "", f"{report.added_ms_p50:,.1f} / {report.added_ms_p95:,.1f} ms", ""),
    )
    return Grid(report.title, ("", "as asked", "sent to the model", ""), rows)


def _experiment(found: Experiment) -> Grid:
    base, tried = found.sides
    rows: tuple[Row, ...] = (
        ("sessions", f"{base.sessions:,}", f"{tried.sessions:,}", "", ""),
        ("requests", f"{base.requests:,}", f"{tried.requests:,}", "", ""),
        *map(_measured, found.lines),
    )
    heads = ("", base.name, tried.name, "difference", "verdict, sessions more")
    return Grid(f"Experiment {found.name!r} (95 % bounds by session)", heads, rows, found.summary)


def _measured(line: Line) -> Row:
    scale, digits = {"%": (100, 1), "$": (1, 3), "ms": (1, 1)}.get(line.unit, (1, 2))

    def shown(value: float, bounds: Bounds | None, sign: str = "") -> str:
        between = "" if bounds is None else f" ({'..'.join(f'{scale * bound:.{digits}f}' for bound in bounds)})"
        return f"{scale * value:{sign}.{digits}f}{between}"

    base, tried = ("" if side is None else shown(side.value, side.bounds) for side in (line.base, line.tried))
    apart = "" if line.difference is None else shown(line.difference, line.bounds, "+")
    return f"{line.measure}, {line.unit}".rstrip(", "), base, tried, apart, _verdict(line)


def _verdict(line: Line) -> str:
    if line.verdict == "unclear":
        return "none seen" if line.more_sessions is None else f"unclear, +{line.more_sessions:,}"
    return {"few": "too few", "alone": "one side alone"}.get(line.verdict, line.verdict)


def _passages(line: PassagesLine) -> Grid:
    heads = ("taken", "left whole", "facts kept, mean", "least", "words kept", "tokens left")
    shares = (line.facts_mean, line.facts_least, line.words_mean, line.ratio_mean)
    row = (f"{line.taken:,}", f"{line.refused:,}", *(f"{100 * share:.1f} %" for share in shares))
    return Grid("Passages compressed", heads, (row,))


def _at_model(report: Report) -> tuple[str, str]:
    average = report.tokens_after / report.requests_at_model if report.requests_at_model else 0.0
    return f"{average:,.0f}", _percent_less(saved(report.average_before, average))


def _percent_less(percent: float) -> str:
    """A saving as a change: 12.5 as -12.5 %; what costs more gets a plus."""
    return f"{-percent:+.1f} %" if round(percent, 1) else "0.0 %"


def _stages(stages: Iterable[StageLine]) -> Grid:
    heads = ("stage", "acted on", "before", "after", "saved", "", "p50 ms", "p95 ms")
    rows = tuple(
        (
            line.stage,
            f"{line.acted:,} of {line.requests:,}",
            f"{line.tokens_before:,}",
            f"{line.tokens_after:,}",
            f"{line.tokens_saved:,}",
            _percent_less(line.saved_percent),
            f"{line.ms_p50:,.1f}",
            f"{line.ms_p95:,.1f}",
        )
        for line in stages
    )
    return Grid("Input tokens, stage by stage", heads, rows)


def _cache(report: Report) -> Grid:
    cache = report.cache
    row = (*(f"{n:,}" for n in (cache.exact, cache.semantic, cache.miss, cache.skip)), f"{cache.hit_percent:.1f} %")
    return Grid("Answers from the cache", ("exact", "semantic", "miss", "passed over", "hits of all requests"), (row,))


def _money(report: Report) -> Grid:
    assert report.money is not None
    money = report.money
    plain, cached = map(_percent_less, (money.saved_percent, money.saved_percent_with_prompt_cache))
    rows = (
        ("without the provider's prompt cache", _usd(money.before.usd), _usd(money.after.usd), plain),
        (
            "with the provider's prompt cache",
            _usd(money.before.usd_with_prompt_cache),
            _usd(money.after.usd_with_prompt_cache),
            cached,
        ),
        ("input tokens read from that cache", _share(money.before), _share(money.after), ""),
    )
    return Grid(f"Price at {money.model}", ("", "as asked", "with the plugin", ""), rows)


def _usd(amount: float) -> str:
    return f"${amount:,.4f}"


def _share(bill: Bill) -> str:
    return f"{100 * bill.cached_tokens / bill.input_tokens:.0f} %" if bill.input_tokens else "0 %"


def _checks(report: Report) -> Grid:
    assert report.checks is not None
    checks = report.checks
    rows = (
        ("facts that the answers rest on, still there", f"{checks.facts_found:,}/{checks.facts_total:,}"),
        ("tools that the turns need, still there", f"{checks.tools_found:,}/{checks.tools_total:,}"),
        ("wrong answers from the cache", f"{checks.answers_wrong:,}/{checks.answers_total:,}"),
    )
    return Grid("What the answers need", ("", "count"), rows)


# --- terminal -------------------------------------------------------------------------------------------------


def _table(grid: Grid) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=grid.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
        caption=grid.note or None, caption_justify="left", caption_style="",
    )  # fmt: skip
    for index, head in enumerate(grid.heads):
        table.add_column(head, justify="right" if index else "left")
    for row in grid.rows:
        table.add_row(*row)
    return table


# --- page -----------------------------------------------------------------------------------------------------

BAR_WIDTH, BAR_HEIGHT, LABEL_WIDTH = 420, 22, 230

STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #1f7a5a; --plain: #9a9a9a }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left }
svg { width: 100%; max-width: 52rem; height: auto } svg text { font: 13px system-ui, sans-serif; fill: currentColor }
.plain { fill: var(--plain) } .bar { fill: var(--bar) }
.axis, .unclear { stroke: var(--plain); fill: var(--plain) } .better { stroke: var(--bar); fill: var(--bar) }
.worse { stroke: #c0392b; fill: #c0392b }
"""

Bar: TypeAlias = tuple[str, float, str, str]
"""(label, size, text of the size, CSS class)."""


def _page(report: Report) -> list[str]:
    faults = report.checks.faults if report.checks else ()
    return [
        f"<h1>{escape(report.title)}</h1>",
        *(_chart(title, bars) for title, bars in _charts(report)),
        *map(_html_table, grids(report)),
        *map(forest, report.experiments),
        *(f"<p>{escape(text)}</p>" for text in (*faults, *report.notes)),
    ]


def _charts(report: Report) -> Iterable[tuple[str, list[Bar]]]:
    before, after = report.average_before, report.average_after
    yield (
        "Input tokens per request, on average",
        [("as asked", before, f"{before:,.0f}", "plain"), ("sent to the model", after, f"{after:,.0f}", "bar")],
    )
    lines = report.stages
    yield "Tokens saved by each stage", [(x.stage, x.tokens_saved, f"{x.tokens_saved:,}", "bar") for x in lines]
    if report.money is not None:
        old, new = report.money.before, report.money.after
        yield (
            f"Price at {report.money.model}",
            [
                ("as asked", old.usd, _usd(old.usd), "plain"),
                ("with the plugin", new.usd, _usd(new.usd), "bar"),
                ("as asked, with prompt cache", old.usd_with_prompt_cache, _usd(old.usd_with_prompt_cache), "plain"),
                ("with the plugin and prompt cache", new.usd_with_prompt_cache, _usd(new.usd_with_prompt_cache), "bar"),
            ],
        )


def _chart(title: str, bars: Sequence[Bar]) -> str:
    largest = max((size for _, size, _, _ in bars), default=0) or 1
    rows = "".join(_bar(at, bar, BAR_WIDTH * max(bar[1], 0) / largest) for at, bar in enumerate(bars))
    width, height = LABEL_WIDTH + BAR_WIDTH + 110, (BAR_HEIGHT + 8) * len(bars)
    return f'<h2>{escape(title)}</h2><svg viewBox="0 0 {width} {height}" role="img">{rows}</svg>'


def _bar(at: int, bar: Bar, width: float) -> str:
    label, _, text, kind = bar
    top = at * (BAR_HEIGHT + 8)
    return (
        f'<text x="{LABEL_WIDTH - 10}" y="{top + 16}" text-anchor="end">{escape(label)}</text>'
        f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="3"/>'
        f'<text x="{LABEL_WIDTH + width + 8:.1f}" y="{top + 16}">{escape(text)}</text>'
    )


def _html_table(grid: Grid) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in grid.heads)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in grid.rows)
    note = f"<p>{escape(grid.note)}</p>" if grid.note else ""
    return f"<h2>{escape(grid.title)}</h2><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{note}"
