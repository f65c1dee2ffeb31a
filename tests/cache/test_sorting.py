"""Questions are sorted by kind: by rules, and by the packaged weights on the packaged embedder."""

from __future__ import annotations

import pytest

from litellm_tokenopt.cache import kind_training
from litellm_tokenopt.cache.kinds import KINDS, hints
from litellm_tokenopt.cache.sorting import WEIGHTS, Sorter
from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models import minilm
from litellm_tokenopt.models.base import Embedder
from litellm_tokenopt.models.build import build_embedder
from litellm_tokenopt.models.logistic import load_logistic
from litellm_tokenopt.settings import EmbedderSettings


@pytest.fixture(scope="module")
def packaged() -> Embedder:
    if minilm.packaged_folder() is None:
        pytest.skip(f"needs the package of {minilm.NAME}")
    return build_embedder(EmbedderSettings())


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How do I change my password?", "stable"), ("Why was my card declined?", "stable"),
        ("What's a good name for the variable holding a count?", "stable"),
        ("what is microsoft stock at", "time_bound"), ("Did the Giants win?", "time_bound"),
        ("How many vacation days do I have left?", "personal"), ("Which courses am I signed up for?", "personal"),
        ("Think of a nickname for my sister", "creative"), ("give me a silly rhyme", "creative"),
        ("Who starts, Ann or Bob? Let chance decide", "random"), ("a strong password, 16 characters", "random"),
    ],
)  # fmt: skip
async def test_kinds_beyond_rules(packaged: Embedder, question: str, kind: str) -> None:
    """What no rule is sure of is told by the trained classifier."""
    assert await Sorter(packaged).kind(question) == kind


async def test_report_holds(packaged: Embedder) -> None:
    """On questions that weren't trained on most are sorted right, and few ordinary ones are taken for anything else."""
    scores = await kind_training.report(packaged)
    assert set(scores) == {*KINDS, "ordinary"}
    assert all(scores[kind]["precision"] > 0.8 and scores[kind]["recall"] > 0.8 for kind in KINDS)
    assert scores["ordinary"]["not_stable"] < 0.05


async def test_without_a_model_rules_alone() -> None:
    """An embedder that fails, or that wasn't trained on, leaves the rules."""

    class Broken:
        dimensions = 384

        def __init__(self, name: str) -> None:
            self.name = name

        async def embed(self, texts: object) -> object:
            raise ModelUnavailable("no model")

    for name in (minilm.NAME, "another"):
        sorter = Sorter(Broken(name))  # type: ignore[arg-type]
        assert await sorter.kind("Tell me a joke") == "creative"
        assert await sorter.kind("Think of a nickname for my sister") == "stable"


def test_weights_fit_the_features() -> None:
    """The packaged weights are as many as the hints and the vector's dimensions."""
    heads = load_logistic(WEIGHTS, minilm.NAME)
    assert set(heads) == set(KINDS[1:])
    assert {len(head.weights) for head in heads.values()} == {len(hints("What is it?")) + 384}


def test_variants_are_of_their_row() -> None:
    """A row of training data stands for a few texts, the same each time."""
    made = kind_training.variants("Flip a {coin|die}{| now}", 1)
    assert set(made) <= {"Flip a coin", "Flip a die", "Flip a coin now", "Flip a die now"}
    assert made == kind_training.variants("Flip a {coin|die}{| now}", 1)
