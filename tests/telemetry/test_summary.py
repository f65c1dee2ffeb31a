"""What callers are told in metadata and headers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from litellm_tokenopt.pipeline import Split
from litellm_tokenopt.telemetry import headers, summary


async def test_the_summary_tells_tokens_stages_and_time(decide: Any, stages: Any) -> None:
    """Tokens of the whole and of each stage, its reason, and milliseconds; all of it JSON."""
    outcome = await decide(stages.keeps("cache", "miss"), stages.shortens("prompt", "sections"))
    told = json.loads(json.dumps(summary(outcome)))
    assert (told["tokens_before"], told["tokens_after"], told["tokens_saved"]) == (106, 6, 100)
    assert told["cache_hit"] is None
    assert "similarity" not in told
    assert list(told["stages"]) == ["cache", "prompt"]
    assert told["stages"]["prompt"].items() >= {"reason": "sections", "tokens_before": 106, "tokens_after": 6}.items()
    assert told["ms"] >= told["stages"]["prompt"]["ms"] >= 0
    assert told["mode"] == "on"


@pytest.mark.parametrize("kind", ["exact", "semantic"])
async def test_a_hit_is_told_by_kind(decide: Any, stages: Any, kind: str) -> None:
    """Metadata and headers agree on what kind of hit it was, and how similar the question."""
    outcome = await decide(stages.answers(kind, similarity=0.91234567))
    assert (summary(outcome)["cache_hit"], summary(outcome)["similarity"]) == (kind, 0.9123)
    told = headers(outcome)
    assert (told["x-tokenopt-cache"], told["x-tokenopt-similarity"]) == (kind, "0.9123")
    assert (told["x-tokenopt-stages"], told["x-tokenopt-tokens-after"]) == ("cache", "0")


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("miss", "miss"),
        ("rejected:numbers", "miss"),
        ("skipped:media", "skip"),
        ("no_cache", "skip"),
        ("error:X", "skip"),
    ],
)
async def test_the_cache_header_is_one_of_four_words(decide: Any, stages: Any, reason: str, word: str) -> None:
    """A rejected candidate is a miss; a cache that was passed over, or failed, is a skip."""
    assert headers(await decide(stages.keeps("cache", reason)))["x-tokenopt-cache"] == word


async def test_headers_list_the_stages_that_did_something(decide: Any, stages: Any) -> None:
    """Stages that kept the request are not listed; every header is a string."""
    told = headers(
        await decide(stages.keeps("cache", "miss"), stages.shortens("tools"), stages.keeps("context", "small"))
    )
    assert told["x-tokenopt-stages"] == "tools"
    assert told["x-tokenopt-tokens-saved"] == "100"
    assert all(isinstance(item, str) and item for pair in told.items() for item in pair)
    assert "x-tokenopt-mode" not in told


async def test_headers_of_an_untouched_request(decide: Any) -> None:
    """With no stage at all nothing is saved, and the cache was passed over."""
    told = headers(await decide(mode="shadow"))
    assert (told["x-tokenopt-stages"], told["x-tokenopt-cache"], told["x-tokenopt-tokens-saved"]) == (
        "none",
        "skip",
        "0",
    )
    assert told["x-tokenopt-mode"] == "shadow"


async def test_a_side_of_an_experiment_is_told(decide: Any, stages: Any) -> None:
    """Metadata and headers say which side's settings a request got, and nothing where no experiment runs."""
    outcome = await decide(stages.keeps("cache", "miss"))
    tried = replace(outcome, split=Split(session="0123456789abcdef", experiment="x", arm="tried"))
    assert (summary(tried)["arm"], headers(tried)["x-tokenopt-arm"]) == ("tried", "tried")
    assert "arm" not in summary(outcome)
    assert "x-tokenopt-arm" not in headers(replace(outcome, split=Split(session="0123456789abcdef")))
