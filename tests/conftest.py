"""What all tests share: LiteLLM's own price map, and nothing fetched from a hub."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Test machines are small and noisy: a slow example is no failure.
settings.register_profile("tokenopt", deadline=None)
settings.load_profile("tokenopt")
