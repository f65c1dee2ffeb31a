"""An agent's day behind LiteLLM's proxy, with and without what the plugin saves.

Four users talk to an internal assistant whose requests exceed 50,000 tokens: a long system prompt, 70 tools, a long
history. The real proxy runs with litellm_tokenopt, the real OpenAI client asks, a real OpenTelemetry collector
receives the traces. The model is a recording server on this machine (no key, no cost), so that everything that
reached it can be checked: whether the facts and tools that the answers need were still there, and whether an answer
from the cache was the right one. Run it with `make demo`, or::

    python examples/demo.py [--json] [--sessions 2] [--keep] [--live]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from openai import APIError, OpenAI
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from litellm_tokenopt import TokenOptError, UnavailableError
from litellm_tokenopt.evaluation.agent import Agent, load_agent
from litellm_tokenopt.evaluation.bodies import Body, count_body
from litellm_tokenopt.evaluation.collector import Collector
from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.evaluation.observation import Observation, from_spans
from litellm_tokenopt.evaluation.pricing import bill_of, prices_of
from litellm_tokenopt.evaluation.proxy import Proxy
from litellm_tokenopt.evaluation.rendering import page, terminal
from litellm_tokenopt.evaluation.report import Money, Report, money_of, report_of, to_json
from litellm_tokenopt.evaluation.traffic import Ask, Driver, Exchange, checks_of, first_day, next_morning, other_apis

ROOT = Path(__file__).parents[1]
MODEL = "gpt-4o"
LONG_REQUEST_TOKENS = 50_000
OPENAI = "https://api.openai.com/v1"
SPAN_SECONDS = 20.0
REQUEST_SECONDS = 60.0
WARM_UP_REQUESTS, WARM_UP_USER, WARM_MS = 12, "warm-up", 500.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when nothing was lost, 1 otherwise."""
    options = _options(argv)
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = max(console.width, 100)
    started = time.monotonic()
    try:
        report = _run(options, console)
    except (TokenOptError, APIError, httpx.HTTPError) as error:
        console.print(f"error: {type(error).__name__}: {error}", style="red", highlight=False, markup=False)
        return 1
    files = _write(report, options.reports)
    if options.json:
        print(to_json(report))
    else:
        console.print(terminal(report))
    shown = "\n".join(f"  {path}" for path in (*files, options.reports / "traces.jsonl"))
    console.print(f"\nDone in {time.monotonic() - started:.0f} s. Written to:\n{shown}", highlight=False)
    return 1 if report.checks is not None and report.checks.answers_wrong else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="only the report, as JSON, on stdout; progress on stderr")
    parser.add_argument("--sessions", type=int, default=4, metavar="N", help="how many of the four users (default: 4)")
    parser.add_argument(
        "--keep", action="store_true", help="leave every request, as asked and as sent, in the reports too"
    )
    parser.add_argument("--live", action="store_true", help="ask OpenAI itself (OPENAI_API_KEY), a few requests only")
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    options = parser.parse_args(argv)
    if options.live and not os.environ.get("OPENAI_API_KEY"):
        parser.error("--live needs OPENAI_API_KEY")
    if options.sessions < 1:
        parser.error("--sessions: at least 1")
    return options


def _run(options: argparse.Namespace, console: Console) -> Report:
    agent = _some(load_agent(ROOT / "examples" / "agent"), options.sessions)
    options.reports.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(_progress(console))
        starting = progress.add_task("starting collector, model server and LiteLLM's proxy", total=None)
        collector = stack.enter_context(Collector())
        server = None if options.live else stack.enter_context(ModelServer(agent.script()))
        environment = _environment(
            collector.endpoint, server.base_url if server else os.environ.get("OPENAI_BASE_URL", OPENAI)
        )
        proxy = stack.enter_context(
            Proxy(ROOT / "config" / "litellm_proxy.yaml", environment, log=options.reports / "proxy.log")
        )
        progress.remove_task(starting)
        with _clients(proxy) as (client, http):
            _warm_up(client, agent)
            begun_ns = time.time_ns()
            exchanges = _traffic(agent, client, http, server, progress, live=options.live)
        spans = _await_spans(collector, begun_ns, len(exchanges))
        proxy.close()
        if not from_spans(spans):
            raise UnavailableError(f"no request has a trace; the end of the proxy's log:\n{proxy.log_tail()}")
        _write_lines(options.reports / "traces.jsonl", spans)
        if options.keep:
            _write_lines(options.reports / "requests.jsonl", [exchange.body for exchange in exchanges])
            _write_lines(options.reports / "at_model.jsonl", [b for exchange in exchanges for b in exchange.at_model])
    return _report(exchanges, from_spans(spans), live=options.live)


def _some(agent: Agent, sessions: int) -> Agent:
    return replace(agent, sessions=agent.sessions[:sessions])


def _environment(collector: str, model_server: str) -> dict[str, str]:
    """What the proxy's configuration file refers to, where traces go, and a store that holds nothing yet."""
    return {
        "OPENAI_API_BASE": model_server,
        "OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "none-needed"),
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": collector,
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "TOKENOPT_REDIS__PREFIX": f"demo-{secrets.token_hex(4)}",
    }


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<52}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


# --- traffic --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _clients(proxy: Proxy) -> Iterator[tuple[OpenAI, httpx.Client]]:
    key, timeout = proxy.key, REQUEST_SECONDS
    with (
        OpenAI(base_url=proxy.base_url, api_key=key, max_retries=0, timeout=timeout) as client,
        httpx.Client(base_url=proxy.base_url, headers={"x-api-key": key}, timeout=timeout) as http,
    ):
        yield client, http


