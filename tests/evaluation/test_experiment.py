"""An experiment: sessions are split once and for all, both sides are reported, and wrong settings stop the start."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from litellm_tokenopt import TokenOptimizer
from litellm_tokenopt.errors import SettingsError
from litellm_tokenopt.evaluation.arms import Line, experiments
from litellm_tokenopt.evaluation.clusters import Estimate, difference, estimate, student, wilson
from litellm_tokenopt.evaluation.forest import forest
from litellm_tokenopt.evaluation.observation import Observation, Passages, StageSeen
from litellm_tokenopt.evaluation.rendering import grids, page
from litellm_tokenopt.evaluation.replay import replay
from litellm_tokenopt.evaluation.report import report_of, to_json
from litellm_tokenopt.pipeline import Outcome
from litellm_tokenopt.placeholder import PLACEHOLDER
from litellm_tokenopt.settings import ExperimentSettings, Settings, load_settings

TOOLS = [
    {"type": "function", "function": {"name": f"do_{n}", "description": f"Does thing number {n}.", "parameters": {}}}
    for n in range(12)
]
BASE: dict[str, Any] = {"redis": {"url": "memory"}, "cache": {"enabled": False}, "tools": {"max_tools": 10}}
TRIED = {**BASE, "experiment": {"name": "fewer tools", "share": 0.5, "settings": {"tools": {"max_tools": 2}}}}


def asking(n: int, turns: int = 1) -> dict[str, Any]:
    messages = []
    for turn in range(turns):
        messages += [{"role": "user", "content": f"Please do thing {n}, step {turn}."}]
        messages += [{"role": "assistant", "content": "Done."}]
    return {"model": "gpt-4o", "messages": messages[:-1], "tools": TOOLS}


def arm_of(outcome: Outcome | None) -> str:
    assert outcome is not None
    assert outcome.split is not None
    assert outcome.split.arm is not None
    return outcome.split.arm


async def test_sessions_are_split() -> None:
    """A session is on one side in all its turns, about the share of them on the other, each with its own settings."""
    sides = {"base": 0, "tried": 0}
    async with TokenOptimizer(TRIED) as optimizer:
        for n in range(40):
            first, later = await optimizer.before(asking(n)), await optimizer.before(asking(n, turns=3))
            assert arm_of(first) == arm_of(later)
            assert first is not None
            sides[arm_of(first)] += 1
            sent = [tool for tool in first.request.tools if tool["function"]["name"].startswith("do_")]
            assert len(sent) <= (2 if arm_of(first) == "tried" else 10)
    assert min(sides.values()) >= 10


async def test_a_session_stays_on_its_side() -> None:
    """A clock in the system prompt, what was looked up for a question, and another model don't move a session."""
    async with TokenOptimizer(TRIED) as optimizer:
        for n in range(10):
            splits = set()
            for minute, model in enumerate(("gpt-4o", "gpt-4o", "gpt-4o-mini")):
                body = asking(n, turns=1 + minute)
                clock = {"role": "system", "content": f"It is 10:{minute}. Found: page {minute}."}
                outcome = await optimizer.before({**body, "model": model, "messages": [clock, *body["messages"]]})
                assert outcome is not None
                splits.add(outcome.split)
            assert len(splits) == 1


async def sides_of(settings: dict[str, Any], bodies: Sequence[dict[str, Any]]) -> str:
    async with TokenOptimizer(settings) as optimizer:
        outcomes = [await optimizer.before(body) for body in bodies]
    return repr([outcome.split for outcome in outcomes if outcome is not None])


def test_a_session_is_on_the_same_side_in_every_process() -> None:
    """A worker that shares nothing, and has another hash seed, puts sessions on the same sides."""
    program = (
        "from __future__ import annotations\nimport asyncio, json, sys\nfrom litellm_tokenopt import TokenOptimizer\n"
        f"{inspect.getsource(sides_of)}print(asyncio.run(sides_of(*json.load(sys.stdin))))"
    )
    bodies = [asking(n) for n in range(6)]
    other = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps([TRIED, bodies]), env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert other.stdout.strip() == asyncio.run(sides_of(TRIED, bodies))
    assert "tried" in other.stdout


async def test_sessions_have_pseudonyms() -> None:
    """What stands for a session says nothing of it, and differs from one experiment to the next."""
    named = []
    for name in ("one", "two"):
        async with TokenOptimizer({**TRIED, "experiment": {"name": name}}) as optimizer:
            outcome = await optimizer.before(asking(1))
        assert outcome is not None
        assert outcome.split is not None
        named.append(outcome.split.session)
    assert len(set(named)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", session) for session in named)


async def test_no_experiment() -> None:
    """Without one, requests are on no side, and nothing stands for their sessions."""
    async with TokenOptimizer(BASE) as optimizer:
        outcome = await optimizer.before(asking(1))
    assert outcome is not None
    assert outcome.split is None


async def test_replay_reports_both(tmp_path: Path) -> None:
    """A replay has both sides, and the tried one is better here beyond doubt: in tokens, and in dollars."""
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(json.dumps(asking(n)) + "\n" for n in range(40)))
    report = (await replay(path, load_settings(TRIED))).report
    (found,) = report.experiments
    assert [side.name for side in found.sides] == ["base", "tried"]
    lines = {line.measure: line for line in found.lines}
    assert lines["tokens saved"].verdict == lines["1,000 requests"].verdict == "better"
    assert found.summary.startswith("Side 'tried': better in tokens saved, 1,000 requests")
    assert any(grid.title.startswith("Experiment") for grid in grids(report))
    assert json.loads(to_json(report))["experiments"][0]["lines"][0]["verdict"] == "better"
    assert found.summary in page(report).replace("&#x27;", "'")


