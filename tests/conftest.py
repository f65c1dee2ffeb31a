"""What all tests share: LiteLLM's own price map, and nothing fetched from a hub."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Test machines are small and noisy: a slow example is no failure. The suite draws the same examples each time, so that
# a change is judged by what it changed; `make fuzz` draws new ones.
settings.register_profile("tokenopt", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("tokenopt")


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: later collections need not look at it again and again."""
    gc.collect()
    gc.freeze()
