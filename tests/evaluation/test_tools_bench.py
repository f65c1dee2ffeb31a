"""The times of the choice of tools."""

from __future__ import annotations

import json

import pytest

from litellm_tokenopt.evaluation.timing import PARTS
from litellm_tokenopt.evaluation.tools_bench import KINDS, block, main


def test_blocks_are_of_different_tools() -> None:
    """No name twice, and none that another seed has."""
    names = [tool["function"]["name"] for seed in (0, 1) for tool in block(60, seed)]
    assert len(set(names)) == 120


def test_what_was_seen_takes_less_than_first_sight(capsys: pytest.CaptureFixture[str]) -> None:
    """Vectors are made once: a changed tool costs far less than its block, a repeat nearly nothing."""
    assert main(["--tools", "60", "--rounds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tools"] == 60
    assert {kind: set(found[kind]) for kind in KINDS} == {kind: set(PARTS) for kind in KINDS}
    assert found["warm"]["cpu"] < found["one tool changed"]["cpu"] < found["first sight"]["cpu"]