async def test_a_holdout_is_compared(tmp_path: Path) -> None:
    """Sessions that are left alone are the base of those that aren't."""
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(json.dumps(asking(n)) + "\n" for n in range(40)))
    report = (await replay(path, load_settings({**BASE, "holdout_fraction": 0.5}))).report
    (found,) = report.experiments
    assert [side.name for side in found.sides] == ["left alone", "optimised"]
    assert {line.measure: line.verdict for line in found.lines}["tokens saved"] == "better"


def seen(arm: str, session: int, **more: Any) -> Observation:
    values = {"tokens_before": 100, "tokens_after": 50, "ms": 1.0, "cache": "skip"} | more
    return Observation(**values, experiment="x", arm=arm, session=f"{arm}{session}")


def lines_of(observations: Sequence[Observation]) -> dict[str, Line]:
    (found,) = experiments(observations)
    return {line.measure: line for line in found.lines}


def test_what_differs_is_told() -> None:
    """Dearer, slower, asked back and failed is worse; what is the same on both sides is unclear."""
    failing = (StageSeen(stage="tools", verdict="keep", reason="error:timeout", tokens_before=1, tokens_after=1, ms=1),)
    lost = (
        StageSeen(
            stage="prompt", verdict="change", reason="squeezed", tokens_before=9, tokens_after=1, ms=1,
            passages=Passages(taken=1, refused=0, kept_facts=0.8, kept_words=0.7, ratio=0.5),
        ),
    )  # fmt: skip
    base = [seen("base", n, usd=0.01 + n / 1e4, ms=1.0 + n / 10, seconds=2.0, failed=False, asked=0) for n in range(60)]
    tried = [
        seen(
            "tried", n, usd=0.02 + n / 1e4, ms=9.0 + n / 10, seconds=2.0, failed=n % 4 == 0, asked=n % 3,
            stages=failing if n % 2 else lost,
        )
        for n in range(60)
    ]  # fmt: skip
    verdicts = {measure: line.verdict for measure, line in lines_of([*base, *tried]).items()}
    worse = {"1,000 requests", "time added", "asked back", "failed requests", "failed stages"}
    assert {measure for measure, verdict in verdicts.items() if verdict == "worse"} == worse
    assert verdicts["tokens saved"] == verdicts["time until answered"] == "unclear"
    assert verdicts["facts kept"] == "alone"  # nothing was compressed on the base's side
    assert any("one side alone" in row for row in _experiment_rows([*base, *tried]))
    assert not {"cache hits"} & verdicts.keys()


def _experiment_rows(observations: Sequence[Observation]) -> tuple[tuple[str, ...], ...]:
    return grids(report_of(observations, title="x"))[-1].rows


def test_few_sessions_say_nothing() -> None:
    """Under ten sessions on a side there are no bounds and no verdict, however many requests they have."""
    few = [seen(arm, 0, tokens_after=after) for arm, after in (("base", 90), ("tried", 10)) for _ in range(500)]
    line = lines_of(few)["tokens saved"]
    assert line.base is not None
    assert (line.base.value, line.base.bounds, line.bounds, line.verdict) == (pytest.approx(0.1), None, None, "few")
    (found,) = experiments(few)
    assert found.summary.startswith("Too few sessions to say anything: 1 on side 'base' and 1 on side 'tried'")
    alone = experiments([one for one in few if one.arm == "tried"])[0]
    assert [side.sessions for side in alone.sides] == [0, 1]
    assert "0 on side 'base'" in alone.summary
    assert forest(found) == ""


def test_requests_of_one_session_are_one_witness() -> None:
    """Twenty sessions of fifty requests each that all hit or all miss know little more than twenty requests do."""
    many = [
        seen(arm, n, cache="exact" if n % 2 else "miss")
        for arm in ("base", "tried")
        for n in range(20)
        for _ in range(50)
    ]
    line = lines_of(many)["cache hits"]
    assert line.base is not None
    low, high = line.base.bounds or (0, 0)
    assert low < 0.3
    assert high > 0.7
    none = lines_of([seen(arm, n, cache="miss") for arm in ("base", "tried") for n in range(20)])["cache hits"]
    assert none.base is not None
    assert none.base.bounds is not None
    assert none.base.bounds[0] == pytest.approx(0)
    assert 0.1 < none.base.bounds[1] < 0.3


