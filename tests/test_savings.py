"""What an answer from the cache saves."""

from __future__ import annotations

import pytest

from litellm_tokenopt.request import Reply
from litellm_tokenopt.savings import MODEL_SECONDS, savings_of
from litellm_tokenopt.stage import Answer

PRICES = {"gpt-4o-2024": (0.001, 0.01), "gpt-4o": (0.5, 0.5)}


def answer(payload: dict[str, object], **detail: float) -> Answer:
    return Answer(Reply(text="x", finish="stop", has_tool_calls=False, payload=payload), "exact", detail)


@pytest.mark.parametrize(
    ("payload", "usd", "output"),
    [
        ({"model": "gpt-4o-2024", "usage": {"completion_tokens": 5}}, 0.15, 5),
        ({"model": "gpt-4o-2024", "usage": {"output_tokens": 5}}, 0.15, 5),
        ({"usage": None}, 50.0, 0),
    ],
)
def test_tokens_cost_what_the_answering_model_asks(payload: dict[str, object], usd: float, output: int) -> None:
    """Input and output at the price of the model that answered, or else of the one that was asked."""
    saved = savings_of(answer(payload), ("gpt-4o",), tokens=100, seconds=0.0, price=PRICES.get)
    assert (saved.usd, saved.output_tokens, saved.input_tokens) == (pytest.approx(usd), output, 100)


def test_without_a_price_no_dollars() -> None:
    """A model that the price map doesn't know saves tokens and time alone."""
    assert savings_of(answer({}), ("mine", "my-other"), tokens=1, seconds=0.0, price=PRICES.get).usd is None


def test_a_name_for_several_models_saves_what_the_cheapest_asks() -> None:
    """Where the answer doesn't say which it was; no more is claimed than was saved for sure."""
    saved = savings_of(answer({}), ("mine", "gpt-4o", "gpt-4o-2024"), tokens=100, seconds=0.0, price=PRICES.get)
    assert saved.usd == pytest.approx(0.1)


@pytest.mark.parametrize(("took", "own", "saved"), [(2.0, 0.5, 1.5), (0.1, 0.5, 0.0)])
def test_seconds_are_the_models_less_our_own(took: float, own: float, saved: float) -> None:
    """A hit that took longer than the model saves no time."""
    found = savings_of(answer({}, **{MODEL_SECONDS: took}), ("m",), tokens=1, seconds=own, price=PRICES.get)
    assert found.seconds == pytest.approx(saved)
