"""Reports: what is added up, and that every rendering says the same."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from litellm_tokenopt.evaluation.observation import Observation, StageSeen, from_outcome, from_spans
from litellm_tokenopt.evaluation.pricing import Prices, bill_of
from litellm_tokenopt.evaluation.rendering import grids, page, terminal
from litellm_tokenopt.evaluation.report import Checks, Report, money_of, percentile, report_of, to_json
from litellm_tokenopt.pipeline import Outcome, Step
from litellm_tokenopt.request import ChatRequest, Reply
from litellm_tokenopt.stage import Answer, Change, Keep

PRICES = Prices(input=1e-3, cached_read=1e-4, cache_write=1e-3, output=4e-3)
BODIES = [{"model": "m", "messages": [{"role": "user", "content": "word " * n}]} for n in (400, 100)]


def stage(name: str, before: int, after: int, verdict: str = "change", ms: float = 2.0) -> StageSeen:
    return StageSeen(stage=name, verdict=verdict, reason="because", tokens_before=before, tokens_after=after, ms=ms)


def seen(before: int, after: int, cache: str, *stages: StageSeen) -> Observation:
    return Observation(tokens_before=before, tokens_after=after, ms=3.0, cache=cache, stages=stages)


@pytest.fixture
def report() -> Report:
    """A miss whose tools shrank, and a hit."""
    observations = [
        seen(1000, 400, "miss", stage("cache", 1000, 1000, "keep"), stage("tools", 1000, 400)),
        seen(1000, 0, "semantic", stage("cache", 1000, 0, "answer")),
    ]
    money = money_of("m", bill_of(BODIES, PRICES), bill_of(BODIES[1:], PRICES))
    checks = Checks(
        facts_found=3, facts_total=4, tools_found=2, tools_total=2, answers_wrong=0, answers_total=2,
        faults=("fact left out: <b>1</b>",),
    )  # fmt: skip
    return report_of(observations, title="A <day>", money=money, checks=checks, notes=("One note.",))


def test_hits_count_as_nothing_sent(report: Report) -> None:
    """Averages are over all requests, those that the cache answered included."""
    assert (report.requests, report.requests_at_model) == (2, 1)
    assert (report.average_before, report.average_after, report.saved_percent) == (1000, 200, 80)
    assert (report.cache.exact, report.cache.semantic, report.cache.miss, report.cache.hit_percent) == (0, 1, 1, 50)


def test_stages_are_added_up_in_their_order(report: Report) -> None:
    """A line says what came to a stage, what left it, and how often it acted."""
    cache, tools = report.stages
    assert (cache.stage, cache.requests, cache.acted, cache.tokens_before, cache.tokens_after) == (
        "cache",
        2,
        1,
        2000,
        1000,
    )
    assert (tools.stage, tools.requests, tools.tokens_saved, tools.saved_percent) == ("tools", 1, 600, 60)
    assert tools.reasons == {"because": 1}


def test_json_and_table_say_the_same(report: Report) -> None:
    """The numbers of the terminal's table stand in the JSON."""
    values = json.loads(to_json(report))
    out = StringIO()
    Console(file=out, width=120).print(terminal(report))
    shown = out.getvalue().replace(",", "")
    for line in values["stages"]:
        numbers = [str(line[key]) for key in ("tokens_before", "tokens_after", "tokens_saved")]
        assert re.search(rf"{line['stage']}\s.*{'.*'.join(numbers)}", shown)
    for key in ("requests", "requests_at_model", "tokens_before", "tokens_after"):
        assert str(values[key]) in shown
    assert f"${values['money']['before']['usd']:.4f}" in shown
    assert "3/4" in shown


def test_the_page_says_the_same_and_needs_nothing_else(report: Report) -> None:
    """The HTML page has the table's cells, escapes texts, and refers to nothing outside."""
    html = page(report)
    cells = Cells()
    cells.feed(html)
    for grid in grids(report):
        for row in grid.rows:
            assert all(cell in cells.texts for cell in row if cell)
    assert "A &lt;day&gt;" in html
    assert "<b>1</b>" not in html
    assert not re.search(r"https?://|src=|href=|@import|url\(", html)
    assert html.count("<svg") == html.count("</svg>") == 3


class Cells(HTMLParser):
    """Collects a page's texts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_no_requests_make_an_empty_report() -> None:
    """Nothing is divided by zero."""
    empty = report_of([], title="none")
    assert (empty.requests, empty.saved_percent, empty.average_before, empty.cache.hit_percent) == (0, 0, 0, 0)
    assert page(empty)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values(values: list[float], percent: int) -> None:
    """At least so many percent of the values don't exceed it, and it's among them."""
    found = percentile(values, percent)
    assert min(abs(found - value) for value in values) <= 0.0005
    assert sum(value <= found + 0.0005 for value in values) >= len(values) * percent / 100


def outcome_of(*steps: Step, reply: Reply | None = None) -> Outcome:
    request = ChatRequest(model="m", messages=({"role": "user", "content": "Hi"},))
    after = steps[-1].tokens_after if steps else 10
    return Outcome(
        original=request, request=request, reply=reply, steps=steps, tokens_before=10, tokens_after=after, seconds=0.004
    )


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (Answer(Reply(text="", finish="stop", has_tool_calls=False, payload={}), "exact"), "exact"),
        (Answer(Reply(text="", finish="stop", has_tool_calls=False, payload={}), "semantic"), "semantic"),
        (Keep("miss"), "miss"),
        (Keep("veto:number"), "miss"),
        (Keep("skip:time_bound"), "skip"),
    ],
)
def test_the_cache_has_four_words(verdict: Any, word: str) -> None:
    """However a look-up ended, it's an exact or semantic hit, a miss, or passed over."""
    assert from_outcome(outcome_of(Step("cache", verdict, 10, 10, 0.001))).cache == word


def test_a_trace_says_what_the_pipeline_said() -> None:
    """An observation read from spans equals the one made from the outcome itself."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from litellm_tokenopt.settings import TelemetrySettings
    from litellm_tokenopt.telemetry import Recorder

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    request = ChatRequest(model="m", messages=({"role": "user", "content": "Hi"},))
    outcome = outcome_of(
        Step("cache", Keep("miss"), 10, 10, 0.001), Step("tools", Change(request, "selected"), 10, 4, 0.002)
    )
    tracer = provider.get_tracer("test")
    Recorder(TelemetrySettings()).record(outcome, started_ns=10**18, surface="chat", model="m", tracer=tracer)
    spans = [
        {
            "name": span.name,
            "span_id": str(span.context.span_id),
            "parent_span_id": str(span.parent.span_id) if span.parent else "",
            "start_ns": span.start_time,
            "end_ns": span.end_time,
            "attributes": dict(span.attributes or {}),
        }
        for span in exporter.get_finished_spans()
    ]
    assert from_spans(spans) == [from_outcome(outcome)]
