"""What a model answers from compressed contexts: how it's counted, and what is said where no model is there."""

from __future__ import annotations

import importlib.util

import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.evaluation.answers import Asked
from litellm_tokenopt.evaluation.comprehension import understand
from litellm_tokenopt.evaluation.small_model import packaged_model

ASKED = [Asked(f"Line {n} goes north. Its colour is c{n}.", f"Which colour has line {n}?", f"c{n}") for n in range(8)]


def reader(context: str, question: str) -> str:
    """Answers with the last word of what it's given; of the first line it knows nothing."""
    return "no idea" if "line 0" in question else context.split()[-1]


async def first_sentence(context: str, ratio: float, question: str) -> str:
    return context.split(". ")[0]


async def whole(context: str, ratio: float, question: str) -> str:
    return context


async def test_accuracy_kept() -> None:
    """Accuracy is of all questions; what is kept, of the accuracy with whole contexts, without error where all is."""
    told: list[tuple[int, int]] = []
    rows = await understand(
        ASKED, {"whole": (whole, False), "first": (first_sentence, False)}, reader, (0.5,),
        lambda done, total: told.append((done, total)),
    )  # fmt: skip
    found = {row.method: row for row in rows}
    assert found["whole context"].accuracy == found["whole"].accuracy == 7 / 8
    assert (found["whole"].kept, found["whole"].kept_error) == (1, 0)
    assert (found["first"].accuracy, found["first"].kept) == (0, 0)
    assert found["first"].tokens_left < 0.6
    assert told[-1] == (24, 24)


async def test_errors_shrink_with_questions() -> None:
    """Four times the questions halve the standard error of what is kept."""

    async def every_other(context: str, ratio: float, question: str) -> str:
        return context if int(context.split()[1]) % 2 else "nothing"

    few = (await understand(ASKED, {"some": (every_other, False)}, reader, (0.5,)))[1]
    many = (await understand(ASKED * 4, {"some": (every_other, False)}, reader, (0.5,)))[1]
    assert few.kept == many.kept == 4 / 7
    assert many.kept_error == pytest.approx(few.kept_error / 2, rel=0.1)


@pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is not None, reason="llama-cpp-python is installed")
def test_without_the_package() -> None:
    """Without its packages the small model is an error that says how to install them."""
    with pytest.raises(ModelUnavailable, match=r"litellm-tokenopt\[answers\]"), packaged_model():
        pass
