"""An experiment: sessions are split once and for all, both sides are reported, and wrong settings stop the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from litellm_tokenopt import TokenOptimizer
from litellm_tokenopt.errors import SettingsError
from litellm_tokenopt.evaluation.arms import compare, wilson
from litellm_tokenopt.evaluation.observation import Observation
from litellm_tokenopt.evaluation.rendering import grids
from litellm_tokenopt.evaluation.replay import replay
from litellm_tokenopt.settings import load_settings

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


async def test_sessions_are_split() -> None:
    """A session is on one side in all its turns, about the share of them on the other, each with its own settings."""
    sides = {"base": 0, "tried": 0}
    async with TokenOptimizer(TRIED) as optimizer:
        for n in range(40):
            first, later = await optimizer.before(asking(n)), await optimizer.before(asking(n, turns=3))
            assert first is not None
            assert later is not None
            assert first.arm == later.arm
            sides[first.arm] += 1
            sent = [tool for tool in first.request.tools if tool["function"]["name"].startswith("do_")]
            assert len(sent) <= (2 if first.arm == "tried" else 10)
    assert min(sides.values()) >= 10


async def test_no_experiment() -> None:
    """Without one, requests are on no side."""
    async with TokenOptimizer(BASE) as optimizer:
        outcome = await optimizer.before(asking(1))
    assert outcome is not None
    assert outcome.arm is None


async def test_replay_reports_both(tmp_path: Path) -> None:
    """A replay has a table of both sides, and the tried one saves more here beyond doubt."""
    path = tmp_path / "requests.jsonl"
    path.write_text("".join(json.dumps(asking(n)) + "\n" for n in range(40)))
    report = (await replay(path, load_settings(TRIED))).report
    assert report.experiment is not None
    assert [line.arm for line in report.experiment.arms] == ["base", "tried"]
    assert report.experiment.difference_bounds[0] > 0
    assert any(grid.title.startswith("Experiment") for grid in grids(report))


def test_bounds() -> None:
    """Bounds hold what they should: a rate known from tables, and a difference of nothing."""
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert wilson(0, 0) == (0, 1)
    seen = [
        Observation(tokens_before=100, tokens_after=50 + n % 5, ms=1, cache="miss", arm=arm, session=f"{arm}{n}")
        for n in range(30)
        for arm in ("base", "tried")
    ]
    found = compare(seen)
    assert found is not None
    low, high = found.difference_bounds
    assert low < 0 < high
    assert compare(seen[:1]) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"redis": {"url": "memory"}}, "redis can't differ; allowed are tools, prompt, context"),
        ({"tools": {"max_tolls": 1}}, "max_tolls"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    """What an experiment changes is checked like all settings."""
    with pytest.raises(SettingsError, match=message):
        load_settings({"experiment": {"name": "x", "settings": settings}})
