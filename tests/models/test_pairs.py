"""The pair model as it is served, on questions that it was not trained on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.evaluation.calibration import HELDOUT
from litellm_tokenopt.models.build import build_pair_model
from litellm_tokenopt.models.files import PAIR_WEIGHTS
from litellm_tokenopt.models.pair_input import INPUTS, pair_inputs
from litellm_tokenopt.models.pairs import PairModel
from litellm_tokenopt.settings import EmbedderSettings


@pytest.fixture(scope="module")
def model() -> PairModel:
    found = build_pair_model(EmbedderSettings())
    assert found is not None
    return found


async def test_rewordings_get_more_than_look_alikes(model: PairModel) -> None:
    """On 60 held-out questions: a reworded one beats a look-alike in at least 80 % of all comparisons."""
    won = total = 0
    for line in HELDOUT.read_text(encoding="utf-8").splitlines()[:60]:
        row = json.loads(line)
        same = await model.logits(row["ask"], row["same"])
        other = await model.logits(row["ask"], [text for _, text in row["other"]])
        won += sum(s > o for s in same for o in other)
        total += len(same) * len(other)
    assert won / total >= 0.8


async def test_the_order_does_not_matter(model: PairModel) -> None:
    """A pair has one logit."""
    a, b = "Move the Oslo meeting to Friday", "Could the meeting in Oslo be on Friday instead?"
    assert await model.logits(a, [b]) == await model.logits(b, [a])


async def test_empty_and_endless_texts_are_compared_too(model: PairModel) -> None:
    """Nothing raises."""
    assert np.isfinite(await model.logits("", ["word " * 5_000, ""])).all()


def test_the_weights_are_small() -> None:
    """They travel with the package."""
    assert PAIR_WEIGHTS.stat().st_size < 5_000_000


def test_inputs_mark_what_is_shared() -> None:
    """Ids 5 stands in both questions; special ids belong to neither."""
    arrays = pair_inputs([([5, 6], [7, 5]), ([8], [9])], first=1, last=2)
    assert tuple(arrays) == INPUTS
    assert arrays["input_ids"].tolist() == [[1, 5, 6, 2, 7, 5, 2], [1, 8, 2, 9, 2, 0, 0]]
    assert arrays["shared"][0].tolist() == [0, 1, 0, 0, 0, 1, 0]
    assert arrays["text"][1].tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert arrays["padding"][1].tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_missing_packages_mean_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the rules decide alone."""

    def missing(*_: object) -> None:
        raise ModelUnavailable("not installed")

    monkeypatch.setattr("litellm_tokenopt.models.packages.require", missing)
    assert build_pair_model(EmbedderSettings()) is None


def test_four_bits_keep_a_difference() -> None:
    """Unpacked weights differ from the trained ones by half a level of their row at most."""
    torch = pytest.importorskip("torch")
    from litellm_tokenopt.models.pair_module import LEVELS, pack, unpack

    generator = torch.Generator().manual_seed(0)
    original = {"big": torch.randn(200, 300, generator=generator), "small": torch.zeros(3)}
    trained = {
        "big": original["big"] + 0.01 * torch.randn(200, 300, generator=generator),
        "small": torch.tensor([1.0, 2.0, 3.0]),
        "new": torch.ones(2),
    }
    restored = unpack(pack(trained, original), original)
    row = (trained["big"] - original["big"]).abs().amax(1, keepdim=True)
    assert ((restored["big"] - trained["big"]).abs() <= row * (0.5 / LEVELS + 1e-3)).all()
    assert restored["small"].tolist() == [1.0, 2.0, 3.0]
    assert restored["new"].tolist() == [1.0, 1.0]
