"""When a small block is sent whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.tools.whole import is_cheaper_whole

TOKENS = st.integers(1, 20_000)
COUNT = st.integers(11, 40)


def test_an_agents_few_tools_are_sent_whole() -> None:
    """Fourteen tools of a hundred tokens each, behind a policy of a page."""
    assert is_cheaper_whole(1_400, 14, 10, 1_200)


def test_many_or_long_tools_are_chosen_from() -> None:
    """What leaving out saves is far more than a change costs."""
    assert not is_cheaper_whole(14_000, 140, 10, 5_000)
    assert not is_cheaper_whole(9_000, 18, 10, 1_200)


def test_a_lone_question_is_chosen_for() -> None:
    """Without an agent's system prompt nothing stands behind the tools."""
    assert not is_cheaper_whole(300, 11, 10, 0)


@given(TOKENS, COUNT, TOKENS)
def test_longer_prompts_and_shorter_blocks_speak_for_it(tokens: int, count: int, system: int) -> None:
    """The answer changes once at most as a block shrinks, or as what stands behind it grows."""
    if is_cheaper_whole(tokens, count, 10, system):
        assert is_cheaper_whole(tokens, count, 10, system + 1_000)
        assert is_cheaper_whole(tokens // 2, count, 10, system)
