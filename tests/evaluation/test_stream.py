"""The stream with repeats: what is counted, and what the packaged cache does on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.models import need_models

from litellm_tokenopt.errors import InputError
from litellm_tokenopt.evaluation.stream import ORDERS, REPEATS, read_repeats, stream
from litellm_tokenopt.settings import Settings


@pytest.fixture
def models() -> None:
    need_models()


def test_every_question_of_the_project_is_asked_once() -> None:
    """No text stands under two questions, so every hit is right or wrong."""
    asked = [text for wordings in read_repeats(REPEATS) for text in wordings]
    assert len(asked) == len(set(asked)) >= 300


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', '{"asked": ["one"]}'])
def test_a_file_without_repeats_is_refused(tmp_path: Path, text: str) -> None:
    """With what is wanted."""
    path = tmp_path / "repeats.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="repeats"):
        read_repeats(path)


async def test_hits_are_counted(models: None, tmp_path: Path) -> None:
    """Literal repeats hit; a question that nothing is like does not."""
    path = tmp_path / "repeats.jsonl"
    asked = [["How do I bleed a radiator?", "how do I bleed a radiator"], ["Who wrote Emma?"]]
    path.write_text("\n".join(json.dumps({"asked": wordings}) for wordings in asked), encoding="utf-8")
    found = await stream(read_repeats(path), Settings())
    assert (found.asked, found.possible, found.hits, found.wrong) == (3 * ORDERS, ORDERS, ORDERS, 0)


async def test_the_packaged_cache_is_seldom_wrong(models: None) -> None:
    """Two of a hundred hits, and most of what can be hit is; rounding differs by processor."""
    shares = (await stream(read_repeats(REPEATS), Settings())).shares
    assert shares["wrong_share_of_hits"] <= 0.03
    assert shares["hit_rate"] >= 0.6 * shares["ideal_hit_rate"]
