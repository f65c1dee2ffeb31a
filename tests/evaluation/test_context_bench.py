"""The times of shortening conversations."""

from __future__ import annotations

import json

import pytest

from litellm_tokenopt.evaluation.context_bench import SHAPES, TIMES, conversation, main
from litellm_tokenopt.evaluation.timing import PARTS
from litellm_tokenopt.tokens import count_messages


@pytest.mark.parametrize("shape", SHAPES)
def test_conversations_are_as_long_as_asked_for(shape: str) -> None:
    """And end with what makes a request; another seed has another text."""
    messages = conversation(shape, 9_000, 1)
    assert 9_000 <= count_messages(messages) < 12_500
    assert messages[-1]["role"] in ("user", "tool")
    assert messages != conversation(shape, 9_000, 2)


def test_a_turn_later_little_is_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """What was decided of a conversation is known when it comes again."""
    assert main(["--tokens", "20000", "--rounds", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for shape in SHAPES:
        assert {time: set(found[shape][time]) for time in TIMES} == {time: set(PARTS) for time in TIMES}
        assert found[shape]["warm"]["cpu"] < 0.5 * found[shape]["cold"]["cpu"]