def _traffic(
    agent: Agent,
    client: OpenAI,
    http: httpx.Client,
    server: ModelServer | None,
    progress: Progress,
    *,
    live: bool,
) -> list[Exchange]:
    task = progress.add_task("first day", total=_expected(agent, live=live))
    driver = Driver(
        client,
        http,
        MODEL,
        agent.tools,
        recorded=lambda: server.bodies if server else (),
        told=lambda exchange: _advance(progress, task, exchange),
    )
    asked = [_first_asks(driver, agent, session, live=live) for session in agent.sessions]
    for asks in asked:
        for ask in _morning(asks, live=live):
            driver.ask(ask)
    for ask in () if live else other_apis(asked[0]):
        driver.ask(ask)
    return driver.exchanges


def _warm_up(client: OpenAI, agent: Agent) -> None:
    """Short questions until the embedding model, and the vectors of the tools and the prompt, are there.

    Until then requests pass on unchanged when the time budget ends, and would be counted so.
    """
    for attempt in range(WARM_UP_REQUESTS):
        raw = client.chat.completions.with_raw_response.create(
            model=MODEL,
            messages=[
                {"role": "system", "content": agent.system_prompt},
                {"role": "user", "content": f"Are you awake? ({attempt})"},
            ],
            tools=list(agent.tools),  # type: ignore[arg-type]
            user=WARM_UP_USER,
        )
        if float(raw.headers.get("x-tokenopt-ms", "inf")) < WARM_MS:
            return


def _first_asks(driver: Driver, agent: Agent, session: Any, *, live: bool) -> list[Ask]:
    return first_day(driver, agent, replace(session, turns=()) if live else session)


def _morning(asks: Sequence[Ask], *, live: bool) -> list[Ask]:
    """The next day's asks; of a paid model fewer are asked."""
    morning = next_morning(asks)
    return [ask for ask in morning if ask.turn.question not in _second_wordings(asks)] if live else morning


def _second_wordings(asks: Sequence[Ask]) -> set[str]:
    return {text for ask in asks for text in ask.turn.reworded[1:]}


def _expected(agent: Agent, *, live: bool) -> int:
    """How many requests there will be, if the model follows its script."""
    count = 0 if live else 10
    for session in agent.sessions:
        turns = () if live else session.turns
        count += sum(len(turn.calls) + 1 for turn in (*turns, *turns[:1]))
        count += sum(3 + min(len(turn.reworded), 1 if live else 9) for turn in session.questions)
    return count


_PHASES = {"first": "first day", "repeat": "next morning: again", "reworded": "next morning: in other words"}


def _advance(progress: Progress, task: TaskID, exchange: Exchange) -> None:
    ask = exchange.ask
    phase = _PHASES.get(ask.kind, "next morning: look-alikes")
    if ask.surface != "chat" or ask.stream:
        phase = f"the other APIs: {ask.surface}{', streaming' if ask.stream else ''}"
    progress.update(task, advance=1, description=phase)


def _await_spans(collector: Collector, begun_ns: int, count: int) -> list[dict[str, Any]]:
    """The spans since *begun_ns* (what warmed up came before), once those of *count* requests are there."""
    deadline = time.monotonic() + SPAN_SECONDS
    while True:
        spans = [span for span in collector.spans() if span["start_ns"] >= begun_ns]
        if len(from_spans(spans)) >= count or time.monotonic() > deadline:
            return spans
        time.sleep(0.2)


# --- report ---------------------------------------------------------------------------------------------------


def _report(exchanges: Sequence[Exchange], observations: Sequence[Observation], *, live: bool) -> Report:
    notes = [_lengths(exchanges), _headers_agree(exchanges, observations)]
    if live:
        notes.append("The model was a live one: what reached it was not recorded, so nothing was checked or priced.")
    return report_of(
        observations,
        title="An agent's day, and the next morning",
        money=None if live else _money(exchanges),
        checks=None if live else checks_of(exchanges),
        notes=notes,
    )


def _money(exchanges: Sequence[Exchange]) -> Money:
    prices = prices_of(MODEL)
    sent: list[Body] = [body for exchange in exchanges for body in exchange.at_model]
    all_output = sum(exchange.said.output_tokens for exchange in exchanges)
    output = sum(exchange.said.output_tokens for exchange in exchanges if exchange.at_model)
    before = bill_of([exchange.body for exchange in exchanges], prices, output_tokens=all_output)
    return money_of(MODEL, before, bill_of(sent, prices, output_tokens=output))


def _lengths(exchanges: Sequence[Exchange]) -> str:
    counts = [count_body(exchange.body) for exchange in exchanges]
    longer = sum(count > LONG_REQUEST_TOKENS for count in counts)
    return (
        f"{longer} of {len(counts)} requests are longer than {LONG_REQUEST_TOKENS:,} tokens "
        f"({min(counts):,} to {max(counts):,})."
    )


def _headers_agree(exchanges: Sequence[Exchange], observations: Sequence[Observation]) -> str:
    """Clients are told by response headers what the traces tell operators."""
    told = sum(_number(exchange.said.headers, "x-tokenopt-tokens-saved") for exchange in exchanges)
    traced = sum(seen.tokens_before - seen.tokens_after for seen in observations)
    return f"Tokens saved, by the clients' x-tokenopt-* headers: {told:,}; by {len(observations)} traces: {traced:,}."


def _number(headers: Mapping[str, str], name: str) -> int:
    return int(headers.get(name, "0"))


def _write(report: Report, folder: Path) -> list[Path]:
    written = {folder / "report.json": to_json(report) + "\n", folder / "report.html": page(report)}
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def _write_lines(path: Path, values: Sequence[Any]) -> None:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
