"""The packaged models, for tests that need them."""

from __future__ import annotations

import pytest

from litellm_tokenopt.models.build import build_pair_model, check
from litellm_tokenopt.settings import EmbedderSettings


def need_embedder() -> None:
    """Skip the test where the packaged embedding model can't be had."""
    try:
        check(EmbedderSettings())
    except Exception as error:
        pytest.skip(f"needs the packaged model: {error}")


def need_models() -> None:
    """Skip it where that or the pair model can't."""
    need_embedder()
    if build_pair_model(EmbedderSettings()) is None:
        pytest.skip("needs the pair model")
