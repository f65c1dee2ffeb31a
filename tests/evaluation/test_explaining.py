"""What is kept of long loops of an agent's calls, by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from litellm_tokenopt.asking import Said
from litellm_tokenopt.evaluation.context_bench import conversation
from litellm_tokenopt.evaluation.explaining import Line, explain, said, shares
from litellm_tokenopt.optimizer import TokenOptimizer
from litellm_tokenopt.settings import ContextSettings, Settings

CONTEXT_ALONE = Settings.model_validate(
    {"redis": {"url": "memory"}} | {stage: {"enabled": False} for stage in ("cache", "tools", "prompt")}
)
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


async def results(tokens: int, seeds: range) -> list[list[Line]]:
    """What becomes of the results in loops of about so many tokens."""
    async with TokenOptimizer(CONTEXT_ALONE) as optimizer:
        bodies = (
            {"model": "gpt-4o", "messages": conversation("agent's tools", tokens, seed), "tools": [LOOK]}
            for seed in seeds
        )
        outcomes = [await optimizer.before(body) for body in bodies]
    return [[line for line in explain(one) if line.role == "tool"] for one in outcomes if one is not None]


@pytest.mark.parametrize("tokens", [16_000, 25_000, 60_000, 100_000])
async def test_the_more_a_result_matters_the_more_is_kept_of_it(tokens: int) -> None:
    """Of the results that were cut: critical ones most, then important ones, as shares of their tokens."""
    found = [shares(lines) for lines in await results(tokens, range(6))]
    before, after = (
        {level: sum(getattr(one[level], name) for one in found) for level in found[0]}
        for name in ("older_before", "older_after")
    )
    critical, important, background = (after[level] / before[level] for level in before)
    assert critical > important >= background


async def test_what_is_kept_of_each_level_is_said() -> None:
    """All tokens are told of, and those of results that came after the last cut apart."""
    (lines,) = await results(25_000, range(1))
    found = shares(lines)
    assert sum(one.tokens_before for one in found.values()) == sum(line.tokens_before for line in lines)
    assert all(one.older_after <= one.tokens_after for one in found.values())
    newest = sum(one.tokens_before - one.older_before for one in found.values())
    assert 0 < newest < 10_000
    assert "critical" in said(lines)
    assert said([]) == ""


async def told(_: Sequence[Mapping[str, str]]) -> Said:
    return Said("Deploys were looked at.", 100)


async def test_what_is_summarised_is_said() -> None:
    """The summary's tokens count for the first of the messages that it stands for."""
    settings = CONTEXT_ALONE.model_copy(
        update={"context": ContextSettings(budget_tokens=2_000, summary_model="told", condense_results=False)}
    )
    messages = conversation("agent's tools", 20_000, 0)
    async with TokenOptimizer(settings, summaries=lambda _: told) as optimizer:
        for end in range(9, len(messages) + 1, 2):
            outcome = await optimizer.before({"model": "gpt-4o", "messages": messages[:end], "tools": [LOOK]})
            await optimizer.parts.summarising.idle()
    assert outcome is not None
    lines = [line for line in explain(outcome) if line.action == "summarised"]
    assert len(lines) > 2
    first = [line.index for line in lines if line.tokens_after]
    assert len(first) == outcome.steps[-1].verdict.detail["summaries"]
