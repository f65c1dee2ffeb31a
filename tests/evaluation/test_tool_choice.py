"""The measure of the choice of tools, and what it says of the packaged cases."""

from __future__ import annotations

import json

import pytest

from litellm_tokenopt.evaluation.tool_choice import (
    MIXED,
    WAYS,
    Case,
    Found,
    block_for,
    figures,
    main,
    missed,
    packaged,
    read_cases,
)  # fmt: skip
from litellm_tokenopt.tools.reading import name_of

TEXT = """
shop:
  tools: |
    get_order | Get an order. | order_id
    refund | Give money back. | order_id, amount
  requests: |
    Where is it, and can I have my money back? | get_order, refund
    Hello | 
"""


def test_cases_are_read_with_their_tools() -> None:
    """A line is a tool, or a request with the tools that it needs; talk needs none."""
    tools, cases = read_cases(TEXT)
    assert [name_of(tool) for tool in tools["shop"]] == ["get_order", "refund"]
    assert [case.wanted for case in cases] == [{"get_order", "refund"}, frozenset()]


def test_every_wanted_tool_of_the_packaged_cases_is_in_each_block() -> None:
    """Otherwise no choice could be right; larger blocks hold the agent's own tools and others'."""
    tools, cases = read_cases(packaged())
    for case in cases:
        blocks = {way: [name_of(tool) for tool in block_for(case, tools, way)] for way in WAYS}
        assert all(case.wanted <= set(names) for names in blocks.values())
        assert len(blocks["several"]) == len(blocks["shuffled"]) == MIXED > len(blocks["own"])


def test_figures_count_tools_and_whole_requests() -> None:
    """One of two tools is a recall of a half, and no whole request."""
    case = Case(agent="shop", question="?", wanted=frozenset({"a", "b"}))
    talk = Case(agent="shop", question="hi", wanted=frozenset())
    found = [Found(case=case, names=("a", "c"), tokens=10), Found(case=talk, names=(), tokens=0)]
    told = figures(found)
    assert (told["recall"], told["all_wanted"], told["talk_without"], told["tools"]) == (0.5, 0.0, 1.0, 2.0)
    assert "lacks b" in next(missed(found))


def test_the_packaged_cases_are_served(capsys: pytest.CaptureFixture[str]) -> None:
    """Nine of ten wanted tools are among at most ten, one agent's or several agents', and talk gets few."""
    assert main([]) == 0
    told = json.loads(capsys.readouterr().out)
    assert min(told[way]["recall"] for way in WAYS) >= 0.87
    assert told["own"]["all_wanted"] >= 0.85
    assert max(told[way]["tools"] for way in WAYS) <= 10