def test_more_sessions_tell_a_difference() -> None:
    """So many sessions more as are named tell a difference that goes on as it was; of none, none are named."""

    def traffic(sessions: int) -> list[Observation]:
        noise = [((n * 7919) % 101) / 101 for n in range(sessions)]
        base = [seen("base", n, ms=10 + 10 * noise[n]) for n in range(sessions)]
        return base + [seen("tried", n, ms=11 + 10 * noise[-n]) for n in range(sessions)]

    now = lines_of(traffic(30))["time added"]
    assert now.verdict == "unclear"
    assert now.more_sessions is not None
    then = lines_of(traffic(30 + now.more_sessions // 2))["time added"]
    assert then.verdict == "worse"
    assert lines_of([seen(arm, n) for arm in ("base", "tried") for n in range(30)])["time added"].more_sessions is None


@pytest.mark.parametrize("sessions", [10, 40])
def test_bounds_hold(sessions: int) -> None:
    """Of experiments in which nothing differs, nine of ten and more say so, sessions being of very unequal lengths.

    Wilson's bounds over requests would be right three times in four.
    """
    chance = np.random.default_rng(5)

    def hits() -> Estimate:
        lengths = 1 + chance.geometric(0.15, sessions)
        counts = chance.binomial(lengths, chance.beta(1, 4, sessions))
        found = estimate(list(zip(map(float, counts), map(float, lengths), strict=True)), events=True)
        assert found is not None
        return found

    def spent() -> Estimate:
        lengths = 1 + chance.geometric(0.15, sessions)
        sums = lengths * chance.lognormal(0, 0.7, sessions)
        found = estimate(list(zip(map(float, sums), map(float, lengths), strict=True)), events=False)
        assert found is not None
        return found

    for draw in (hits, spent):
        pairs = [difference(draw(), draw()) for _ in range(300)]
        assert sum(low <= 0 <= high for low, high in filter(None, pairs)) >= 0.92 * len(pairs)


def test_bounds_are_those_of_tables() -> None:
    """Student's and Wilson's are known from tables."""
    assert student(9) == pytest.approx(2.262, abs=1e-3)
    assert student(29) == pytest.approx(2.045, abs=1e-3)
    assert wilson(0.1, 100, 1.959964) == pytest.approx((0.0552, 0.1744), abs=1e-4)


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (
            {"name": "x", "settings": {"redis": {"url": "memory"}}},
            "redis can't differ; allowed are tools, prompt, context",
        ),
        (
            {"name": "x", "settings": {"tools": {"max_tolls": 1}}},
            r"^experiment\.settings\.tools\.max_tolls: no such setting; did you mean max_tools\?",
        ),
        (
            {"name": "x", "settings": {"tools": {"max_tools": "many"}}},
            r"^experiment\.settings\.tools\.max_tools: got 'many'",
        ),
        (
            {"name": "x", "settings": {"prompt": {"ratios": {"rules": 3}}}},
            r"^experiment\.settings\.prompt\.ratios\.rules",
        ),
        ({"settings": {"tools": {"max_tools": 1}}}, "an experiment needs a name"),
    ],
)
def test_wrong_settings(experiment: dict[str, Any], message: str) -> None:
    """What an experiment changes is checked like all settings, and named where it stands, however it comes in."""
    with pytest.raises(SettingsError, match=message):
        load_settings({"experiment": experiment})
    if "name" in experiment and "redis" not in experiment["settings"]:
        with pytest.raises(SettingsError, match=message):
            TokenOptimizer(Settings(experiment=ExperimentSettings(**experiment)))


def test_what_isnt_named_stays() -> None:
    """An experiment changes the settings it names, down to single ratios, and none beside them."""
    ratios = {"ratios": {"rules": 0.9, "examples": 0.2}}
    settings = load_settings(
        {"prompt": ratios, "experiment": {"name": "x", "settings": {"prompt": {"ratios": {"examples": 0.4}}}}}
    )
    assert settings.tried().prompt == load_settings({"prompt": {"ratios": {"rules": 0.9, "examples": 0.4}}}).prompt


async def test_each_side_has_its_own_modules() -> None:
    """Where a system prompt has the modules' placeholder, each side gets its own."""
    polite, curt = ([{"id": "tone", "text": text}] for text in ("Be very polite.", "Be curt."))
    settings = {
        **BASE, "prompt": {"modules": polite},
        "experiment": {"name": "tone", "settings": {"prompt": {"modules": curt}}},
    }  # fmt: skip
    async with TokenOptimizer(settings) as optimizer:
        for n in range(12):
            body = asking(n)
            system = {"role": "system", "content": PLACEHOLDER}
            outcome = await optimizer.before({**body, "messages": [system, *body["messages"]]})
            assert outcome is not None
            sent = outcome.request.messages[0]["content"]
            assert ("curt" in sent, "polite" in sent) == (arm_of(outcome) == "tried", arm_of(outcome) == "base")
